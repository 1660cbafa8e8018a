import type { Message } from 'kafkajs';
import { nameOf, placeOf, type Mark, type Stored } from './letter.ts';

const MOST_AT_ONCE = 100;
const MOST_BYTES = 4 * 1024 * 1024;

export interface ResenderOptions {
  readonly send: (topic: string, messages: readonly Message[]) => Promise<void>;
  readonly ensure: (topic: string) => Promise<void>;
  /** Where a message of this partition goes. */
  readonly partitionOf: (partition: number, key: string) => number;
  /** The topic of marks. */
  readonly marks: string;
  readonly mark: Mark;
}

/** Sends the messages of letters again, some at a time, and then marks them: so each is sent at least once. */
export class Resender {
  readonly #o: ResenderOptions;
  /** One message may have several letters: each reader of its topic has laid it aside. */
  readonly #places = new Set<string>();
  #waiting: Stored[] = [];
  #bytes = 0;

  constructor(options: ResenderOptions) {
    this.#o = options;
  }

  get sent(): number {
    return this.#places.size;
  }

  async add(stored: Stored): Promise<void> {
    const place = nameOf(placeOf(stored));
    if (this.#places.has(place)) return;
    this.#places.add(place);
    this.#waiting.push(stored);
    this.#bytes += stored.value?.length ?? 0;
    if (this.#waiting.length >= MOST_AT_ONCE || this.#bytes >= MOST_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    const stored = this.#waiting;
    if (stored.length === 0) return;
    [this.#waiting, this.#bytes] = [[], 0];
    const { ensure, send, partitionOf, marks, mark } = this.#o;
    for (const [topic, messages] of Map.groupBy(stored, (one) => placeOf(one).topic)) {
      await ensure(topic);
      const again = messages.map((one) => {
        const { key, value } = one;
        return { key, value, partition: partitionOf(placeOf(one).partition, key?.toString() ?? '') };
      });
      await send(topic, again);
    }
    const value = JSON.stringify(mark);
    await send(
      marks,
      stored.map((one) => ({ key: nameOf(placeOf(one)), value, partition: 0 })),
    );
  }
}
