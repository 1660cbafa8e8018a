import type { EventStoreDBClient } from '@eventstore/db-client';
import type { Position, StreamHead } from '@rondo/ports';
import { pagesBetween } from './all.ts';

interface Listing {
  readonly heads: Map<string, number>;
  through: Position;
}

/** Heads of streams by prefix: the server has no such question, so their events are read once, and then what came since. */
export class Streams {
  private readonly client: EventStoreDBClient;
  private readonly listings = new Map<string, Listing>();

  constructor(client: EventStoreDBClient) {
    this.client = client;
  }

  async list(prefix: string, upTo: Position): Promise<readonly StreamHead[]> {
    const listing = this.listings.get(prefix) ?? { heads: new Map<string, number>(), through: 0 };
    this.listings.set(prefix, listing);
    const filter = { streamPrefixes: [prefix] };
    for await (const page of pagesBetween(this.client, listing.through, { filter, upTo }))
      for (const { stream, revision } of page) listing.heads.set(stream, revision);
    listing.through = Math.max(listing.through, upTo);
    return Array.from(listing.heads, ([stream, revision]) => ({ stream, revision })).sort((a, b) =>
      a.stream < b.stream ? -1 : a.stream > b.stream ? 1 : 0,
    );
  }
}
