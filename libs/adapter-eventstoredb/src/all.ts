import {
  BACKWARDS,
  END,
  eventTypeFilter,
  START,
  streamNameFilter,
  type AllStreamSubscription,
  type EventStoreDBClient,
  type Filter,
} from '@eventstore/db-client';
import type { Position, RecordedEvent, StreamFilter } from '@rondo/ports';
import { asPortError } from './errors.ts';
import { serverFilter, wants, type ServerFilter } from './filter.ts';
import { reading } from './reading.ts';
import { fromWire, placeOf } from './wire.ts';

const PAGE = 1_000;
/** A catch-up that says nothing for so long is not waited for. */
const QUIET_MS = 3_000;

/** The position of the last event of the server, whoever wrote it; 0: none. */
export async function headOf(client: EventStoreDBClient): Promise<Position> {
  try {
    let head = 0;
    // Read to its end, which costs less than a call that is cancelled.
    for await (const { event } of client.readAll({ direction: BACKWARDS, fromPosition: END, maxCount: 1 }))
      if (event !== undefined) head = Number(event.position.commit);
    return head;
  } catch (error) {
    throw asPortError(error);
  }
}

/** I18: by the time at which the server committed. Read from the end: what people ask for is mostly not long ago. */
export async function positionAt(client: EventStoreDBClient, time: number): Promise<Position> {
  try {
    for await (const { event } of reading(client.readAll({ direction: BACKWARDS, fromPosition: END })))
      if (event !== undefined && event.created.getTime() <= time) return Number(event.position.commit);
    return 0;
  } catch (error) {
    throw asPortError(error);
  }
}

export interface AllOptions {
  readonly filter?: StreamFilter | undefined;
  /** Inclusive. */
  readonly upTo: Position;
  readonly limit?: number | undefined;
}

/** Of a subscription, with how far the server tells that it has looked: nothing that passes is missing up to there. */
export function fromServer(
  filter: ServerFilter,
  onCheckpoint: (subscription: AllStreamSubscription, position: Position) => void | Promise<void>,
): { readonly filter?: Filter } {
  if (filter === undefined) return {};
  return {
    filter: (filter.on === 'stream' ? streamNameFilter : eventTypeFilter)({
      prefixes: [...filter.prefixes],
      checkpointInterval: 1,
      checkpointReached: (subscription, { commit }) =>
        onCheckpoint(subscription as AllStreamSubscription, Number(commit)),
    }),
  };
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
  try {
    for await (const { event } of reading(client.readAll({ fromPosition: after === 0 ? START : placeOf(after) }))) {
      if (event === undefined) continue;
      const position = Number(event.position.commit);
      if (position > upTo) return;
      if (position > after && !event.type.startsWith('$')) yield fromWire(event);
    }
  } catch (error) {
    throw asPortError(error);
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
  asked: ServerFilter,
): AsyncGenerator<RecordedEvent> {
  const found: RecordedEvent[] = [];
  let [isOver, failure, wake]: [boolean, unknown, () => void] = [false, undefined, () => undefined];
  let reached = after;
  const over = (error?: unknown): void => {
    isOver = true;
    failure ??= error;
    wake();
  };
  const filter = fromServer(asked, (_subscription, position) => (position >= upTo ? over() : wake()));
  const subscription = client.subscribeToAll({ ...filter, fromPosition: after === 0 ? START : placeOf(after) });
  subscription.on('data', ({ event }) => {
    if (event === undefined) return;
    const position = Number(event.position.commit);
    if (position > after && position <= upTo) found.push(fromWire(event));
    if (found.length >= PAGE * 4) subscription.pause();
    if (position >= upTo) over();
    wake();
  });
  subscription.on('caughtUp', () => over());
  subscription.on('error', (error) => over(asPortError(error)));
  subscription.on('end', () => over());
  try {
    for (let isQuiet = false; !isQuiet;) {
      for (let event = found.shift(); event !== undefined; event = found.shift()) {
        reached = event.position;
        yield event;
      }
      subscription.resume();
      if (isOver) {
        // What came before the server said that it is through may not have been handed out yet.
        if (failure !== undefined || subscription.readableLength === 0) break;
        await new Promise(setImmediate);
        continue;
      }
      isQuiet = await new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => resolve(true), QUIET_MS);
        wake = () => (clearTimeout(timer), resolve(false));
        if (isOver || found.length > 0) wake();
      });
    }
    if (failure !== undefined) throw failure as Error;
  } finally {
    await subscription.unsubscribe().catch(() => undefined);
  }
  if (isOver) return;
  yield* everything(client, reached, upTo);
}
