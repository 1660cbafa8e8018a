export { DEAD_LETTERS, type DeadLetter } from './dead-letters.ts';
export { kafkaBus, type KafkaBus, type KafkaBusOptions, type KafkaFailure } from './kafka-bus.ts';
export type { KafkaSecurity } from './client.ts';
