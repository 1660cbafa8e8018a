export * from './contract/event-store.ts';
export * from './fake-clock.ts';
export * from './memory-event-store.ts';
