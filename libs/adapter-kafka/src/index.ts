export { DEAD_LETTERS, REPLAYED_LETTERS } from './dead-letters/dead-letters.ts';
export { kafkaBus, type KafkaBus, type KafkaBusOptions, type KafkaFailure } from './kafka-bus.ts';
export type { KafkaSecurity } from './client.ts';
