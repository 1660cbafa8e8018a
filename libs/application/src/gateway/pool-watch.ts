import type { Pool, PoolEvent } from '@rondo/domain';
import type { Clock, EventStore, Position, RecordedEvent, Subscription } from '@rondo/ports';

const PREFIX = 'pool-';
const RETRY_MS = 1_000;

/** Follows what is set in the history: a change reaches every gateway, and one that starts finds them all. */
export class PoolWatch {
  private readonly store: EventStore;
  private readonly clock: Clock;
  private readonly onPool: (name: string, pool: Pool | undefined) => void;
  private subscription: Subscription | undefined;
  private cancelRetry: (() => void) | undefined;
  private closed = false;

  constructor(store: EventStore, clock: Clock, onPool: (name: string, pool: Pool | undefined) => void) {
    this.store = store;
    this.clock = clock;
    this.onPool = onPool;
  }

  /** Resolves when every pool of the history has been told. */
  async start(): Promise<void> {
    const head = await this.store.head();
    for (const { stream } of await this.store.listStreams(PREFIX))
      for await (const page of this.store.readStream(stream, { backwards: true, limit: 1 })) page.forEach(this.tell);
    this.follow(head);
  }

  async stop(): Promise<void> {
    this.closed = true;
    this.cancelRetry?.();
    await this.subscription?.stop();
  }

  private follow(after: Position): void {
    let seen = after;
    this.subscription = this.store.subscribe({
      name: 'pools',
      after,
      filter: { streamPrefixes: [PREFIX] },
      onBatch: (events, through) => {
        events.forEach(this.tell);
        seen = through;
      },
      onDrop: () => {
        if (this.closed) return;
        this.cancelRetry = this.clock.at(this.clock.now() + RETRY_MS, () => this.follow(seen));
      },
    });
  }

  private readonly tell = (recorded: RecordedEvent): void => {
    const event = { type: recorded.type, data: JSON.parse(recorded.data) as unknown } as PoolEvent;
    this.onPool(event.data.name, event.type === 'PoolSet' ? event.data : undefined);
  };
}
