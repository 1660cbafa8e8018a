import type { Admin, IHeaders, Kafka } from 'kafkajs';
import { makeTopic } from './client.ts';
import type { Outgoing } from './outgoing.ts';

export const DEAD_LETTERS = 'rondo.dead-letters';

/** A message that its reader could not decode. */
export interface DeadLetter {
  /** Where it lies among the dead letters. */
  readonly offset: number;
  readonly topic: string;
  readonly partition: number;
  /** Its offset in its topic. */
  readonly at: number;
  readonly key: string;
  /** As it came. */
  readonly value: string;
  readonly error: string;
}

export type Burial = Omit<DeadLetter, 'offset'>;

/** One topic with one partition for all: kept as long as the broker keeps it, listed and sent again by hand. */
export class DeadLetters {
  readonly #kafka: Kafka;
  readonly #admin: Admin;
  readonly #outgoing: Outgoing;
  readonly #prefix: string;
  readonly #ready: () => Promise<void>;

  constructor(kafka: Kafka, admin: Admin, outgoing: Outgoing, prefix: string, ready: () => Promise<void>) {
    this.#kafka = kafka;
    this.#admin = admin;
    this.#outgoing = outgoing;
    this.#prefix = prefix;
    this.#ready = ready;
  }

  get #topic(): string {
    return this.#prefix + DEAD_LETTERS;
  }

  async bury({ topic, partition, at, key, value, error }: Burial): Promise<void> {
    await this.#ensure();
    const headers = { topic, partition: String(partition), at: String(at), error: error.slice(0, 1_000) };
    await this.#outgoing.send(this.#topic, [{ key, value, partition: 0, headers }]);
  }

  /** All that lie there, the oldest first. */
  async list(): Promise<readonly DeadLetter[]> {
    await this.#ready();
    await this.#ensure();
    const [range] = await this.#admin.fetchTopicOffsets(this.#topic);
    const [low, high] = [Number(range?.low ?? 0), Number(range?.high ?? 0)];
    if (high <= low) return [];
    const letters: DeadLetter[] = [];
    const groupId = `${this.#topic}.list.${crypto.randomUUID()}`;
    const consumer = this.#kafka.consumer({ groupId, maxWaitTimeInMs: 100 });
    await consumer.connect();
    try {
      await consumer.subscribe({ topic: this.#topic, fromBeginning: true });
      await new Promise<void>((resolve, reject) => {
        consumer.on('consumer.crash', ({ payload }) => reject(payload.error));
        const eachMessage = async ({ message }: { message: Parameters<typeof letterOf>[0] }): Promise<void> => {
          letters.push(letterOf(message));
          if (Number(message.offset) >= high - 1) resolve();
        };
        consumer.run({ autoCommit: false, eachMessage }).catch(reject);
      });
    } finally {
      await consumer.disconnect();
      await this.#admin.deleteGroups([groupId]).catch(() => undefined);
    }
    return letters;
  }

  /** Sends letters to their topics again, as they came; those of all offsets that are named. Answers how many. */
  async replay(offsets: readonly number[]): Promise<number> {
    const wanted = new Set(offsets);
    const letters = (await this.list()).filter(({ offset }) => wanted.has(offset));
    for (const { topic, partition, key, value } of letters)
      await this.#outgoing.send(topic, [{ key, value, partition }]);
    return letters.length;
  }

  async #ensure(): Promise<void> {
    await makeTopic(this.#admin, { topic: this.#topic, numPartitions: 1 });
  }
}

function letterOf(message: {
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: IHeaders;
}): DeadLetter {
  const header = (name: string): string => String(message.headers?.[name] ?? '');
  return {
    offset: Number(message.offset),
    topic: header('topic'),
    partition: Number(header('partition')),
    at: Number(header('at')),
    key: message.key?.toString() ?? '',
    value: message.value?.toString() ?? '',
    error: header('error'),
  };
}
