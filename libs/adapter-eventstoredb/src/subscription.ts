import type { EventStoreDBClient } from '@eventstore/db-client';
import { StoreUnavailableError, type Position, type RecordedEvent, type SubscribeOptions } from '@rondo/ports';
import { pagesBetween } from './all.ts';
import type { Feed } from './feed.ts';
import type { FeedLease } from './feeds.ts';
import { wants } from './filter.ts';

const PAUSE_MS = 500;
const MOST = 1_000;

/** One subscriber: catches up by filtered reads, then goes on with the feed, where each position is known. */
export class Follower {
  private readonly client: EventStoreDBClient;
  private readonly lease: FeedLease;
  private readonly options: SubscribeOptions;
  private position: Position;
  private stopped = false;
  private endPause: () => void = () => undefined;
  private feed: Feed | undefined;
  private readonly running: Promise<void>;

  constructor(client: EventStoreDBClient, lease: FeedLease, options: SubscribeOptions) {
    this.client = client;
    this.lease = lease;
    this.options = options;
    this.position = options.after;
    this.running = this.run().finally(() => lease.release());
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.endPause();
    this.feed?.wake();
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.stopped)
      try {
        this.feed = await this.lease.feed();
        const fresh = this.feed.after(this.position);
        if (fresh === undefined) await this.catchUp(this.feed.head);
        else if (fresh.length > 0 || this.feed.head > this.position) await this.follow(fresh, this.feed.head);
        else await this.grown(this.feed);
      } catch (error) {
        if (error instanceof HandlerError) return this.drop(error.cause as Error);
        if (!(error instanceof StoreUnavailableError)) return this.drop(error as Error);
        await this.pause();
      }
  }

  private drop(error: Error): void {
    if (!this.stopped) this.options.onDrop?.(error);
    this.stopped = true;
  }

  private async grown(feed: Feed): Promise<void> {
    if (!this.stopped) await feed.grown(this.position);
  }

  private async catchUp(upTo: Position): Promise<void> {
    const { filter } = this.options;
    for await (const page of pagesBetween(this.client, this.position, { filter, upTo })) {
      if (this.stopped) return;
      await this.deliver(page, page.at(-1)!.position);
    }
    if (!this.stopped) await this.deliver([], upTo);
  }

  private async follow(events: readonly RecordedEvent[], head: Position): Promise<void> {
    const isWanted = wants(this.options.filter);
    const wanted = events.filter(isWanted);
    for (let at = 0; at < wanted.length; at += MOST) {
      if (this.stopped) return;
      const part = wanted.slice(at, at + MOST);
      await this.deliver(part, at + MOST >= wanted.length ? head : part.at(-1)!.position);
    }
    if (wanted.length === 0) await this.deliver([], head);
  }

  private async deliver(events: readonly RecordedEvent[], through: Position): Promise<void> {
    try {
      await this.options.onBatch(events, through);
    } catch (cause) {
      throw new HandlerError('the subscriber threw', { cause });
    }
    this.position = through;
  }

  private async pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, PAUSE_MS);
      this.endPause = () => (clearTimeout(timer), resolve());
    });
  }
}

class HandlerError extends Error {}
