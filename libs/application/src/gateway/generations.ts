import type { Clock, EventStore, Position, Subscription } from '@rondo/ports';

const RETRY_MS = 1_000;

/** A stream of take-overs, and what one of its events names. */
export interface TakeOvers {
  readonly stream: string;
  readonly of: (data: string) => readonly number[];
}

/**
 * Follows who has taken which partitions, or shards, as the history has it. What an owner wrote may come to stand there late, after it has
 * been followed by another, or has tried again itself: then it is not the last that the history has a generation of.
 */
export class Generations {
  private readonly store: EventStore;
  private readonly clock: Clock;
  private readonly takeOvers: TakeOvers;
  private readonly onTaken: (partition: number) => void;
  private readonly latest = new Map<number, number>();
  private subscription: Subscription | undefined;
  private cancelRetry: (() => void) | undefined;
  private closed = false;

  constructor(store: EventStore, clock: Clock, takeOvers: TakeOvers, onTaken: (partition: number) => void) {
    this.store = store;
    this.clock = clock;
    this.takeOvers = takeOvers;
    this.onTaken = onTaken;
  }

  async start(): Promise<void> {
    this.follow(await this.store.head());
  }

  async stop(): Promise<void> {
    this.closed = true;
    this.cancelRetry?.();
    await this.subscription?.stop();
  }

  /** The highest that was heard of since the start; 0: none. */
  of(partition: number): number {
    return this.latest.get(partition) ?? 0;
  }

  private follow(after: Position): void {
    let seen = after;
    const { stream, of } = this.takeOvers;
    this.subscription = this.store.subscribe({
      name: stream,
      after,
      filter: { streamPrefixes: [stream] },
      onBatch: (events, through) => {
        for (const { data, revision } of events)
          for (const partition of of(data)) {
            this.latest.set(partition, revision + 1);
            this.onTaken(partition);
          }
        seen = through;
      },
      onDrop: () => {
        if (!this.closed) this.cancelRetry = this.clock.at(this.clock.now() + RETRY_MS, () => this.follow(seen));
      },
    });
  }
}
