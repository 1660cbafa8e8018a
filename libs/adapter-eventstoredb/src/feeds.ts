import type { EventStoreDBClient } from '@eventstore/db-client';
import type { SubscribeOptions } from '@rondo/ports';
import { headOf } from './all.ts';
import { Feed } from './feed.ts';
import { covers, serverFilter, type ServerFilter } from './filter.ts';

/** A server takes about a hundred calls at once over one connection, and appends need some: more share the whole history. */
const MOST = 16;
const LOOK_MS = 1_000;

/** A subscriber's share in a feed. */
export interface FeedLease {
  /** Rejects when the server is away: to be asked again. */
  feed(): Promise<Feed>;
  release(): void;
}

interface Entry {
  readonly filter: ServerFilter;
  feed: Promise<Feed> | undefined;
  leases: number;
}

/** The feeds of a process. A subscriber gets one that holds all that it wants, else one of its own, which ends with its last subscriber. */
export class Feeds {
  readonly #client: EventStoreDBClient;
  readonly #entries = new Set<Entry>();
  #timer: NodeJS.Timeout | undefined;

  constructor(client: EventStoreDBClient) {
    this.#client = client;
  }

  lease({ filter, prompt = false }: SubscribeOptions): FeedLease {
    const entry = this.#entryFor(filter, prompt);
    entry.leases += 1;
    return {
      feed: () => this.#open(entry),
      release: () => {
        entry.leases -= 1;
        if (entry.leases > 0) return;
        this.#entries.delete(entry);
        void entry.feed?.then((feed) => feed.close()).catch(() => undefined);
      },
    };
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    const feeds = Array.from(this.#entries, async ({ feed }) => (await feed?.catch(() => undefined))?.close());
    this.#entries.clear();
    await Promise.all(feeds);
  }

  #entryFor(filter: SubscribeOptions['filter'], prompt: boolean): Entry {
    const own = prompt || this.#entries.size >= MOST ? undefined : serverFilter(filter);
    for (const entry of this.#entries)
      if (entry.filter === undefined || (own !== undefined && covers(entry.filter, filter))) return entry;
    const entry: Entry = { filter: own, feed: undefined, leases: 0 };
    this.#entries.add(entry);
    if (own !== undefined) this.#timer ??= this.#lookLater();
    return entry;
  }

  #open(entry: Entry): Promise<Feed> {
    const feed = (entry.feed ??= headOf(this.#client).then((head) => new Feed(this.#client, entry.filter, head)));
    feed.catch(() => (entry.feed = undefined));
    return feed;
  }

  #lookLater(): NodeJS.Timeout {
    return setTimeout(() => {
      void this.#look().finally(() => {
        const isNeeded = Array.from(this.#entries).some(({ filter }) => filter !== undefined);
        this.#timer = isNeeded ? this.#lookLater() : undefined;
      });
    }, LOOK_MS).unref();
  }

  /** Moves feeds of which nothing is heard: see `proveUpTo`. A server that is away is asked the next time. */
  async #look(): Promise<void> {
    try {
      const upTo = await headOf(this.#client);
      for (const { filter, feed } of this.#entries) if (filter !== undefined) await (await feed)?.proveUpTo(upTo);
    } catch {
      // The next look is soon.
    }
  }
}
