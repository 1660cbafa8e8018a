import type { EventStore, Position } from '@rondo/ports';

/**
 * `running`: follows the history. `retrying`: the rows could not be written (`error` says why), tried again each second.
 * `stopped`: an event could not be folded; the rows stay as they were before it.
 */
export interface ReadModelStatus {
  readonly state: 'running' | 'retrying' | 'stopped';
  readonly position: Position;
  /** Milliseconds spent on projecting and writing since the start. */
  readonly busyMs: number;
  readonly error?: string;
}

/** How far the rows are: all events through `position`, the last of which that makes rows is named. */
export interface Checkpoint {
  readonly position: Position;
  readonly eventPosition: Position;
  readonly eventId: string;
}

export const START: Checkpoint = { position: 0, eventPosition: 0, eventId: '' };

/** Rows of another history (a restored backup, a store swapped) are worth nothing. */
export async function isOfHistory(events: EventStore, { eventPosition, eventId }: Checkpoint): Promise<boolean> {
  if (eventId === '') return true;
  for await (const page of events.readAll(eventPosition - 1, { limit: 1 })) {
    const event = page[0];
    if (event !== undefined) return event.position === eventPosition && event.id === eventId;
  }
  return false;
}
