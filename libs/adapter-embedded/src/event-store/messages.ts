import type {
  ExpectedRevision,
  Position,
  RecordedEvent,
  Revision,
  StoredRunKey,
  StreamFilter,
  StreamHead,
} from '@rondo/ports';

/**
 * What goes between a client and the store's thread. Appends and events travel as flat arrays of texts and numbers, which
 * the structured clone copies several times faster than objects.
 */
export type ToThread =
  /** `calls`: for each call its id and number of requests; for each request stream, expected revision, number of events; for each event id, type, data, meta. */
  | { readonly k: 'append'; readonly calls: readonly (string | number)[] }
  | { readonly k: 'query'; readonly id: number; readonly query: Query }
  | { readonly k: 'subscribe'; readonly sub: number; readonly after: Position; readonly filter: StreamFilter }
  /** The subscriber has settled a batch: one more may come. */
  | { readonly k: 'ack'; readonly sub: number }
  | { readonly k: 'unsubscribe'; readonly sub: number }
  | { readonly k: 'bye' };

export type Query =
  | {
      readonly q: 'stream';
      readonly stream: string;
      readonly from: Revision;
      readonly to: Revision;
      readonly backwards: boolean;
      readonly limit: number;
      readonly upTo: Position | null;
    }
  | {
      readonly q: 'all';
      readonly after: Position;
      readonly upTo: Position | null;
      readonly limit: number;
      readonly filter: StreamFilter;
    }
  | { readonly q: 'heads'; readonly prefix: string }
  | { readonly q: 'head' }
  | { readonly q: 'positionAt'; readonly time: number }
  | { readonly q: 'readSnapshot'; readonly stream: string }
  | { readonly q: 'writeSnapshot'; readonly stream: string; readonly revision: Revision; readonly state: string }
  /** The keys of sealed runs, which the same thread keeps: see `RunKeys`. */
  | { readonly q: 'createRunKey'; readonly id: string; readonly key: string }
  | { readonly q: 'getRunKey'; readonly id: string }
  | { readonly q: 'deleteRunKey'; readonly id: string }
  | { readonly q: 'finishRunKey'; readonly id: string }
  | { readonly q: 'unfinishedRunKeys'; readonly ids: readonly string[] }
  /** Signs the head now. */
  | { readonly q: 'seal' }
  /** Writes what waits, signs the head, closes the files and ends the thread. */
  | { readonly q: 'shutdown' };

export interface StreamPage {
  readonly events: FlatEvents;
  /** The stream has no more in this direction. */
  readonly done: boolean;
}

export interface AllPage {
  readonly events: FlatEvents;
  /** Everything that passes the filter up to here is in this page or before it. */
  readonly through: Position;
  readonly done: boolean;
}

export interface Answers {
  stream: StreamPage;
  all: AllPage;
  heads: readonly StreamHead[];
  head: Position;
  positionAt: Position;
  readSnapshot: { readonly revision: Revision; readonly state: string } | undefined;
  writeSnapshot: undefined;
  createRunKey: StoredRunKey;
  getRunKey: StoredRunKey | undefined;
  deleteRunKey: undefined;
  finishRunKey: undefined;
  unfinishedRunKeys: readonly string[];
  seal: undefined;
  shutdown: undefined;
}

export type FromThread =
  /** `outcomes`: for each call its id and number of outcomes; for each outcome 1, revision, position, or 0, actual revision, 0. */
  | { readonly k: 'appended'; readonly outcomes: readonly number[] }
  | { readonly k: 'failed'; readonly calls: readonly number[]; readonly error: Failure }
  | { readonly k: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly k: 'refused'; readonly id: number; readonly error: Failure }
  | { readonly k: 'batch'; readonly sub: number; readonly events: FlatEvents; readonly through: Position };

export interface Failure {
  readonly message: string;
  readonly retryable: boolean;
}

/** Position, stream, revision, id, type, data, meta, one event after the other. */
export type FlatEvents = readonly (string | number)[];
export const EVENT_FIELDS = 7;

export function fromFlat(flat: FlatEvents): RecordedEvent[] {
  const events: RecordedEvent[] = [];
  for (let i = 0; i < flat.length; i += EVENT_FIELDS) {
    events.push({
      position: flat[i] as number,
      stream: flat[i + 1] as string,
      revision: flat[i + 2] as number,
      id: flat[i + 3] as string,
      type: flat[i + 4] as string,
      data: flat[i + 5] as string,
      meta: flat[i + 6] as string,
    });
  }
  return events;
}

export function toFlat(out: (string | number)[], e: RecordedEvent): void {
  out.push(e.position, e.stream, e.revision, e.id, e.type, e.data, e.meta);
}

/** One call of `append` as the thread holds it. */
export interface AppendCall {
  readonly id: number;
  readonly requests: readonly PendingRequest[];
}

export interface PendingRequest {
  readonly stream: string;
  readonly expected: ExpectedRevision;
  /** Id, type, data, meta, one event after the other. */
  readonly flat: readonly (string | number)[];
  readonly start: number;
  readonly count: number;
}
