export * from './runtime/index.ts';
export * from './templates/index.ts';
