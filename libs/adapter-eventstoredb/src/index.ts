export { eventStoreDb, type EventStoreDbOptions } from './store.ts';
export { eventStoreDbSubscriptions, type EventStoreDbSubscriptionsOptions } from './persistent.ts';
