import type { AppendRequest, EventStore, Position, ReadModels } from '@rondo/ports';
import { toNewEvent, type HistoryEvent } from '../random-history.ts';

export interface ReadModelsFixture {
  readonly models: ReadModels;
  /** The history that the models follow. */
  readonly store: EventStore;
  /** Stores the bytes of a DAG version where the models look for it. */
  readonly putBlob: (bytes: Uint8Array) => Promise<string>;
  /** Closes the models and opens them again, their rows kept or dropped in between. */
  readonly reopen: (rows: 'kept' | 'dropped') => Promise<ReadModels>;
  readonly dispose: () => Promise<void>;
}

export type ReadModelsFactory = () => Promise<ReadModelsFixture>;

/** Appends in order, with any revision; answers the position of the last event. */
export async function appendHistory(store: EventStore, history: readonly HistoryEvent[]): Promise<Position> {
  const chain: AppendRequest[] = history.map((event) => ({
    stream: event.stream,
    expected: 'any',
    events: [toNewEvent(event)],
  }));
  await store.append(chain);
  return store.head();
}
