import { partitionOfKey } from '@rondo/contracts';
import { err, ok, type Result } from '@rondo/kernel';
import type { DeadLetter, DeadLetterPage, DeadLetterQuery, DeadLetters, ReplayRefusal } from '@rondo/ports';
import type { Admin, Kafka } from 'kafkajs';
import { makeTopic, MAX_BATCH_BYTES, offsetsOf } from '../client.ts';
import type { Outgoing } from '../outgoing.ts';
import { markOf, toLetter, toStored, type Burial, type Mark, type Marks, type Stored } from './letter.ts';
import { PartReader } from './part-reader.ts';
import { Resender } from './resender.ts';
import { within } from './within.ts';

export const DEAD_LETTERS = 'rondo.dead-letters';
/** Which of them were replayed: the last record of a key is the one that counts. */
export const REPLAYED_LETTERS = 'rondo.dead-letters.replayed';

const HEAD_BYTES = 4_096;
/** Letters that one page looks at, at most. */
const MOST_READ = 10_000;
/** Letters between two that are wanted are read over, up to so many. */
const MOST_BETWEEN = 1_000;
const PATIENCE_MS = 15_000;

export interface DeadLettersOptions {
  readonly kafka: Kafka;
  readonly admin: Admin;
  readonly outgoing: Outgoing;
  readonly prefix: string;
  /** Of every other topic. */
  readonly partitions: number;
  readonly replicas: number;
  /** Resolves when the bus can be used. */
  readonly ready: () => Promise<void>;
  /** Makes a topic that is not there. */
  readonly ensure: (topic: string) => Promise<void>;
  /** Milliseconds that brokers are waited for. Default 15,000. */
  readonly patienceMs?: number;
}

/** What lies there, at one moment. */
interface Letters {
  readonly reader: PartReader;
  readonly low: number;
  readonly high: number;
  readonly marks: Marks;
}

/** Two topics of one partition: the letters, kept as long as the brokers keep them, and marks on those that were replayed. */
export class KafkaDeadLetters implements DeadLetters {
  readonly #o: DeadLettersOptions;
  readonly #patienceMs: number;
  #made: Promise<void> | undefined;

  constructor(options: DeadLettersOptions) {
    this.#o = options;
    this.#patienceMs = options.patienceMs ?? PATIENCE_MS;
  }

