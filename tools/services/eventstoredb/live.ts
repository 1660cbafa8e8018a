import type { EventStore, Position, RecordedEvent, StreamFilter, SubscribeOptions, Subscription } from '@rondo/ports';

/** Events that are kept; whoever is further behind reads them. */
const MOST = 5_000;
const AT_ONCE = 1_000;

/** The end of the history as it grows, taken from the store once for all who follow it. */
export class Live {
  readonly #store: EventStore;
  readonly #source: Subscription;
  #events: RecordedEvent[] = [];
  #waiting: (() => void)[] = [];
  #followers = new Set<Follower>();
  /** What comes after this position is in `#events`, one for each position. */
  #from: Position;
  isOver = false;

  constructor(store: EventStore, head: Position) {
    this.#store = store;
    this.#from = head;
    this.#source = store.subscribe({
      name: 'wire',
      after: head,
      onBatch: (events) => this.#keep(events),
      onDrop: () => this.#end(),
    });
  }

  get head(): Position {
    return this.#from + this.#events.length;
  }

  /** What has come after the position, at most so many; undefined: it is not kept any more. */
  after(position: Position): readonly RecordedEvent[] | undefined {
    if (position < this.#from) return undefined;
    return this.#events.slice(position - this.#from, position - this.#from + AT_ONCE);
  }

  async grown(position: Position): Promise<void> {
    if (this.head <= position && !this.isOver) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  async reached(position: Position): Promise<void> {
    while (this.head < position && !this.isOver) await this.grown(this.head);
  }

  wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  subscribe(options: SubscribeOptions): Subscription {
    const follower = new Follower(this, this.#store, options);
    this.#followers.add(follower);
    return {
      stop: async () => {
        this.#followers.delete(follower);
        await follower.stop();
      },
    };
  }

  async close(): Promise<void> {
    this.#end();
    await Promise.all([this.#source.stop(), ...Array.from(this.#followers, (follower) => follower.stop())]);
  }

  #end(): void {
    this.isOver = true;
    this.wake();
  }

  #keep(events: readonly RecordedEvent[]): void {
    this.#events.push(...events);
    if (this.#events.length > MOST * 2) this.#from += this.#events.splice(0, MOST).length;
    this.wake();
  }
}

/** One who follows: reads what is not kept, then goes along. */
class Follower {
  readonly #live: Live;
  readonly #store: EventStore;
  readonly #options: SubscribeOptions;
  readonly #running: Promise<void>;
  #position: Position;
  #stopped = false;

  constructor(live: Live, store: EventStore, options: SubscribeOptions) {
    this.#live = live;
    this.#store = store;
    this.#options = options;
    this.#position = options.after;
    this.#running = this.#run().catch((error: unknown) => {
      if (!this.#stopped) options.onDrop?.(error as Error);
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#live.wake();
    await this.#running;
  }

  get #isOver(): boolean {
    return this.#stopped || this.#live.isOver;
  }

  async #run(): Promise<void> {
    const { filter = {} } = this.#options;
    while (!this.#isOver) {
      const fresh = this.#live.after(this.#position);
      if (fresh === undefined) await this.#catchUp(filter);
      else if (fresh.length === 0) await this.#live.grown(this.#position);
      else
        await this.#tell(
          fresh.filter((event) => passes(filter, event)),
          fresh.at(-1)!.position,
        );
    }
  }

  async #catchUp(filter: StreamFilter): Promise<void> {
    const upTo = this.#live.head;
    for await (const page of this.#store.readAll(this.#position, { filter, upTo })) {
      if (this.#isOver) return;
      await this.#tell(page, page.at(-1)!.position);
    }
    await this.#tell([], upTo);
  }

  async #tell(events: readonly RecordedEvent[], through: Position): Promise<void> {
    if (this.#isOver) return;
    await this.#options.onBatch(events, through);
    this.#position = through;
  }
}

const passes = ({ streamPrefixes, eventTypes }: StreamFilter, { stream, type }: RecordedEvent): boolean =>
  (streamPrefixes?.some((prefix) => stream.startsWith(prefix)) ?? true) &&
  // To the server types are prefixes too.
  (eventTypes?.some((prefix) => type.startsWith(prefix)) ?? true);
