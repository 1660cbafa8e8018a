import type { EventStoreDBClient } from '@eventstore/db-client';
import type { Position, RecordedEvent, StreamFilter } from '@rondo/ports';
import { serverFilter, wants, type ServerFilter } from './filter.ts';
import { Reading } from './protocol/calls.ts';

const PAGE = 1_000;
/** A catch-up that says nothing for so long is not waited for. */
const QUIET_MS = 3_000;

/** The position of the last event of the server, whoever wrote it; 0: none. */
export async function headOf(client: EventStoreDBClient): Promise<Position> {
  let head = 0;
  // Read to its end, which costs less than a call that is cancelled.
  for await (const answer of new Reading(client, { backwards: true, limit: 1 }))
    if (answer.kind === 'event') head = answer.event.position;
  return head;
}

/** I18: by the time at which the server committed. Read from the end: what people ask for is mostly not long ago. */
export async function positionAt(client: EventStoreDBClient, time: number): Promise<Position> {
  for await (const answer of new Reading(client, { backwards: true }))
    if (answer.kind === 'event' && answer.created <= time) return answer.event.position;
  return 0;
}

export interface AllOptions {
  readonly filter?: StreamFilter | undefined;
  /** Inclusive. */
  readonly upTo: Position;
  readonly limit?: number | undefined;
}

/** Pages of what passes the filter between two positions; the server filters where it can. */
export async function* pagesBetween(
  client: EventStoreDBClient,
  after: Position,
  { filter, upTo, limit = Infinity }: AllOptions,
): AsyncGenerator<readonly RecordedEvent[]> {
  if (upTo <= after || limit <= 0) return;
  const asked = serverFilter(filter);
  const source = asked === undefined ? everything(client, after, upTo) : filtered(client, after, upTo, asked);
  const isWanted = wants(filter);
  let page: RecordedEvent[] = [];
  let left = limit;
  for await (const event of source) {
    if (!isWanted(event)) continue;
    page.push(event);
    if (--left <= 0) break;
    if (page.length < PAGE) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}

async function* everything(client: EventStoreDBClient, after: Position, upTo: Position): AsyncGenerator<RecordedEvent> {
  for await (const answer of new Reading(client, { from: startAfter(after) })) {
    if (answer.kind !== 'event') continue;
    const { event } = answer;
    if (event.position > upTo) return;
    if (event.position > after && !event.type.startsWith('$')) yield event;
  }
}

/**
 * A filtered catch-up that is left at the end of the range: told by an event, a checkpoint, or having caught up. From a server
 * that tells none of them the rest is read unfiltered.
 */
async function* filtered(
  client: EventStoreDBClient,
  after: Position,
  upTo: Position,
  filter: ServerFilter,
): AsyncGenerator<RecordedEvent> {
  const reading = new Reading(client, { from: startAfter(after), isSubscription: true, filter });
  let [reached, isQuiet] = [after, false];
  const quiet = setTimeout(() => {
    isQuiet = true;
    reading.cancel();
  }, QUIET_MS);
  try {
    for await (const answer of reading) {
      if (answer.kind === 'caughtUp' || (answer.kind === 'checkpoint' && answer.position >= upTo)) return;
      if (answer.kind === 'event' && answer.event.position > upTo) return;
      if (answer.kind === 'event' && answer.event.position > after) {
        reached = answer.event.position;
        yield answer.event;
        if (reached === upTo) return;
      }
      if (!isQuiet) quiet.refresh();
    }
  } finally {
    clearTimeout(quiet);
  }
  yield* everything(client, reached, upTo);
}

/** Where the whole history is read from, by the position before. */
export const startAfter = (position: Position): Position | undefined => (position === 0 ? undefined : position);
