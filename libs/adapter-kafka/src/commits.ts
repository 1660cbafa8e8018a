import type { Consumer } from 'kafkajs';

const EVERY_MS = 200;
/** How long the last commit of a member that ends may take: what is not committed comes again. */
const LAST_MS = 2_000;

/** Commits the offsets of what was handled, a little later and all at once. One that fails is made again with the next. */
export class Commits {
  readonly #consumer: Consumer;
  readonly #topic: string;
  /** The offset after what was handled, by partition. */
  readonly #due = new Map<number, string>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(consumer: Consumer, topic: string) {
    this.#consumer = consumer;
    this.#topic = topic;
  }

  handled(partition: number, next: string): void {
    this.#due.set(partition, next);
    this.#arm();
  }

  /** Others have the other partitions: their offsets are theirs to say. */
  keep(owned: ReadonlySet<number>): void {
    for (const partition of this.#due.keys()) if (!owned.has(partition)) this.#due.delete(partition);
  }

  async commit(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#due.size === 0) return;
    const offsets = [...this.#due];
    const topic = this.#topic;
    try {
      await this.#consumer.commitOffsets(offsets.map(([partition, offset]) => ({ topic, partition, offset })));
    } catch {
      // The group is on the move, or the broker away.
      this.#arm();
      return;
    }
    for (const [partition, offset] of offsets) if (this.#due.get(partition) === offset) this.#due.delete(partition);
    if (this.#due.size > 0) this.#arm();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, LAST_MS);
    await Promise.race([this.commit(), late.promise]);
    clearTimeout(timer);
    clearTimeout(this.#timer);
  }

  #arm(): void {
    if (!this.#isClosed) this.#timer ??= setTimeout(() => void this.commit(), EVERY_MS);
  }
}
