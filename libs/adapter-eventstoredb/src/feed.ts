import type { AllStreamSubscription, EventStoreDBClient } from '@eventstore/db-client';
import type { Position, RecordedEvent } from '@rondo/ports';
import { fromServer, pagesBetween } from './all.ts';
import type { ServerFilter } from './filter.ts';
import { fromWire, placeOf } from './wire.ts';

/** Events kept for subscribers that are a little behind; one that is further behind reads them again. */
const MOST = 20_000;
const PAUSE_MS = 500;

/**
 * The end of the history as it grows, or of what passes a filter of the server: one subscription for all subscribers of a
 * process who want the same, so that each knows the exact position up to which it has missed nothing. It comes back by itself
 * when the server was away.
 */
export class Feed {
  private readonly client: EventStoreDBClient;
  private readonly filter: ServerFilter;
  private events: RecordedEvent[] = [];
  private waiting: (() => void)[] = [];
  private subscription: AllStreamSubscription | undefined;
  private retry: NodeJS.Timeout | undefined;
  private closed = false;
  /** What comes after this position is in `events`. */
  from: Position;
  /** Up to here nothing is missing. */
  head: Position;
  /** The head when `proveUpTo` was last asked. */
  private looked: Position;

  constructor(client: EventStoreDBClient, filter: ServerFilter, from: Position) {
    this.client = client;
    this.filter = filter;
    this.from = from;
    this.head = from;
    this.looked = from;
    this.open();
  }

  /** What has come after the position; undefined: some of it is not kept any more. */
  after(position: Position): readonly RecordedEvent[] | undefined {
    if (position < this.from) return undefined;
    let [low, high] = [0, this.events.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.events[middle]!.position <= position) low = middle + 1;
      else high = middle;
    }
    return this.events.slice(low);
  }

  /** Resolves when something has come after the position, or somebody wakes all that wait. */
  async grown(position: Position): Promise<void> {
    if (this.head <= position && !this.closed) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  wake(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.retry);
    this.wake();
    await this.subscription?.unsubscribe().catch(() => undefined);
  }

  /**
   * A server tells how far it has looked only after a number of events, and some never. One that has not moved since this was
   * last called is moved by reading: `upTo` is a position that the history has reached.
   */
  async proveUpTo(upTo: Position): Promise<void> {
    const hasMoved = this.head !== this.looked;
    this.looked = this.head;
    if (hasMoved || this.head >= upTo) return;
    const filter = this.filter?.asked;
    for await (const page of pagesBetween(this.client, this.head, { filter, upTo }))
      for (const event of page) this.take(event);
    this.reach(upTo);
  }

  private open(): void {
    const filter = fromServer(this.filter, async (subscription, position) => {
      // What came before it may not have been handed out yet; of one that has ended it never will be.
      while (subscription.readableLength > 0 && !subscription.destroyed) await new Promise(setImmediate);
      if (this.subscription === subscription && !subscription.destroyed) this.reach(position);
    });
    const from = this.head === 0 ? {} : { fromPosition: placeOf(this.head) };
    const subscription = this.client.subscribeToAll({ ...filter, ...from });
    this.subscription = subscription;
    subscription.on('data', ({ event }) => {
      if (event === undefined) return;
      const position = Number(event.position.commit);
      if (position <= this.head) return;
      if (event.type.startsWith('$') || event.streamId.startsWith('$')) this.reach(position);
      else this.take(fromWire(event));
    });
    const again = (): void => {
      if (this.closed || this.subscription !== subscription) return;
      this.subscription = undefined;
      this.retry = setTimeout(() => this.open(), PAUSE_MS);
    };
    subscription.on('error', again);
    subscription.on('end', again);
    subscription.on('close', again);
  }

  private reach(position: Position): void {
    if (position <= this.head) return;
    this.head = position;
    this.wake();
  }

  private take(event: RecordedEvent): void {
    if (event.position <= this.head) return;
    this.events.push(event);
    this.reach(event.position);
    if (this.events.length <= MOST * 2) return;
    const gone = this.events.splice(0, MOST);
    this.from = gone.at(-1)!.position;
  }
}
