import type { OwnedPartition, WorkerClaim } from '@rondo/ports';
import type { Entry } from './entry.ts';

/** Attempts whose results are not durable, by their ids and by the names of their pods. */
export class Entries {
  readonly #byId = new Map<string, Entry>();
  readonly #byName = new Map<string, Entry>();

  [Symbol.iterator](): IterableIterator<Entry> {
    return this.#byId.values();
  }

  get(id: string): Entry | undefined {
    return this.#byId.get(id);
  }

  named(name: string): Entry | undefined {
    return this.#byName.get(name);
  }

  add(entry: Entry): void {
    this.#byId.set(entry.id, entry);
    this.#byName.set(entry.name, entry);
  }

  remove(entry: Entry): void {
    this.#byId.delete(entry.id);
    this.#byName.delete(entry.name);
  }

  claims(owned: readonly OwnedPartition[]): WorkerClaim[] {
    const by = Map.groupBy(this, ({ partition }) => partition);
    return owned.map(({ partition, generation }) => {
      const [ended, running] = [true, false].map((isEnded) =>
        (by.get(partition) ?? []).filter(({ report }) => (report !== undefined) === isEnded).map(({ id }) => id),
      ) as [string[], string[]];
      return { partition, generation, running, ended };
    });
  }
}
