import type {
  EventStore,
  PersistentSubscription,
  Position,
  RecordedEvent,
  StreamFilter,
  Subscription,
  Verdict,
} from '@rondo/ports';
import type { Row, SubscriptionTable } from './table.ts';

/** Events that are read ahead of the consumers. */
const MOST_WAITING = 500;
const MAX_RETRIES = 10;
/** How often the place is written at most. What was settled since then is given again after a crash. */
const CHECKPOINT_MS = 500;

/** What is asked of a history that is followed. */
export type FollowedHistory = Pick<EventStore, 'head' | 'readAll' | 'subscribe'>;

/** One who takes events, so many at once. */
export interface Consumer {
  readonly atOnce: number;
  give(event: RecordedEvent, retries: number): void;
  dropped(): void;
}

interface Given {
  readonly event: RecordedEvent;
  readonly retries: number;
  readonly consumer: Consumer;
}

interface Waiting {
  readonly event: RecordedEvent;
  readonly retries: number;
}

/** A subscription at work: hands events to consumers in turn, and moves its place when all before it is settled. */
export class SubscriptionGroup {
  readonly #store: FollowedHistory;
  readonly #table: SubscriptionTable;
  readonly #name: string;
  readonly #maxRetries: number;
  readonly #consumers = new Map<Consumer, number>();
  readonly #given = new Map<string, Given>();
  /** Positions that are not settled, in the order in which they came. */
  readonly #open = new Set<Position>();
  readonly #waiting: Waiting[] = [];
  readonly #following: Subscription;
  /** Some event is parked, or given again from there. */
  #hasParked: boolean;
  /** As it is stored. */
  #place: Position;
  #moving: NodeJS.Timeout | undefined;
  #through: Position;
  #room: (() => void) | undefined;
  #isOver = false;

  constructor(store: FollowedHistory, table: SubscriptionTable, { settings, place }: Row) {
    this.#store = store;
    this.#table = table;
    this.#name = settings.name;
    this.#maxRetries = settings.maxRetries ?? MAX_RETRIES;
    this.#through = place;
    this.#place = place;
    this.#hasParked = table.hasParked(settings.name);
    void this.#again(table.replayed(this.#name));
    this.#following = store.subscribe({
      name: `persistent ${this.#name}`,
      after: place,
      filter: filterOf(settings),
      onBatch: (events, through) => this.#take(events, through),
      onDrop: () => this.drop(),
    });
  }

  join(consumer: Consumer): void {
    this.#consumers.set(consumer, 0);
    this.#hand();
  }

  /** What it had in hand goes to others. */
  leave(consumer: Consumer): void {
    this.#consumers.delete(consumer);
    const back = [...this.#given.values()].filter((given) => given.consumer === consumer);
    for (const { event } of back) this.#given.delete(event.id);
    this.#waiting.unshift(...back);
    this.#hand();
  }

  /** What a consumer says of an event that has meanwhile gone to another is not heard. */
  settle(consumer: Consumer, id: string, verdict: Verdict, reason = ''): void {
    const given = this.#given.get(id);
    if (given?.consumer !== consumer || this.#isOver) return;
    const { event, retries } = given;
    this.#given.delete(id);
    const inHand = this.#consumers.get(consumer);
    if (inHand !== undefined) this.#consumers.set(consumer, inHand - 1);
    if (verdict === 'retry' && retries < this.#maxRetries) this.#waiting.unshift({ event, retries: retries + 1 });
    else {
      const isDone = verdict === 'ack' || verdict === 'skip';
      if (!isDone) this.#table.park(this.#name, event.position, reason);
      else if (this.#hasParked) this.#table.unpark(this.#name, event.position);
      this.#hasParked ||= !isDone;
      this.#open.delete(event.position);
      this.#advance();
    }
    this.#hand();
  }

  async replayParked(): Promise<void> {
    await this.#again(this.#table.markReplayed(this.#name));
  }

  /** Ends it; consumers are told. */
  drop(): void {
    this.#isOver = true;
    // Its place goes with it.
    clearTimeout(this.#moving);
    this.#moving = undefined;
    const consumers = [...this.#consumers.keys()];
    this.#consumers.clear();
    for (const consumer of consumers) consumer.dropped();
    void this.stop();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    this.#room?.();
    this.#move();
    await this.#following.stop();
  }

  async #again(positions: readonly Position[]): Promise<void> {
    for (const position of positions)
      for await (const page of this.#store.readAll(position - 1, { upTo: position }))
        this.#waiting.push(...page.map((event) => ({ event, retries: 0 })));
    this.#hand();
  }

  async #take(events: readonly RecordedEvent[], through: Position): Promise<void> {
    for (const event of events) {
      this.#open.add(event.position);
      this.#waiting.push({ event, retries: 0 });
    }
    this.#through = through;
    this.#hand();
    this.#advance();
    if (this.#waiting.length >= MOST_WAITING && !this.#isOver)
      await new Promise<void>((resolve) => (this.#room = resolve));
  }

  /** Each event to the consumer with the least in hand. */
  #hand(): void {
    while (this.#waiting.length > 0) {
      const [consumer, inHand] = [...this.#consumers].toSorted((a, b) => a[1] - b[1])[0] ?? [];
      if (consumer === undefined || inHand! >= consumer.atOnce) break;
      const { event, retries } = this.#waiting.shift()!;
      this.#consumers.set(consumer, inHand! + 1);
      this.#given.set(event.id, { event, retries, consumer });
      consumer.give(event, retries);
    }
    if (this.#waiting.length < MOST_WAITING) this.#room?.();
  }

  /** Once for all that is settled meanwhile: an event whose settling is not stored is given again. */
  #advance(): void {
    if (!this.#isOver) this.#moving ??= setTimeout(() => this.#move(), CHECKPOINT_MS).unref();
  }

  #move(): void {
    if (this.#moving === undefined) return;
    clearTimeout(this.#moving);
    this.#moving = undefined;
    const [first] = this.#open;
    const place = first === undefined ? this.#through : first - 1;
    if (place !== this.#place) this.#table.moveTo(this.#name, place);
    this.#place = place;
  }
}

function filterOf({ streamPrefixes, eventTypes }: PersistentSubscription): StreamFilter {
  if (eventTypes !== undefined) return { eventTypes };
  return streamPrefixes === undefined ? {} : { streamPrefixes };
}
