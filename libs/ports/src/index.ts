export * from './blobs.ts';
export * from './clock.ts';
export * from './event-store.ts';
export * from './log-store.ts';
export * from './message-bus.ts';
export * from './read-models.ts';
export * from './secrets.ts';
export * from './worker.ts';
