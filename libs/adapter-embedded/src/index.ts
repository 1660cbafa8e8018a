export { eventStoreClient } from './event-store/client.ts';
export { openEmbeddedEventStore, type EmbeddedEventStore, type EmbeddedEventStoreOptions } from './event-store/open.ts';
export { embeddedBus, type BusFailure, type EmbeddedBusOptions } from './bus/bus.ts';
export * from './read-models/index.ts';
