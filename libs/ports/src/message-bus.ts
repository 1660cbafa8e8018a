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
  /**
   * Turns what was sent into what `onBatch` is given. A message that it throws at is for nobody of this release: it is put aside with
   * the reason and told of, and what comes after it is delivered. Default: as it was sent.
   */
  readonly read?: (value: unknown) => T;
  /**
   * Where a group that has no offsets begins. `start` (default): with all there is; `now`: with what is published after
   * `consume` resolved. A group of `now` is for one process alone, and is forgotten when it closes.
   */
  readonly from?: 'start' | 'now';
}

export interface Consumer {
  close(): Promise<void>;
  /**
   * True while no other member of the group can have these partitions: told by this process's own monotonic clock and the
   * last answer of the broker, so that one that was paused and wakes up finds out before it acts (I2).
   */
  isOwner(partition: number): boolean;
}

/** A partitioned log of messages, at least once, in order by key. Values are immutable once published. */
export interface MessageBus {
  publish<T = Json>(topic: string, messages: readonly BusMessage<T>[]): Promise<void>;
  consume<T = Json>(options: ConsumeOptions<T>): Promise<Consumer>;
  partitionOf(topic: string, key: string): number;
  close(): Promise<void>;
}

/** The bus does not answer. What was asked of it may yet be done. */
export class BusUnavailableError extends Error {
  override readonly name = 'BusUnavailableError';
}
