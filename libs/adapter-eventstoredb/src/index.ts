export { eventStoreDb, type EventStoreDbOptions } from './store.ts';
