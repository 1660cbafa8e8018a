import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel, type Admin, type ITopicConfig, type LogEntry, type SASLOptions } from 'kafkajs';
import type { ConnectionOptions } from 'node:tls';
import { calmRequestQueues } from './request-queue.ts';

export interface KafkaSecurity {
  /** True: TLS with the system's certificate authorities. Default: none. */
  readonly tls?: boolean | ConnectionOptions;
  readonly sasl?: SASLOptions;
}

export interface ClientOptions extends KafkaSecurity {
  /** `host:port` of some of the brokers. */
  readonly brokers: readonly string[];
  readonly clientId?: string;
  /** Told what the client warns of. Default: nobody. */
  readonly onWarning?: (text: string) => void;
}

export function clientOf({ brokers, clientId = 'rondo', tls, sasl, onWarning }: ClientOptions): Kafka {
  calmRequestQueues();
  return new Kafka({
    brokers: [...brokers],
    clientId,
    ...(tls === undefined ? {} : { ssl: tls }),
    ...(sasl === undefined ? {} : { sasl }),
    // A broker that is away is waited for: nothing is lost, and nothing spins.
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: Number.MAX_SAFE_INTEGER },
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => onWarning?.(textOf(entry)),
  });
}

function textOf({ namespace, log }: LogEntry): string {
  const error = log['error'] as unknown;
  return `${namespace}: ${log.message}${typeof error === 'string' ? `: ${error}` : ''}`;
}

/** The number of partitions of the topic, which is made where it is missing. Resolves when each can be written to. */
export async function makeTopic(admin: Admin, wanted: ITopicConfig): Promise<number> {
  await admin.createTopics({ waitForLeaders: false, topics: [wanted] });
  for (;;) {
    const partitions = await partitionsOf(admin, wanted.topic);
    if (partitions !== undefined && partitions.every(({ leader }) => leader >= 0)) {
      // A leader that is named may not know of it yet.
      await offsetsOf(admin, wanted.topic);
      return partitions.length;
    }
    await sleep(LEADER_MS);
  }
}

/** How often it is asked whether a new topic has its leaders. */
const LEADER_MS = 50;

async function partitionsOf(admin: Admin, topic: string): Promise<readonly { readonly leader: number }[] | undefined> {
  const { topics } = await whenKnown(() => admin.fetchTopicMetadata({ topics: [topic] }));
  return topics[0]?.partitions;
}

const NOT_YET: readonly unknown[] = [
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'REPLICA_NOT_AVAILABLE',
];

/** Asks again while the broker that was asked has not heard of a new topic, or of its leaders. */
async function whenKnown<T>(ask: () => Promise<T>): Promise<T> {
  for (;;)
    try {
      return await ask();
    } catch (error) {
      // The client takes a topic of which it knows no partitions for one that has some.
      const isUnknown = error instanceof TypeError || NOT_YET.includes((error as { readonly type?: unknown }).type);
      if (!isUnknown) throw error;
      await sleep(LEADER_MS);
    }
}

/** Where each partition of a topic begins and ends. */
export function offsetsOf(admin: Admin, topic: string) {
  return whenKnown(() => admin.fetchTopicOffsets(topic));
}

/** Of what is published together to one partition, compressed. */
export const MAX_BATCH_BYTES = 16 * 1024 * 1024;

/** Topics as they should be: made where they are missing, refused where they have another number of partitions. */
export class Topics {
  readonly #admin: Admin;
  readonly #partitions: number;
  readonly #replicas: number;
  readonly #known = new Map<string, Promise<void>>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(admin: Admin, partitions: number, replicas: number) {
    this.#admin = admin;
    this.#partitions = partitions;
    this.#replicas = replicas;
  }

  ensure(topic: string): Promise<void> {
    const known = this.#known.get(topic);
    if (known !== undefined) return known;
    const checked = this.#inTurn(() => this.#check(topic));
    this.#known.set(topic, checked);
    checked.catch(() => this.#known.delete(topic));
    return checked;
  }

  /** Where the next message of each partition will be. */
  async ends(topic: string): Promise<Map<number, string>> {
    const ends = await this.#inTurn(() => offsetsOf(this.#admin, topic));
    return new Map(ends.map(({ partition, high }) => [partition, high]));
  }

  /** The client mixes up what it knows of topics when it is asked about several at once. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work, work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #check(topic: string): Promise<void> {
    const wanted = {
      topic,
      numPartitions: this.#partitions,
      replicationFactor: this.#replicas,
      configEntries: [{ name: 'max.message.bytes', value: String(MAX_BATCH_BYTES) }],
    };
    const found = await makeTopic(this.#admin, wanted);
    if (found !== this.#partitions)
      throw new Error(
        `topic '${topic}' has ${found} partitions, wanted are ${this.#partitions}: keys would go elsewhere; make the topic anew or set the number of partitions to ${found}`,
      );
  }
}
