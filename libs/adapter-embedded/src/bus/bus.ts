import { DEFAULT_PARTITIONS, partitionOfKey } from '@rondo/contracts';
import type { BusMessage, ConsumeOptions, Consumer, DeliveredMessage, MessageBus } from '@rondo/ports';
import { ConsumerGroup } from './group.ts';

export interface EmbeddedBusOptions {
  /** Partitions of each topic. Default 64. */
  readonly partitions?: number;
  /** Pause before the first redelivery, in milliseconds; it doubles with each. Default 10. */
  readonly retryMinMs?: number;
  /** The longest pause before a redelivery, in milliseconds. Default 10,000. */
  readonly retryMaxMs?: number;
  /** Told of each batch that a handler threw at. Default: a warning of the process. */
  readonly onError?: (failure: BusFailure) => void;
}

export interface BusFailure {
  readonly topic: string;
  readonly group: string;
  readonly error: unknown;
  /** 1 for the first delivery. */
  readonly attempt: number;
  readonly retryInMs: number;
}

interface Topic {
  readonly offsets: number[];
  readonly groups: Map<string, ConsumerGroup>;
  /** What was published before there was a group that begins with all there is: the first one gets it. */
  early: DeliveredMessage<unknown>[];
  hasLasting: boolean;
}

/** Messages kept for the first group of a topic, at most: the oldest make room. */
const MAX_EARLY = 100_000;
const DONE = Promise.resolve();

/**
 * A message bus inside the process: the partitions, groups and at-least-once rules of a broker, without its durability.
 * What was published and not handled is gone with the process; whoever publishes derives it again from the history.
 */
export function embeddedBus(options: EmbeddedBusOptions = {}): MessageBus {
  return new EmbeddedBus(options);
}

class EmbeddedBus implements MessageBus {
  readonly #options: Required<EmbeddedBusOptions>;
  readonly #topics = new Map<string, Topic>();
  #closed = false;

  constructor(options: EmbeddedBusOptions) {
    this.#options = {
      partitions: options.partitions ?? DEFAULT_PARTITIONS,
      retryMinMs: options.retryMinMs ?? 10,
      retryMaxMs: options.retryMaxMs ?? 10_000,
      onError: options.onError ?? warn,
    };
  }

  partitionOf(_topic: string, key: string): number {
    return partitionOfKey(key, this.#options.partitions);
  }

  publish<T>(name: string, messages: readonly BusMessage<T>[]): Promise<void> {
    if (this.#closed) return Promise.reject(new Error(`the bus is closed: nothing can be published to '${name}'`));
    const topic = this.#topic(name);
    for (const { key, value } of messages) {
      const partition = partitionOfKey(key, this.#options.partitions);
      const offset = topic.offsets[partition]!++;
      const message: DeliveredMessage<unknown> = { key, value, partition, offset };
      if (!topic.hasLasting) this.#keepEarly(topic, message);
      for (const group of topic.groups.values()) group.push(message);
    }
    return DONE;
  }

  #keepEarly(topic: Topic, message: DeliveredMessage<unknown>): void {
    topic.early.push(message);
    if (topic.early.length > MAX_EARLY) topic.early = topic.early.slice(MAX_EARLY / 10);
  }

  async consume<T>(options: ConsumeOptions<T>): Promise<Consumer> {
    if (this.#closed) throw new Error(`the bus is closed: '${options.topic}' cannot be consumed`);
    const topic = this.#topic(options.topic);
    let group = topic.groups.get(options.group);
    if (group === undefined) {
      group = new ConsumerGroup(this.#options);
      topic.groups.set(options.group, group);
      if (options.from !== 'now') {
        for (const message of topic.early) group.push(message);
        topic.early = [];
        topic.hasLasting = true;
      }
    }
    const member = await group.join(options as ConsumeOptions<unknown>);
    return options.from === 'now' ? this.#passing(topic, options.group, member) : member;
  }

  /** A group that ends with its member. */
  #passing(topic: Topic, name: string, member: Consumer): Consumer {
    return {
      ...member,
      close: async () => {
        topic.groups.delete(name);
        await member.close();
      },
    };
  }

  #topic(name: string): Topic {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      topic = {
        offsets: Array.from({ length: this.#options.partitions }, () => 0),
        groups: new Map(),
        early: [],
        hasLasting: false,
      };
      this.#topics.set(name, topic);
    }
    return topic;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const groups = [...this.#topics.values()].flatMap((topic) => [...topic.groups.values()]);
    await Promise.all(groups.map((group) => group.close()));
    this.#topics.clear();
  }
}

function warn({ topic, group, error, attempt, retryInMs }: BusFailure): void {
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.emitWarning(
    `'${group}' failed at a batch of '${topic}' (delivery ${attempt}), again in ${retryInMs} ms: ${detail}`,
  );
}
