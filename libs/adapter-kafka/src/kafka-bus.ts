import { DEFAULT_PARTITIONS, partitionOfKey } from '@rondo/contracts';
import type { BusMessage, ConsumeOptions, Consumer, DeadLetter, DeadLetters, MessageBus } from '@rondo/ports';
import type { Admin, Kafka } from 'kafkajs';
import { clientOf, Topics, type ClientOptions } from './client.ts';
import { KafkaDeadLetters } from './dead-letters/dead-letters.ts';
import { reasonOf, type Burial } from './dead-letters/letter.ts';
import { Member } from './member.ts';
import { Outgoing } from './outgoing.ts';

export interface KafkaBusOptions extends ClientOptions {
  /** Partitions of each topic. Default 64; the same for all services. */
  readonly partitions?: number;
  /** Copies of each topic that is made. Default 1. */
  readonly replicas?: number;
  /** Before the names of topics and groups, so that installations may share brokers. Default: nothing. */
  readonly prefix?: string;
  /** A member that says nothing for so long has lost its partitions; milliseconds. Default 10,000. */
  readonly sessionTimeoutMs?: number;
  /** Pause before the first redelivery of a batch, and the longest one, in milliseconds. Default 100 and 10,000. */
  readonly retryMinMs?: number;
  readonly retryMaxMs?: number;
  /** How long whoever looks at dead letters waits for the brokers; milliseconds. Default 15,000. */
  readonly patienceMs?: number;
  /** Told of each batch that a handler threw at. Default: nobody. */
  readonly onError?: (failure: KafkaFailure) => void;
  /** Told of messages that were put among the dead letters: once for each reason. Default: nobody. */
  readonly onDeadLetter?: (letter: Pick<DeadLetter, 'topic' | 'partition' | 'reason'>) => void;
}

export interface KafkaFailure {
  readonly topic: string;
  readonly group: string;
  readonly partition: number;
  readonly error: unknown;
  /** 1 for the first delivery. */
  readonly attempt: number;
  readonly retryInMs: number;
}

export interface KafkaBus extends MessageBus {
  /** Messages of any topic that nobody could decode. */
  readonly deadLetters: DeadLetters;
  /** Resolves when the brokers answer. Brokers that are away are waited for: the time limit is the caller's. */
  check(): Promise<string>;
  /** What each group has still to handle of the partitions that this process owns, as the brokers know it. */
  lag(): Promise<readonly GroupLag[]>;
}

export interface GroupLag {
  /** Without the prefix. */
  readonly topic: string;
  readonly group: string;
  readonly messages: number;
}

/** A message bus on Kafka: at least once, in order by key. Connects when it is first used; a broker that is away is waited for. */
export function kafkaBus(options: KafkaBusOptions): KafkaBus {
  return new Bus(options);
}

/** What comes as one reason for each message is not told of for ever. */
const MAX_REASONS = 1_000;

class Bus implements KafkaBus {
  readonly deadLetters: KafkaDeadLetters;
  readonly #options: KafkaBusOptions;
  readonly #partitions: number;
  readonly #prefix: string;
  readonly #kafka: Kafka;
  readonly #admin: Admin;
  readonly #topics: Topics;
  readonly #outgoing: Outgoing;
  readonly #members = new Set<Member>();
  /** Why letters were buried: each was told of. */
  readonly #reasons = new Set<string>();
  #connected: Promise<void> | undefined;
  #closed = false;

