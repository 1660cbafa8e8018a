/** A position in the whole history: grows with every event, gaps allowed; 0 is before the first event. */
export type Position = number;

/** The revision of a stream's event, from 0. */
export type Revision = number;

export type ExpectedRevision = Revision | 'noStream' | 'any';

/** An event to append. `data` and `meta` are JSON object texts; the store adds the hash of the previous event to `meta` (I13). */
export interface NewEvent {
  /** UUID. A retry after an unknown outcome repeats it (I11). */
  readonly id: string;
  readonly type: string;
  readonly data: string;
  /** At most 300 bytes; the stored metadata, with the hash, stays under 350 (I7). */
  readonly meta: string;
  /** The id of the key that it is to be sealed with (I14). A store itself takes no notice: see `sealedEventStore`. */
  readonly seal?: string;
}

export interface RecordedEvent {
  readonly position: Position;
  readonly stream: string;
  readonly revision: Revision;
  readonly id: string;
  readonly type: string;
  readonly data: string;
  /** As stored: begins with `{"prev":"…"` (43 characters of base64url SHA-256, empty for a stream's first event). */
  readonly meta: string;
}

export interface AppendRequest {
  readonly stream: string;
  readonly expected: ExpectedRevision;
  /** Together at most 1 MiB of data and metadata (I7): more is refused with AppendTooLargeError. */
  readonly events: readonly NewEvent[];
  /** It neither needs the request before it nor is needed by it: the two may be written at the same time. Default: after it. */
  readonly beside?: true;
}

/** The requests of a chain in groups: those of a group may be written at the same time, one group after the other. */
export function wavesOf(chain: readonly AppendRequest[]): AppendRequest[][] {
  const waves: AppendRequest[][] = [];
  for (const request of chain)
    if (request.beside === true && waves.length > 0) waves.at(-1)!.push(request);
    else waves.push([request]);
  return waves;
}

export type AppendOutcome =
  | { readonly ok: true; readonly revision: Revision; readonly position: Position }
  /** `actual` -1: the stream does not exist. */
  | {
      readonly ok: false;
      readonly reason: 'conflict';
      readonly stream: string;
      readonly expected: ExpectedRevision;
      readonly actual: Revision;
    };

export interface StreamFilter {
  /** Streams whose name begins with one of these. */
  readonly streamPrefixes?: readonly string[];
  readonly eventTypes?: readonly string[];
}

export interface ReadOptions {
  /** First revision wanted; default 0, or the last one when backwards. */
  readonly from?: Revision;
  /** Last position wanted, inclusive: the stream as it was then. */
  readonly upTo?: Position;
  readonly backwards?: boolean;
  readonly limit?: number;
}

export interface SubscribeOptions {
  readonly name: string;
  /** Events after this position. */
  readonly after: Position;
  readonly filter?: StreamFilter;
  /** `through` is to follow what does not pass the filter too at once. Default false: it may be seconds behind. */
  readonly prompt?: boolean;
  /**
   * Called with batches in order, the next only when the promise of the last is settled. `through` is the position up to
   * which nothing that passes the filter is missing: a checkpoint. A batch may be empty when only `through` moved.
   * A throw ends the subscription through `onDrop`.
   */
  readonly onBatch: (events: readonly RecordedEvent[], through: Position) => void | Promise<void>;
  readonly onDrop?: (error: Error) => void;
}

export interface Subscription {
  stop(): Promise<void>;
}

export interface StreamHead {
  readonly stream: string;
  readonly revision: Revision;
}

export interface EventStore {
  /**
   * One chain of writes: each request is atomic, a later one is written only if the earlier ones were, except for those that
   * are `beside` each other: of these any may be written when one is refused. Durable when the promise resolves. The outcomes
   * end with the first conflict. Calls are written in the order in which they are made.
   */
  append(chain: readonly AppendRequest[]): Promise<readonly AppendOutcome[]>;
  /** Pages of one stream; nothing for a stream that does not exist. */
  readStream(stream: string, options?: ReadOptions): AsyncIterable<readonly RecordedEvent[]>;
  /** Pages of the whole history after a position, in order. */
  readAll(
    after: Position,
    options?: { readonly filter?: StreamFilter; readonly upTo?: Position; readonly limit?: number },
  ): AsyncIterable<readonly RecordedEvent[]>;
  /** The heads of the streams whose name begins so, in order of name. */
  listStreams(prefix: string): Promise<readonly StreamHead[]>;
  subscribe(options: SubscribeOptions): Subscription;
  /** The position of the last event; 0 for an empty store. */
  head(): Promise<Position>;
  /** I18: the last position committed at or before the time (epoch milliseconds), by the store's own commit time. */
  positionAt(time: number): Promise<Position>;
  /** A shortcut only: dropping all snapshots changes nothing but time. `state` is JSON text. */
  readSnapshot(stream: string): Promise<{ readonly revision: Revision; readonly state: string } | undefined>;
  writeSnapshot(stream: string, revision: Revision, state: string): Promise<void>;
  close(): Promise<void>;
}

/** The request is over the store's limit; splitting it is the caller's business. Not retryable. */
export class AppendTooLargeError extends Error {
  override readonly name = 'AppendTooLargeError';
}

/** The store could not be reached or could not write (disk full, locked): nothing of the failed call is visible. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError';
  readonly retryable: boolean;
  constructor(message: string, options: { readonly retryable: boolean; readonly cause?: unknown }) {
    super(message, { cause: options.cause });
    this.retryable = options.retryable;
  }
}

/** What `rondo history verify` reports (I13). */
export interface HistoryFault {
  readonly kind: 'changed' | 'missing' | 'swapped' | 'truncated' | 'bad-signature' | 'unreadable';
  readonly stream: string;
  readonly revision: Revision;
  readonly position: Position;
  readonly message: string;
}

export interface HistoryReport {
  readonly events: number;
  readonly streams: number;
  readonly head: Position;
  readonly signedHeads: number;
  readonly faults: readonly HistoryFault[];
}
