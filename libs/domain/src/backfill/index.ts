export * from './choice.ts';
export * from './control.ts';
export * from './create.ts';
export * from './dates.ts';
export * from './events.ts';
export * from './state.ts';
export * from './take.ts';
