import type { ConsumeOptions, DeliveredMessage } from '@rondo/ports';
import type { Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import { Commits } from './commits.ts';
import type { Burial } from './dead-letters/letter.ts';
import type { KafkaFailure } from './kafka-bus.ts';

export interface MemberOptions {
  readonly options: ConsumeOptions<unknown>;
  readonly topic: string;
  readonly groupId: string;
  /** Where it begins, by partition; it commits nothing. Undefined: where the group left off. */
  readonly begin: Map<number, string> | undefined;
  readonly partitions: number;
  readonly sessionTimeoutMs: number;
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  readonly onError: (failure: KafkaFailure) => void;
  readonly bury: (letter: Burial) => Promise<void>;
}

/** A fetch of an idle topic waits so long: what a rebalance and a close wait for, too. */
const FETCH_WAIT_MS = 250;

/**
 * One consumer of a group. The batches of a fetch are handled side by side, one for each partition, and the next fetch, and a
 * rebalance, wait for them: so a partition is settled before it has another owner. A partition whose batch failed is paused
 * alone. Offsets are committed after the work, by and by: a fetch does not wait for it.
 */
export class Member {
  readonly #o: MemberOptions;
  readonly #consumer: Consumer;
  readonly #failures = new Map<number, number>();
  readonly #resumes = new Set<NodeJS.Timeout>();
  readonly #running = new Set<Promise<void>>();
  readonly #commits: Commits | undefined;
  #owned = new Set<number>();
  /** When the broker was asked for the answer that it gave last, at the earliest: it counts a session from there. */
  #confirmedAt = -Infinity;
  #beatAt = -Infinity;
  /** What an assignment asks for is done before its messages are handled. */
  #assigning: Promise<void> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor(kafka: Kafka, options: MemberOptions) {
    this.#o = options;
    this.#consumer = kafka.consumer({
      groupId: options.groupId,
      sessionTimeout: options.sessionTimeoutMs,
      rebalanceTimeout: options.sessionTimeoutMs * 3,
      heartbeatInterval: Math.floor(options.sessionTimeoutMs / 4),
      maxWaitTimeInMs: FETCH_WAIT_MS,
      allowAutoTopicCreation: false,
    });
    if (options.begin === undefined) this.#commits = new Commits(this.#consumer, options.topic);
  }

  async start(): Promise<void> {
    const { topic, partitions } = this.#o;
    const joined = new Promise<void>((resolve) => {
      this.#consumer.on('consumer.group_join', ({ payload }) => {
        // The answer may be old by now: this process may have been stopped.
        this.#confirmedAt = this.#beatAt = performance.now() - payload.duration;
        const assigned = new Set<number>(payload.memberAssignment[topic]);
        this.#commits?.keep(assigned);
        for (const partition of assigned) this.#seek(partition);
        this.#assigning = this.#assigning.then(() => this.#onAssignment(assigned));
        void this.#assigning.then(resolve);
      });
    });
    this.#consumer.on('consumer.heartbeat', () => {
      // Asked for after the one before was answered.
      this.#confirmedAt = this.#beatAt;
      this.#beatAt = performance.now();
    });
    this.#consumer.on('consumer.rebalancing', () => {
      this.#confirmedAt = -Infinity;
      // Before the member joins anew, over the same connection.
      void this.#commits?.commit();
    });
    await this.#consumer.connect();
    await this.#consumer.subscribe({ topic, fromBeginning: true });
    await this.#consumer.run({
      partitionsConsumedConcurrently: partitions,
      eachBatchAutoResolve: false,
      autoCommit: false,
      eachBatch: (payload) => {
        const handled = this.#onBatch(payload);
        this.#running.add(handled);
        return handled.finally(() => this.#running.delete(handled));
      },
    });
    await joined;
  }

  /** Taken up by the next fetch: no message comes before. */
  #seek(partition: number): void {
    const offset = this.#o.begin?.get(partition);
    if (offset !== undefined) this.#consumer.seek({ topic: this.#o.topic, partition, offset });
  }

  get place(): Pick<MemberOptions, 'topic' | 'groupId' | 'options'> {
    return this.#o;
  }

  get owned(): ReadonlySet<number> {
    return this.#owned;
  }

  /** A passing group commits nothing. */
  get commits(): boolean {
    return this.#commits !== undefined;
  }

  isOwner(partition: number): boolean {
    const isConfirmed = performance.now() - this.#confirmedAt < this.#o.sessionTimeoutMs;
    return this.#closed === undefined && isConfirmed && this.#owned.has(partition);
  }

  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<void> {
    for (const timer of this.#resumes) clearTimeout(timer);
    await Promise.allSettled(this.#running);
    await this.#commits?.close();
    await this.#consumer.disconnect();
    await this.#assigning;
    await this.#onAssignment(new Set());
  }

  async #onAssignment(now: Set<number>): Promise<void> {
    const before = this.#owned;
    this.#owned = now;
    const { onRevoked, onAssigned } = this.#o.options;
    const revoked = [...before.difference(now)];
    const assigned = [...now.difference(before)];
    for (const partition of revoked) this.#failures.delete(partition);
    if (revoked.length > 0) await onRevoked?.(revoked);
    if (assigned.length > 0) await onAssigned?.(assigned);
  }

  async #onBatch(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    await this.#assigning;
    const most = this.#o.options.maxBatch ?? Infinity;
    // A rebalance is told by a heartbeat: what is being handled is finished first.
    const beat = setInterval(() => void payload.heartbeat().catch(() => undefined), this.#o.sessionTimeoutMs / 4);
    try {
      for (let from = 0; from < batch.messages.length; from += most) {
        if (this.#closed !== undefined || !payload.isRunning() || payload.isStale()) return;
        const part = batch.messages.slice(from, Math.min(batch.messages.length, from + most));
        if (!(await this.#handle(batch.partition, part))) return;
        const { offset } = part.at(-1)!;
        const next = String(BigInt(offset) + 1n);
        payload.resolveOffset(offset);
        this.#o.begin?.set(batch.partition, next);
        this.#commits?.handled(batch.partition, next);
      }
    } finally {
      clearInterval(beat);
    }
    await payload.heartbeat();
  }

  /** False: the partition waits, and the same messages come again. */
  async #handle(partition: number, messages: readonly KafkaMessage[]): Promise<boolean> {
    try {
      const decoded: DeliveredMessage<unknown>[] = [];
      for (const message of messages) {
        const value = await this.#decode(partition, message);
        if (value !== undefined) decoded.push(value);
      }
      if (decoded.length > 0) await this.#o.options.onBatch(decoded);
      this.#failures.delete(partition);
      return true;
    } catch (error) {
      this.#pause(partition, error);
      return false;
    }
  }

  async #decode(partition: number, message: KafkaMessage): Promise<DeliveredMessage<unknown> | undefined> {
    const key = message.key?.toString() ?? '';
    const text = message.value?.toString() ?? '';
    try {
      const sent: unknown = JSON.parse(text);
      const value = this.#o.options.read?.(sent) ?? sent;
      return { key, value, partition, offset: Number(message.offset) };
    } catch (error) {
      const { topic } = this.#o;
      const { offset, key: bytes, value } = message;
      await this.#o.bury({ topic, partition, offset, key: bytes, value, error });
      return undefined;
    }
  }

  #pause(partition: number, error: unknown): void {
    const { topic, options, retryMinMs, retryMaxMs, onError } = this.#o;
    const attempt = (this.#failures.get(partition) ?? 0) + 1;
    this.#failures.set(partition, attempt);
    const retryInMs = Math.min(retryMaxMs, retryMinMs * 2 ** (attempt - 1));
    onError({ topic: options.topic, group: options.group, partition, error, attempt, retryInMs });
    const place = [{ topic, partitions: [partition] }];
    this.#consumer.pause(place);
    const timer = setTimeout(() => {
      this.#resumes.delete(timer);
      if (this.#closed === undefined) this.#consumer.resume(place);
    }, retryInMs);
    this.#resumes.add(timer);
  }
}
