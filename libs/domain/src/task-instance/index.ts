export * from './assignment.ts';
export * from './attempt.ts';
export * from './outcome.ts';
export * from './state.ts';
