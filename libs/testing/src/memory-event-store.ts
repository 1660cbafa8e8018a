import { eventHash, sealedMeta } from '@rondo/contracts';
import { failPoint } from '@rondo/kernel';
import {
  AppendTooLargeError,
  StoreUnavailableError,
  type AppendOutcome,
  type AppendRequest,
  type NewEvent,
  type Position,
  type ReadOptions,
  type RecordedEvent,
  type StreamCut,
  type StreamFilter,
  type SubscribeOptions,
  type Subscription,
  type TruncatingEventStore,
} from '@rondo/ports';

export interface MemoryEventStoreOptions {
  /** Commit times, epoch milliseconds. Default `Date.now`. */
  readonly now?: () => number;
  /** Events a page and a batch. Default 2,000. */
  readonly pageSize?: number;
  /** Runs at each append call before it writes; what it throws rejects the call, and nothing is written. */
  readonly beforeAppend?: (chain: readonly AppendRequest[]) => void;
}

export interface MemoryEventStore extends TruncatingEventStore {
  /** The whole history, for a test to look at. */
  readonly events: readonly RecordedEvent[];
  dropSnapshots(): void;
  /** From now on nobody sees what was truncated. */
  scavenge(): void;
}

const MAX_REQUEST_BYTES = 1024 * 1024;

const hashOf = (e: RecordedEvent): string => eventHash(e.stream, e.revision, e.id, e.type, e.data, e.meta);

const matches = (filter: StreamFilter | undefined, e: RecordedEvent): boolean =>
  (filter?.streamPrefixes?.some((prefix) => e.stream.startsWith(prefix)) ?? true) &&
  (filter?.eventTypes?.includes(e.type) ?? true);

function checkSize(request: AppendRequest): void {
  let bytes = 0;
  for (const e of request.events) bytes += Buffer.byteLength(e.data) + Buffer.byteLength(e.meta);
  if (bytes > MAX_REQUEST_BYTES)
    throw new AppendTooLargeError(
      `${bytes} bytes for stream '${request.stream}': at most ${MAX_REQUEST_BYTES} are allowed in one request`,
    );
}

class Store implements MemoryEventStore {
  readonly events: RecordedEvent[] = [];
  readonly #streams = new Map<string, RecordedEvent[]>();
  readonly #commits: { readonly time: number; readonly position: Position }[] = [];
  /** Revisions of events that were appended at any revision: a repeat is known by its first id. */
  readonly #anyIds = new Map<string, number>();
  readonly #snapshots = new Map<string, { readonly revision: number; readonly state: string }>();
  readonly #cuts = new Map<string, StreamCut>();
  #scavenged: ReadonlyMap<string, StreamCut> = new Map();
  readonly #wakers = new Set<() => void>();
  readonly #now: () => number;
  readonly #pageSize: number;
  readonly #beforeAppend: MemoryEventStoreOptions['beforeAppend'];
  #closed = false;

  constructor(options: MemoryEventStoreOptions) {
    this.#now = options.now ?? Date.now;
    this.#pageSize = options.pageSize ?? 2_000;
    this.#beforeAppend = options.beforeAppend;
  }

  async append(chain: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    this.#assertOpen();
    failPoint('append:before');
    for (const request of chain) checkSize(request);
    this.#beforeAppend?.(chain);
    const before = this.events.length;
    const outcomes: AppendOutcome[] = [];
    for (const request of chain) {
      const outcome = this.#appendOne(request);
      outcomes.push(outcome);
      if (!outcome.ok) break;
    }
    if (this.events.length > before) {
      this.#commits.push({ time: this.#now(), position: this.events.length });
      for (const wake of this.#wakers) wake();
    }
    await Promise.resolve();
    failPoint('append:after');
    return outcomes;
  }

  #appendOne(request: AppendRequest): AppendOutcome {
    const { stream, expected, events } = request;
    const history = this.#streams.get(stream) ?? [];
    const actual = history.length - 1;
    const repeated = this.#repeated(history, request);
    if (repeated !== undefined) return { ok: true, revision: repeated.revision, position: repeated.position };
    if (expected !== 'any' && actual !== (expected === 'noStream' ? -1 : expected))
      return { ok: false, reason: 'conflict', stream, expected, actual };
    for (const e of events) {
      const id = `${stream}\n${e.id}`;
      if (expected === 'any' && !this.#anyIds.has(id)) this.#anyIds.set(id, history.length);
      this.#record(stream, history, e);
    }
    return { ok: true, revision: history.length - 1, position: history.at(-1)?.position ?? 0 };
  }

  /** I11: the last of the events, if exactly these stand already where they were to be written. */
  #repeated(history: readonly RecordedEvent[], { stream, expected, events }: AppendRequest): RecordedEvent | undefined {
    const first = events[0];
    if (first === undefined || history.length === 0) return undefined;
    const start =
      expected === 'any' ? this.#anyIds.get(`${stream}\n${first.id}`) : expected === 'noStream' ? 0 : expected + 1;
    if (start === undefined || !events.every((e, i) => history[start + i]?.id === e.id)) return undefined;
    return history[start + events.length - 1];
  }

