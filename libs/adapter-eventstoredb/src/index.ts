export { eventStoreDb, type EventStoreDbOptions } from './store.ts';
export { eventStoreDbSubscriptions, type EventStoreDbSubscriptionsOptions } from './persistent.ts';
export { Fields, Message } from './protocol/message.ts';
