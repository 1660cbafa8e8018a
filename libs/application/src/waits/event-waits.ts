import { compileFilter, type AssetWait, type EventTest, type EventWait, type SensorEvent } from '@rondo/domain';
import { ok, type JsonObject, type Result } from '@rondo/kernel';
import type { Clock, EventStore, Position, RecordedEvent, Subscription } from '@rondo/ports';
import { SENSOR_EVENTS, sensorStream } from './ingest.ts';
import { MatchIndex, type Pattern } from './match-index.ts';

const ASSETS = 'asset-';
const RETRY_MS = 1_000;

export interface EventWaitsOptions {
  readonly store: EventStore;
  readonly clock: Clock;
  /** The wait is met by these events, in order; the last is the one that ended it. */
  readonly onMet: (id: string, hits: readonly Hit[]) => void;
  readonly onImpossible: (id: string, reason: string) => void;
  readonly onProblem: (message: string) => void;
}

export interface Hit {
  readonly position: Position;
  readonly body: JsonObject;
}

interface Waiter {
  readonly id: string;
  readonly pattern: Pattern;
  readonly test: (body: SensorEvent) => boolean;
  readonly count: number;
  readonly lookBackFrom: number;
  /** An event counts after this position: an earlier wait of the same try consumed what is before. */
  readonly after: Position;
  /** Events up to here are looked back at, later ones come by the subscription: none in both (I6). */
  readonly liveAfter: Position;
  hits: Hit[];
  /** Set while what came before is still being read. */
  looksBack: boolean;
}

/**
 * Waits for events of streams. Each registers, takes what the subscription brings from its position on, and then looks back
 * up to that position (I6), so that an event counts whether it came before or after, and once.
 */
export class EventWaits {
  private readonly options: EventWaitsOptions;
  private readonly waiters = new Map<string, Waiter>();
  private readonly index = new MatchIndex<Waiter>();
  private fresh: Waiter[] = [];
  private looking: Promise<void> | undefined;
  private through: Position = 0;
  private subscription: Subscription | undefined;
  private cancelRetry: (() => void) | undefined;
  private closed = false;

  constructor(options: EventWaitsOptions) {
    this.options = options;
  }

  async start(): Promise<void> {
    this.through = await this.options.store.head();
    this.follow();
  }

  async stop(): Promise<void> {
    this.closed = true;
    this.cancelRetry?.();
    await this.subscription?.stop();
    await this.looking;
  }

  get size(): number {
    return this.waiters.size;
  }

  /** A wait that is known is dropped (I1). */
  add(id: string, wait: EventWait | AssetWait, after: Position): void {
    if (this.waiters.has(id)) return;
    const test = testOf(wait);
    if (!test.ok) {
      this.options.onImpossible(id, test.error);
      return;
    }
    const waiter: Waiter = {
      id,
      pattern: patternOf(wait),
      test: test.value,
      count: wait.kind === 'event' ? (wait.count ?? 1) : 1,
      lookBackFrom: wait.lookBackFrom,
      after,
      liveAfter: this.through,
      hits: [],
      looksBack: true,
    };
    this.waiters.set(id, waiter);
    this.index.add(waiter);
    this.fresh.push(waiter);
    this.looking ??= Promise.resolve().then(() => this.lookBack());
  }

  remove(id: string): void {
    const waiter = this.waiters.get(id);
    if (waiter === undefined) return;
    this.waiters.delete(id);
    this.index.delete(waiter);
  }

  private follow(): void {
    this.subscription = this.options.store.subscribe({
      name: 'waits',
      after: this.through,
      filter: { streamPrefixes: [SENSOR_EVENTS, ASSETS] },
      onBatch: (events, through) => {
        for (const event of events) this.onEvent(event);
        this.through = through;
      },
      onDrop: (error) => {
        if (this.closed) return;
        this.options.onProblem(`events are not followed for now: ${error.message}`);
        this.soon(() => this.follow());
      },
    });
  }

  private soon(callback: () => void): void {
    const { clock } = this.options;
    this.cancelRetry = clock.at(clock.now() + RETRY_MS, callback);
  }

  private onEvent(recorded: RecordedEvent): void {
    const { stream, position } = recorded;
    this.through = position;
    const keys = keysOf(stream).filter((key) => this.index.wants(key));
    if (keys.length === 0) return;
    const body = JSON.parse(recorded.data) as SensorEvent;
    for (const key of keys)
      for (const waiter of this.index.matching(key, factsOf(stream, body)))
        if (waiter.test(body)) this.hit(waiter, { position, body: body as JsonObject });
  }

  private hit(waiter: Waiter, hit: Hit): void {
    if (waiter.hits.length >= waiter.count) return;
    waiter.hits.push(hit);
    if (!waiter.looksBack) this.settle(waiter);
  }

