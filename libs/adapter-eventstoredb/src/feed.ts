import type { AllStreamSubscription, EventStoreDBClient } from '@eventstore/db-client';
import type { Position, RecordedEvent } from '@rondo/ports';
import { fromWire, placeOf } from './wire.ts';

/** Events kept for subscribers that are a little behind; one that is further behind reads them again. */
const MOST = 20_000;
const PAUSE_MS = 500;

/**
 * The end of the whole history as it grows: one subscription for all subscribers of a process, so that each knows the exact
 * position up to which it has missed nothing. It comes back by itself when the server was away.
 */
export class Feed {
  private readonly client: EventStoreDBClient;
  private events: RecordedEvent[] = [];
  private waiting: (() => void)[] = [];
  private subscription: AllStreamSubscription | undefined;
  private retry: NodeJS.Timeout | undefined;
  private closed = false;
  /** What comes after this position is in `events`. */
  from: Position;
  /** The last event that has come. */
  head: Position;

  constructor(client: EventStoreDBClient, from: Position) {
    this.client = client;
    this.from = from;
    this.head = from;
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

  private open(): void {
    const subscription = this.client.subscribeToAll(this.head === 0 ? {} : { fromPosition: placeOf(this.head) });
    this.subscription = subscription;
    subscription.on('data', ({ event }) => {
      if (event === undefined) return;
      const position = Number(event.position.commit);
      if (position <= this.head) return;
      this.head = position;
      if (!event.type.startsWith('$') && !event.streamId.startsWith('$')) this.keep(fromWire(event));
      this.wake();
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

  private keep(event: RecordedEvent): void {
    this.events.push(event);
    if (this.events.length <= MOST * 2) return;
    const gone = this.events.splice(0, MOST);
    this.from = gone.at(-1)!.position;
  }
}
