import type { Json } from '@rondo/kernel';

export interface BusMessage<T = Json> {
  /** Messages of one key keep their order: they go to one partition. */
  readonly key: string;
  readonly value: T;
}

export interface DeliveredMessage<T = Json> extends BusMessage<T> {
  readonly partition: number;
  readonly offset: number;
}

export interface ConsumeOptions<T = Json> {
  readonly topic: string;
  /** Each message goes to one member of a group. */
  readonly group: string;
  readonly onAssigned?: (partitions: readonly number[]) => void | Promise<void>;
  readonly onRevoked?: (partitions: readonly number[]) => void | Promise<void>;
  /**
   * A batch may mix partitions; within a partition offsets rise. The offsets are committed when the promise resolves; when
   * it rejects the batch is delivered again, after a growing pause. So: at least once.
   */
  readonly onBatch: (messages: readonly DeliveredMessage<T>[]) => void | Promise<void>;
  readonly maxBatch?: number;
}

export interface Consumer {
  close(): Promise<void>;
}

/** A partitioned log of messages, at least once, in order by key. Values are immutable once published. */
export interface MessageBus {
  publish<T = Json>(topic: string, messages: readonly BusMessage<T>[]): Promise<void>;
  consume<T = Json>(options: ConsumeOptions<T>): Promise<Consumer>;
  partitionOf(topic: string, key: string): number;
  close(): Promise<void>;
}