  #record(stream: string, history: RecordedEvent[], e: NewEvent): void {
    const last = history.at(-1);
    const prev = last === undefined ? '' : hashOf(last);
    const meta = sealedMeta(prev, e.meta);
    const recorded = {
      position: this.events.length + 1,
      stream,
      revision: history.length,
      id: e.id,
      type: e.type,
      data: e.data,
      meta,
    };
    this.events.push(recorded);
    history.push(recorded);
    this.#streams.set(stream, history);
  }

  async *readStream(stream: string, options: ReadOptions = {}): AsyncIterable<readonly RecordedEvent[]> {
    this.#assertOpen();
    const { from, upTo = Infinity, backwards = false, limit = Infinity } = options;
    const first = this.#cuts.get(stream)?.before ?? 0;
    const wanted = (this.#streams.get(stream) ?? []).filter(
      (e) =>
        e.revision >= first &&
        e.position <= upTo &&
        (from === undefined || (backwards ? e.revision <= from : e.revision >= from)),
    );
    yield* this.#pages(backwards ? wanted.toReversed() : wanted, limit);
  }

  async *readAll(
    after: Position,
    options: { readonly filter?: StreamFilter; readonly upTo?: Position; readonly limit?: number } = {},
  ): AsyncIterable<readonly RecordedEvent[]> {
    this.#assertOpen();
    const wanted = this.events.slice(after, options.upTo).filter((e) => matches(options.filter, e) && this.#isThere(e));
    yield* this.#pages(wanted, options.limit ?? Infinity);
  }

  #isThere({ stream, revision }: RecordedEvent): boolean {
    return revision >= (this.#scavenged.get(stream)?.before ?? 0);
  }

  *#pages(events: readonly RecordedEvent[], limit: number): Iterable<readonly RecordedEvent[]> {
    const end = Math.min(events.length, limit);
    for (let i = 0; i < end; i += this.#pageSize) yield events.slice(i, Math.min(end, i + this.#pageSize));
  }

  async truncate(stream: string, { before, note }: StreamCut): Promise<void> {
    this.#assertOpen();
    const last = (this.#streams.get(stream)?.length ?? 0) - 1;
    if (before > last) throw new RangeError(`'${stream}' ends at revision ${last}: it cannot begin at ${before}`);
    if ((this.#cuts.get(stream)?.before ?? 0) < before) this.#cuts.set(stream, { before, note });
  }

  async cutOf(stream: string): Promise<StreamCut | undefined> {
    this.#assertOpen();
    return this.#cuts.get(stream);
  }

  scavenge(): void {
    this.#scavenged = new Map(this.#cuts);
  }

  async listStreams(prefix: string): Promise<readonly { readonly stream: string; readonly revision: number }[]> {
    this.#assertOpen();
    return [...this.#streams]
      .filter(([stream]) => stream.startsWith(prefix))
      .map(([stream, history]) => ({ stream, revision: history.length - 1 }))
      .toSorted((a, b) => (a.stream < b.stream ? -1 : 1));
  }

  subscribe(options: SubscribeOptions): Subscription {
    this.#assertOpen();
    let through = options.after;
    let stopped = false;
    let running: Promise<void> | undefined;
    const stop = (): void => {
      stopped = true;
      this.#wakers.delete(wake);
    };
    const deliver = async (): Promise<void> => {
      while (!stopped && through < this.events.length) {
        const slice = this.events.slice(through, through + this.#pageSize);
        through += slice.length;
        await options.onBatch(
          slice.filter((e) => matches(options.filter, e) && this.#isThere(e)),
          through,
        );
      }
    };
    const wake = (): void => {
      running ??= Promise.resolve()
        .then(deliver)
        .catch((error: unknown) => {
          stop();
          options.onDrop?.(error instanceof Error ? error : new Error(String(error)));
        })
        .finally(() => {
          running = undefined;
          if (!stopped && through < this.events.length) wake();
        });
    };
    this.#wakers.add(wake);
    wake();
    return {
      stop: async () => {
        stop();
        await running;
      },
    };
  }

  async head(): Promise<Position> {
    this.#assertOpen();
    return this.events.length;
  }

  async positionAt(time: number): Promise<Position> {
    this.#assertOpen();
    return this.#commits.findLast((commit) => commit.time <= time)?.position ?? 0;
  }

  async readSnapshot(stream: string): Promise<{ readonly revision: number; readonly state: string } | undefined> {
    this.#assertOpen();
    return this.#snapshots.get(stream);
  }

  async writeSnapshot(stream: string, revision: number, state: string): Promise<void> {
    this.#assertOpen();
    this.#snapshots.set(stream, { revision, state });
  }

  dropSnapshots(): void {
    this.#snapshots.clear();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wakers.clear();
  }

  #assertOpen(): void {
    if (this.#closed) throw new StoreUnavailableError('the event store is closed', { retryable: false });
  }
}

/** An event store in memory with every rule of the port: for unit, property and simulation tests. */
export function memoryEventStore(options: MemoryEventStoreOptions = {}): MemoryEventStore {
  return new Store(options);
}
