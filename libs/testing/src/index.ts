export * from './builders/index.ts';
export * from './contract/event-store.ts';
export * from './contract/read-models.ts';
export * from './contract/message-bus.ts';
export * from './definition.ts';
export * from './fake-clock.ts';
export * from './memory-event-store.ts';
export * from './random-history.ts';