  get #letters(): string {
    return this.#o.prefix + DEAD_LETTERS;
  }

  get #marks(): string {
    return this.#o.prefix + REPLAYED_LETTERS;
  }

  async bury(burial: Burial): Promise<void> {
    await this.#ensure();
    await this.#o.outgoing.send(this.#letters, [toStored(burial)]);
  }

  async list({ topic, replayed, from = 0, limit }: DeadLetterQuery): Promise<DeadLetterPage> {
    const items: DeadLetter[] = [];
    let [next, count]: [number | undefined, number] = [undefined, 0];
    const isWanted = (letter: DeadLetter): boolean =>
      (topic ?? letter.topic) === letter.topic && (replayed ?? isReplayed(letter)) === isReplayed(letter);
    await this.#reading(from, async ({ reader, low, high, marks }) => {
      await reader.read({ topic: this.#letters, from: Math.max(from, low), to: high }, (message) => {
        if (items.length === limit || count++ === MOST_READ) {
          next = Number(message.offset);
          return 'enough';
        }
        const letter = toLetter(message, marks, this.#o.prefix);
        if (isWanted(letter)) items.push(letter);
        return undefined;
      });
    });
    return { items, next };
  }

  async find(id: number): Promise<{ readonly letter: DeadLetter; readonly head: Uint8Array } | undefined> {
    let found: { readonly letter: DeadLetter; readonly head: Uint8Array } | undefined;
    await this.#reading(id, ({ reader, low, high, marks }) => {
      if (id < low || id >= high) return Promise.resolve();
      return reader.read({ topic: this.#letters, from: id, to: id + 1 }, (message) => {
        const head = new Uint8Array(message.value?.subarray(0, HEAD_BYTES) ?? []);
        found = { letter: toLetter(message, marks, this.#o.prefix), head };
      });
    });
    return found;
  }

  async replay(ids: readonly number[], by: string): Promise<Result<number, ReplayRefusal>> {
    const wanted = new Set(ids);
    if (wanted.size === 0) return ok(0);
    let result: Result<number, ReplayRefusal> = err({ unknown: [...wanted], replayed: [] });
    await this.#reading(Math.min(...wanted), async (letters) => {
      const found = new Map<number, boolean>();
      await this.#each(letters, wanted, (stored) => {
        found.set(Number(stored.offset), markOf(stored, letters.marks) !== undefined);
      });
      const unknown = [...wanted].filter((id) => !found.has(id));
      const replayed = [...wanted].filter((id) => found.get(id) === true);
      if (unknown.length + replayed.length > 0) result = err({ unknown, replayed });
      else result = ok(await this.#resend(letters, by, (send) => this.#each(letters, wanted, send)));
    });
    return result;
  }

  async replayAll({ topic }: { readonly topic?: string }, by: string): Promise<number> {
    let count = 0;
    await this.#reading(0, async (letters) => {
      const { reader, low, high, marks } = letters;
      const part = { topic: this.#letters, from: low, to: high };
      count = await this.#resend(letters, by, (send) =>
        reader.read(part, (message) => {
          const letter = toLetter(message, marks, this.#o.prefix);
          return isReplayed(letter) || (topic ?? letter.topic) !== letter.topic ? undefined : send(message);
        }),
      );
    });
    return count;
  }

  async #resend(
    { high }: Letters,
    by: string,
    each: (send: (stored: Stored) => Promise<void>) => Promise<void>,
  ): Promise<number> {
    const { partitions, ensure } = this.#o;
    const resender = new Resender({
      ensure,
      partitionOf: (partition, key) => (partition < partitions ? partition : partitionOfKey(key, partitions)),
      send: (topic, messages) =>
        within(this.#patienceMs, 'taken what is replayed', this.#o.outgoing.send(topic, messages)),
      marks: this.#marks,
      mark: { before: high, at: Date.now(), by },
    });
    await each((stored) => resender.add(stored));
    await resender.flush();
    return resender.sent;
  }

  /** The wanted ones that are there, in their order. */
  async #each(
    { reader, low, high }: Letters,
    wanted: ReadonlySet<number>,
    onLetter: (stored: Stored) => void | Promise<void>,
  ): Promise<void> {
    const there = [...wanted].filter((id) => id >= low && id < high).sort((a, b) => a - b);
    for (let begin = 0, end = 1; begin < there.length; begin = end, end++) {
      while (end < there.length && there[end]! - there[end - 1]! <= MOST_BETWEEN) end++;
      const part = { topic: this.#letters, from: there[begin]!, to: there[end - 1]! + 1 };
      await reader.read(part, (message) => (wanted.has(Number(message.offset)) ? onLetter(message) : undefined));
    }
  }

  /** `from`: where the work begins. It is not done where nothing lies there or after. */
  async #reading(from: number, work: (letters: Letters) => Promise<void>): Promise<void> {
    const { kafka, admin, prefix } = this.#o;
    const [letters, marks] = await within(this.#patienceMs, 'told of the dead letters', this.#bounds());
    if (letters.high <= Math.max(from, letters.low)) return;
    const groupId = `${prefix}${DEAD_LETTERS}.read.${crypto.randomUUID()}`;
    const topics = [this.#letters, this.#marks];
    const reader = new PartReader({ kafka, admin, groupId, topics, patienceMs: this.#patienceMs });
    try {
      await reader.open();
      const known = new Map<string, Mark>();
      await reader.read({ topic: this.#marks, from: marks.low, to: marks.high }, ({ key, value }) => {
        if (key !== null && value !== null) known.set(key.toString(), JSON.parse(value.toString()) as Mark);
      });
      await work({ reader, ...letters, marks: known });
    } finally {
      await reader.close();
    }
  }

  async #bounds() {
    await this.#o.ready();
    await this.#ensure();
    const of = async (topic: string) => {
      const [range] = await offsetsOf(this.#o.admin, topic);
      return { low: Number(range?.low ?? 0), high: Number(range?.high ?? 0) };
    };
    return [await of(this.#letters), await of(this.#marks)] as const;
  }

  #ensure(): Promise<void> {
    this.#made ??= this.#make().catch((error: unknown) => {
      this.#made = undefined;
      throw error;
    });
    return this.#made;
  }

  async #make(): Promise<void> {
    const { admin, replicas } = this.#o;
    const common = { numPartitions: 1, replicationFactor: replicas };
    // A letter is as large as its message, and says where that came from.
    const size = { name: 'max.message.bytes', value: String(MAX_BATCH_BYTES + 64 * 1024) };
    await makeTopic(admin, { topic: this.#letters, ...common, configEntries: [size] });
    const compacted = { name: 'cleanup.policy', value: 'compact' };
    await makeTopic(admin, { topic: this.#marks, ...common, configEntries: [compacted] });
  }
}

const isReplayed = ({ replayed }: DeadLetter): boolean => replayed !== undefined;
