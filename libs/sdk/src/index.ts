export * from './authoring/index.ts';
export * from './connections.ts';
export * from './runtime/index.ts';
export * from './templates/index.ts';
export * from './xcoms/index.ts';