  constructor(options: KafkaBusOptions) {
    this.#options = options;
    this.#partitions = options.partitions ?? DEFAULT_PARTITIONS;
    this.#prefix = options.prefix ?? '';
    this.#kafka = clientOf(options);
    this.#admin = this.#kafka.admin();
    this.#topics = new Topics(this.#admin, this.#partitions, options.replicas ?? 1);
    this.#outgoing = new Outgoing(() =>
      this.#kafka.producer({ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false }),
    );
    this.deadLetters = new KafkaDeadLetters({
      ...{ kafka: this.#kafka, admin: this.#admin, outgoing: this.#outgoing, prefix: this.#prefix },
      ...{ partitions: this.#partitions, replicas: options.replicas ?? 1 },
      ready: () => this.#ready(),
      ensure: (topic) => this.#topics.ensure(topic),
      ...(options.patienceMs === undefined ? {} : { patienceMs: options.patienceMs }),
    });
  }

  partitionOf(_topic: string, key: string): number {
    return partitionOfKey(key, this.#partitions);
  }

  async publish<T>(topic: string, messages: readonly BusMessage<T>[]): Promise<void> {
    if (messages.length === 0) return;
    await this.#ready();
    const name = this.#prefix + topic;
    await this.#topics.ensure(name);
    await this.#outgoing.send(
      name,
      messages.map(({ key, value }) => ({
        key,
        value: JSON.stringify(value),
        partition: partitionOfKey(key, this.#partitions),
      })),
    );
  }

  async consume<T>(options: ConsumeOptions<T>): Promise<Consumer> {
    await this.#ready();
    const topic = this.#prefix + options.topic;
    const groupId = `${this.#prefix}${options.group}.${options.topic}`;
    await this.#topics.ensure(topic);
    const begin = options.from === 'now' ? await this.#topics.ends(topic) : undefined;
    const member = new Member(this.#kafka, {
      options: options as ConsumeOptions<unknown>,
      topic,
      groupId,
      begin,
      partitions: this.#partitions,
      sessionTimeoutMs: this.#options.sessionTimeoutMs ?? 10_000,
      retryMinMs: this.#options.retryMinMs ?? 100,
      retryMaxMs: this.#options.retryMaxMs ?? 10_000,
      onError: this.#options.onError ?? (() => undefined),
      bury: (letter) => this.#bury(letter),
    });
    this.#members.add(member);
    await member.start();
    return {
      close: async () => {
        this.#members.delete(member);
        await member.close();
        if (options.from === 'now') await this.#admin.deleteGroups([groupId]).catch(() => undefined);
      },
      isOwner: (partition) => member.isOwner(partition),
    };
  }

  async #bury(letter: Burial): Promise<void> {
    await this.deadLetters.bury(letter);
    const { topic, partition, value, error } = letter;
    const reason = reasonOf(value, error);
    const told = `${topic}: ${reason}`;
    if (this.#reasons.has(told) || this.#reasons.size >= MAX_REASONS) return;
    this.#reasons.add(told);
    this.#options.onDeadLetter?.({ topic, partition, reason });
  }

  async check(): Promise<string> {
    await this.#ready();
    const { brokers } = await this.#admin.describeCluster();
    return `${brokers.length} ${brokers.length === 1 ? 'broker' : 'brokers'}`;
  }

  async lag(): Promise<readonly GroupLag[]> {
    await this.#ready();
    const groups = Array.from(this.#members).filter(({ commits }) => commits);
    return Promise.all(
      groups.map(async ({ place: { topic, groupId, options }, owned }) => {
        const ends = await this.#topics.ends(topic);
        const [committed] = await this.#admin.fetchOffsets({ groupId, topics: [topic] });
        const messages = (committed?.partitions ?? [])
          .filter(({ partition }) => owned.has(partition))
          .reduce(
            (sum, { partition, offset }) => sum + Number(ends.get(partition) ?? 0) - Math.max(0, Number(offset)),
            0,
          );
        return { topic: options.topic, group: options.group, messages: Math.max(0, messages) };
      }),
    );
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all(Array.from(this.#members, (member) => member.close()));
    await this.#connected?.catch(() => undefined);
    await Promise.all([this.#outgoing.disconnect(), this.#admin.disconnect()]);
  }

  #ready(): Promise<void> {
    if (this.#closed) return Promise.reject(new Error('the bus is closed'));
    this.#connected ??= Promise.all([this.#outgoing.connect(), this.#admin.connect()]).then(() => undefined);
    return this.#connected;
  }
}