  private settle(waiter: Waiter): void {
    if (waiter.hits.length < waiter.count || this.waiters.get(waiter.id) !== waiter) return;
    this.remove(waiter.id);
    this.options.onMet(waiter.id, waiter.hits);
  }

  /** Looks back for all that have come since, together: a stream is read once, however many wait for its events. */
  private async lookBack(): Promise<void> {
    try {
      while (this.fresh.length > 0 && !this.closed) {
        const batch = this.fresh;
        this.fresh = [];
        const groups = Map.groupBy(batch, ({ pattern }) => pattern.stream);
        for (const [stream, waiters] of groups) await this.lookBackIn(stream, waiters);
      }
    } finally {
      this.looking = undefined;
    }
  }

  private async lookBackIn(stream: string, waiters: readonly Waiter[]): Promise<void> {
    for (;;)
      try {
        const found = await earlier(this.options.store, stream, waiters);
        for (const waiter of waiters) {
          waiter.looksBack = false;
          waiter.hits = [...(found.get(waiter) ?? []), ...waiter.hits].slice(0, waiter.count);
          this.settle(waiter);
        }
        return;
      } catch (error) {
        if (this.closed) return;
        this.options.onProblem(`'${stream}' cannot be looked back at: ${(error as Error).message}`);
        await new Promise<void>((resolve) => this.soon(resolve));
      }
  }
}

/** The first events before their subscription that each of the waiters wants, in order. */
async function earlier(
  store: EventStore,
  stream: string,
  waiters: readonly Waiter[],
): Promise<ReadonlyMap<Waiter, readonly Hit[]>> {
  const from = await startsOf(store, waiters);
  const found = new Map<Waiter, Hit[]>();
  const index = new MatchIndex<Waiter>();
  for (const waiter of waiters) index.add(waiter);
  const first = Math.min(...from.values());
  const upTo = Math.max(...waiters.map((waiter) => waiter.liveAfter));
  for await (const page of pagesOf(store, stream, first, upTo))
    for (const recorded of page) {
      if (recorded.position <= first || index.isEmpty) continue;
      const body = JSON.parse(recorded.data) as SensorEvent;
      for (const waiter of index.matching(stream, factsOf(recorded.stream, body))) {
        if (recorded.position <= from.get(waiter)! || recorded.position > waiter.liveAfter || !waiter.test(body))
          continue;
        const hits = found.get(waiter) ?? [];
        found.set(waiter, hits);
        if (hits.push({ position: recorded.position, body: body as JsonObject }) >= waiter.count) index.delete(waiter);
      }
    }
  return found;
}

/** Events after these positions count. I18: a time means a position by the store's own commit times. */
async function startsOf(store: EventStore, waiters: readonly Waiter[]): Promise<ReadonlyMap<Waiter, Position>> {
  const positions = new Map<number, Position>();
  const from = new Map<Waiter, Position>();
  for (const waiter of waiters) {
    // At the time itself counts too.
    const before = waiter.lookBackFrom - 1;
    const known = positions.get(before) ?? (before < 0 ? 0 : await store.positionAt(before));
    positions.set(before, known);
    from.set(waiter, Math.max(known, waiter.after));
  }
  return from;
}

/** Pages of the stream that hold what is after `first`, in order; for all assets those of the whole history. */
async function* pagesOf(
  store: EventStore,
  stream: string,
  first: Position,
  upTo: Position,
): AsyncGenerator<readonly RecordedEvent[]> {
  if (upTo <= first) return;
  if (stream === ASSETS) {
    yield* store.readAll(first, { filter: { streamPrefixes: [ASSETS] }, upTo });
    return;
  }
  let from: number | undefined;
  for await (const page of store.readStream(stream, { backwards: true, upTo }))
    for (const { position, revision } of page) {
      if (position <= first) return void (yield* from === undefined ? [] : store.readStream(stream, { from, upTo }));
      from = revision;
    }
  if (from !== undefined) yield* store.readStream(stream, { from, upTo });
}

function testOf(wait: EventWait | AssetWait): Result<EventTest> {
  if (wait.kind === 'event') return compileFilter(wait.filter);
  const { uri } = wait;
  return ok(uri === undefined ? () => true : (body: SensorEvent) => body['uri'] === uri);
}

function patternOf(wait: EventWait | AssetWait): Pattern {
  if (wait.kind === 'asset') return { stream: `${ASSETS}${wait.name ?? ''}` };
  const { source, subject } = wait;
  return {
    stream: sensorStream(wait.eventType),
    ...(source === undefined ? {} : { source }),
    ...(subject === undefined ? {} : { subject }),
  };
}

/** Who waits for an asset by its URI does not know its stream. */
const keysOf = (stream: string): string[] => (stream.startsWith(ASSETS) ? [stream, ASSETS] : [stream]);

/** An asset's update has a source too, and it is another thing. */
const factsOf = (stream: string, body: SensorEvent) => (stream.startsWith(ASSETS) ? {} : body);
