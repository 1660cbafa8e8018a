import type { ConsumeOptions, DeliveredMessage } from '@rondo/ports';
import type { BusFailure } from './bus.ts';

type Message = DeliveredMessage<unknown>;

export interface RetryRules {
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  readonly onError: (failure: BusFailure) => void;
}

/** A partition whose batch failed: it waits alone, and what comes for it queues up behind. */
interface Held {
  readonly partition: number;
  messages: Message[];
  attempt: number;
  due: boolean;
  timer: NodeJS.Timeout | undefined;
}

/**
 * One consumer of a group. Messages that wait are one array, handed over whole in the next turn of the event loop: a
 * message costs no more than a push. Only a partition that failed has a queue of its own.
 */
export class Member {
  partitions: readonly number[] = [];
  readonly options: ConsumeOptions<unknown>;
  readonly #rules: RetryRules;
  readonly #maxBatch: number;
  readonly #held = new Map<number, Held>();
  #inbox: Message[] = [];
  #busy = false;
  #paused = true;
  #armed = false;
  #whenIdle: (() => void)[] = [];

  constructor(options: ConsumeOptions<unknown>, rules: RetryRules) {
    this.options = options;
    this.#rules = rules;
    this.#maxBatch = options.maxBatch ?? Infinity;
  }

  push(sent: Message): void {
    const message = this.#read(sent);
    if (message === undefined) return;
    const held = this.#held.size === 0 ? undefined : this.#held.get(message.partition);
    if (held !== undefined) {
      held.messages.push(message);
      return;
    }
    this.#inbox.push(message);
    if (!this.#armed && !this.#busy) this.#arm();
  }

  /** Read when it comes, so that it is not in the way of what comes after it. */
  #read(message: Message): Message | undefined {
    const { read, topic, group } = this.options;
    if (read === undefined) return message;
    try {
      const value = read(message.value);
      return value === message.value ? message : { ...message, value };
    } catch (error) {
      this.#rules.onError({ topic, group, error, attempt: 1, retryInMs: 0 });
      return undefined;
    }
  }

  #arm(): void {
    if (this.#armed || this.#paused) return;
    this.#armed = true;
    setImmediate(this.#drain);
  }

  readonly #drain = (): void => {
    this.#armed = false;
    if (this.#busy || this.#paused) return;
    for (const held of this.#held.values()) {
      if (held.due) return this.#handle(held.messages.splice(0, this.#maxBatch), held);
    }
    if (this.#inbox.length === 0) return;
    let batch = this.#inbox;
    if (batch.length > this.#maxBatch) batch = this.#inbox.splice(0, this.#maxBatch);
    else this.#inbox = [];
    this.#handle(batch, undefined);
  };

  #handle(batch: Message[], held: Held | undefined): void {
    this.#busy = true;
    const succeeded = (): void => this.#succeeded(held);
    const failed = (error: unknown): void => this.#failed(batch, held, error);
    try {
      const result = this.options.onBatch(batch);
      if (result instanceof Promise) result.then(succeeded, failed);
      else succeeded();
    } catch (error) {
      failed(error);
    }
  }

  #succeeded(held: Held | undefined): void {
    if (held !== undefined) {
      held.attempt = 0;
      if (held.messages.length === 0) this.#held.delete(held.partition);
    }
    this.#settled();
  }

  /** Each partition of the batch is delivered again on its own, so that one bad message does not hold up the others. */
  #failed(batch: readonly Message[], held: Held | undefined, error: unknown): void {
    let pause = 0;
    for (const [partition, messages] of groupByPartition(batch)) {
      const entry = held ?? this.#hold(partition);
      entry.messages = [...messages, ...entry.messages];
      entry.due = false;
      entry.attempt += 1;
      pause = Math.min(this.#rules.retryMaxMs, this.#rules.retryMinMs * 2 ** (entry.attempt - 1));
      entry.timer = setTimeout(() => {
        entry.due = true;
        if (!this.#busy) this.#arm();
      }, pause);
    }
    const { topic, group } = this.options;
    this.#rules.onError({ topic, group, error, attempt: held?.attempt ?? 1, retryInMs: pause });
    this.#settled();
  }

  #hold(partition: number): Held {
    const entry: Held = { partition, messages: [], attempt: 0, due: false, timer: undefined };
    this.#held.set(partition, entry);
    entry.messages = this.#inbox.filter((message) => message.partition === partition);
    if (entry.messages.length > 0) this.#inbox = this.#inbox.filter((message) => message.partition !== partition);
    return entry;
  }

  #settled(): void {
    this.#busy = false;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
    if (this.#inbox.length > 0 || [...this.#held.values()].some((held) => held.due)) this.#arm();
  }

  /** Delivers nothing more; resolves when the batch that is being handled is settled. */
  async pause(): Promise<void> {
    this.#paused = true;
    if (this.#busy) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  resume(): void {
    this.#paused = false;
    this.#arm();
  }

  /** Gives up everything that it has not handled, in the order of each partition. */
  takeAll(): Message[] {
    const all: Message[] = [];
    for (const held of this.#held.values()) {
      clearTimeout(held.timer);
      all.push(...held.messages);
    }
    this.#held.clear();
    all.push(...this.#inbox);
    this.#inbox = [];
    return all;
  }
}

function groupByPartition(batch: readonly Message[]): Map<number, Message[]> {
  const groups = new Map<number, Message[]>();
  for (const message of batch) {
    const group = groups.get(message.partition);
    if (group === undefined) groups.set(message.partition, [message]);
    else group.push(message);
  }
  return groups;
}
