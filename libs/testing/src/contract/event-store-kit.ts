import { randomUUID } from 'node:crypto';
import type {
  AppendOutcome,
  AppendRequest,
  EventStore,
  ExpectedRevision,
  NewEvent,
  Position,
  RecordedEvent,
  SubscribeOptions,
  Subscription,
} from '@rondo/ports';

/** What a suite needs of an event store: the store, and how to get rid of it. */
export interface EventStoreFixture {
  readonly store: EventStore;
  /** A second client of the same history, where the adapter has such a thing. */
  readonly connect?: () => Promise<EventStore>;
  readonly dispose: () => Promise<void>;
}

export type EventStoreFactory = () => Promise<EventStoreFixture>;

export function newEvent(type = 'Happened', data: unknown = { n: 1 }, id: string = randomUUID()): NewEvent {
  return { id, type, data: JSON.stringify(data), meta: '{"actor":"test"}' };
}

export const newEvents = (count: number, type = 'Happened'): NewEvent[] =>
  Array.from({ length: count }, (_, n) => newEvent(type, { n }));

export const request = (stream: string, expected: ExpectedRevision, events: readonly NewEvent[]): AppendRequest => ({
  stream,
  expected,
  events,
});

/** Appends one request and answers its outcome. */
export async function appendOne(
  store: EventStore,
  stream: string,
  expected: ExpectedRevision,
  events: readonly NewEvent[],
): Promise<AppendOutcome> {
  const [outcome] = await store.append([request(stream, expected, events)]);
  if (outcome === undefined) throw new Error('no outcome');
  return outcome;
}

export function written(outcome: AppendOutcome | undefined): {
  readonly revision: number;
  readonly position: Position;
} {
  if (outcome === undefined || !outcome.ok) throw new Error(`not written: ${JSON.stringify(outcome)}`);
  return outcome;
}

export async function collect(pages: AsyncIterable<readonly RecordedEvent[]>): Promise<RecordedEvent[]> {
  const all: RecordedEvent[] = [];
  for await (const page of pages) all.push(...page);
  return all;
}

/** A subscription that keeps what it gets, and can be waited on. */
export class Recorder {
  readonly events: RecordedEvent[] = [];
  through = 0;
  batches = 0;
  dropped: Error | undefined;
  #waiting: { readonly done: () => boolean; readonly resolve: () => void }[] = [];
  readonly subscription: Subscription;

  constructor(
    store: EventStore,
    options: Omit<SubscribeOptions, 'name' | 'onBatch' | 'onDrop'>,
    during?: (events: readonly RecordedEvent[]) => void | Promise<void>,
  ) {
    this.subscription = store.subscribe({
      ...options,
      name: 'recorder',
      onBatch: async (events, through) => {
        await during?.(events);
        this.events.push(...events);
        this.through = through;
        this.batches += 1;
        this.#wake();
      },
      onDrop: (error) => {
        this.dropped = error;
        this.#wake();
      },
    });
  }

  #wake(): void {
    this.#waiting = this.#waiting.filter(({ done, resolve }) => {
      if (!done()) return true;
      resolve();
      return false;
    });
  }

  async until(done: () => boolean): Promise<void> {
    if (done()) return;
    await new Promise<void>((resolve) => this.#waiting.push({ done, resolve }));
  }

  reached(position: Position): Promise<void> {
    return this.until(() => this.through >= position);
  }
}

export const revisions = async (
  store: EventStore,
  stream: string,
  options: Parameters<EventStore['readStream']>[1],
): Promise<number[]> => (await collect(store.readStream(stream, options))).map((e) => e.revision);

/** Appends `count` events in requests that stay below the size limit. */
export async function fill(store: EventStore, stream: string, count: number): Promise<number> {
  let position = 0;
  for (let at = 0; at < count; at += 1_000) {
    const events = newEvents(Math.min(1_000, count - at));
    position = written(await appendOne(store, stream, at === 0 ? 'noStream' : at - 1, events)).position;
  }
  return position;
}

/** A name that no other test uses. */
export const aPrefix = (): string => `contract-${randomUUID().slice(0, 8)}-`;
