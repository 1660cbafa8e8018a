export * from './definition.ts';
export * from './events.ts';
