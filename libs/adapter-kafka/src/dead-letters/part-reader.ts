import type { Admin, Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import { awayError, within } from './within.ts';

/** Of a topic of one partition: from an offset, up to before another. */
export interface Part {
  readonly topic: string;
  readonly from: number;
  readonly to: number;
}

/** `enough`: nothing more is wanted of the part. */
export type OnMessage = (message: KafkaMessage) => void | 'enough' | Promise<void | 'enough'>;

interface Job extends Part {
  readonly onMessage: OnMessage;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  next: number;
  timer: NodeJS.Timeout | undefined;
}

export interface PartReaderOptions {
  readonly kafka: Kafka;
  readonly admin: Admin;
  /** Of its own: it commits nothing, and is deleted at the end. */
  readonly groupId: string;
  readonly topics: readonly string[];
  /** Milliseconds without anything from the brokers after which a read rejects. */
  readonly patienceMs: number;
}

/** Reads parts of topics, one after the other, message by message. */
export class PartReader {
  readonly #o: PartReaderOptions;
  readonly #consumer: Consumer;
  #job: Job | undefined;

  constructor(options: PartReaderOptions) {
    this.#o = options;
    this.#consumer = options.kafka.consumer({
      groupId: options.groupId,
      maxWaitTimeInMs: 100,
      maxBytesPerPartition: 1024 * 1024,
      allowAutoTopicCreation: false,
    });
  }

  async open(): Promise<void> {
    const { topics, patienceMs } = this.#o;
    await within(patienceMs, 'taken a reader of the dead letters', this.#join(topics));
  }

  async #join(topics: readonly string[]): Promise<void> {
    await this.#consumer.connect();
    await this.#consumer.subscribe({ topics: [...topics], fromBeginning: true });
    const joined = new Promise<void>((resolve) => {
      this.#consumer.on('consumer.group_join', () => {
        for (const topic of topics) if (topic !== this.#job?.topic) this.#consumer.pause([{ topic }]);
        resolve();
      });
    });
    this.#consumer.on('consumer.crash', ({ payload }) => this.#settle((job) => job.reject(payload.error)));
    await this.#consumer.run({ autoCommit: false, eachBatch: (payload) => this.#onBatch(payload) });
    await joined;
  }

  /** Resolves when all messages of the part were given, or enough of them. */
  read(part: Part, onMessage: OnMessage): Promise<void> {
    if (part.from >= part.to) return Promise.resolve();
    const { topic, from } = part;
    return new Promise((resolve, reject) => {
      this.#job = { ...part, onMessage, resolve, reject, next: from, timer: undefined };
      this.#wait(this.#job);
      this.#consumer.seek({ topic, partition: 0, offset: String(from) });
      this.#consumer.resume([{ topic }]);
    });
  }

  /** Does not wait for brokers that are away. */
  async close(): Promise<void> {
    this.#settle((job) => job.reject(new Error('the reader is closed')));
    const { admin, groupId, patienceMs } = this.#o;
    const left = this.#consumer.disconnect().then(() => admin.deleteGroups([groupId]));
    await within(patienceMs, 'let a reader go', left).catch(() => undefined);
  }

  async #onBatch(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    const job = this.#job;
    if (job === undefined || batch.topic !== job.topic) return;
    clearTimeout(job.timer);
    try {
      for (const message of batch.messages) {
        const offset = Number(message.offset);
        // The group was joined again, and began anew.
        if (offset < job.next) continue;
        if (offset >= job.to || (await job.onMessage(message)) === 'enough') return this.#settle(() => job.resolve());
        job.next = offset + 1;
      }
    } catch (error) {
      return this.#settle(() => job.reject(error));
    }
    if (job.next >= job.to) return this.#settle(() => job.resolve());
    this.#wait(job);
    await payload.heartbeat();
  }

  #wait(job: Job): void {
    const { patienceMs } = this.#o;
    const onLate = (): void => this.#settle(() => job.reject(awayError(patienceMs, 'given the dead letters')));
    job.timer = setTimeout(onLate, patienceMs);
  }

  #settle(end: (job: Job) => void): void {
    const job = this.#job;
    if (job === undefined) return;
    this.#job = undefined;
    clearTimeout(job.timer);
    this.#consumer.pause([{ topic: job.topic }]);
    end(job);
  }
}
