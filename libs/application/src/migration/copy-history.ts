import { prevOf } from '@rondo/contracts';
import type { AppendRequest, EventStore, NewEvent, RecordedEvent } from '@rondo/ports';

/** Bytes of one append, well under the store's limit. */
const MOST_BYTES = 512 * 1024;
const MOST_EVENTS = 500;

export interface CopyProgress {
  readonly step: 'compared' | 'copied' | 'verified';
  readonly events: number;
}

export interface CopyReport {
  readonly events: number;
  /** Events that stood in the target already, of a copy that was interrupted. */
  readonly found: number;
}

/** The target holds something else: nothing was written. */
export class DifferentHistoryError extends Error {
  override readonly name = 'DifferentHistoryError';
}

/**
 * Copies a history to another store in the order of the whole, with the same ids, types, data and metadata, and so with the
 * same hashes (I13); then compares all of it. What an interrupted copy has written is gone on from; a target that is not the
 * beginning of the source is refused before anything is written. Positions are the target's own.
 */
export async function copyHistory(
  source: EventStore,
  target: EventStore,
  onProgress: (progress: CopyProgress) => void = () => undefined,
): Promise<CopyReport> {
  const upTo = await source.head();
  const found = await compare(source, target, upTo, (events) => onProgress({ step: 'compared', events }));
  let copied = found.events;
  for await (const request of requestsAfter(source, found.last, upTo)) {
    const [outcome] = await target.append([request]);
    if (outcome?.ok !== true)
      throw new DifferentHistoryError(
        `'${request.stream}' of the target has grown meanwhile: somebody else writes to it. Stop what does`,
      );
    copied += request.events.length;
    onProgress({ step: 'copied', events: copied });
  }
  const whole = await compare(source, target, upTo, (events) => onProgress({ step: 'verified', events }));
  if (whole.events !== copied)
    throw new DifferentHistoryError(`the target holds ${whole.events} events of the ${copied} that were written to it`);
  return { events: whole.events, found: found.events };
}

async function* each(pages: AsyncIterable<readonly RecordedEvent[]>): AsyncGenerator<RecordedEvent> {
  for await (const page of pages) yield* page;
}

/** Goes through both side by side; answers how many events the target has, and the source's position of the last of them. */
async function compare(
  source: EventStore,
  target: EventStore,
  upTo: number,
  onEvents: (events: number) => void,
): Promise<{ readonly events: number; readonly last: number }> {
  const wanted = each(source.readAll(0, { upTo }));
  let [events, last] = [0, 0];
  try {
    for await (const event of each(target.readAll(0))) {
      const { value, done } = await wanted.next();
      if (done === true)
        throw new DifferentHistoryError(
          `the target goes on where the source ends, with ${nameOf(event)}: it has been used since, or is of another history`,
        );
      const difference = differenceOf(value, event);
      if (difference !== undefined)
        throw new DifferentHistoryError(
          `the target is not the beginning of this history: event ${events + 1} of the whole is ${nameOf(event)} there and ${nameOf(value)} here (${difference} differs). An empty target, or one of an interrupted migration, is allowed`,
        );
      [events, last] = [events + 1, value.position];
      if (events % MOST_EVENTS === 0) onEvents(events);
    }
  } finally {
    await wanted.return(undefined);
  }
  onEvents(events);
  return { events, last };
}

const nameOf = ({ stream, revision, type }: RecordedEvent): string => `${type} (${revision} of '${stream}')`;

const COMPARED = ['stream', 'revision', 'id', 'type', 'data', 'meta'] as const;

const differenceOf = (a: RecordedEvent, b: RecordedEvent): (typeof COMPARED)[number] | undefined =>
  COMPARED.find((name) => a[name] !== b[name]);

/** Appends that write what comes after a position: neighbours of one stream together. */
async function* requestsAfter(source: EventStore, after: number, upTo: number): AsyncGenerator<AppendRequest> {
  let [stream, first, bytes]: [string, number, number] = ['', 0, 0];
  let events: NewEvent[] = [];
  const request = (): AppendRequest => ({ stream, expected: first === 0 ? 'noStream' : first - 1, events });
  for await (const event of each(source.readAll(after, { upTo }))) {
    const size = event.data.length * 3 + event.meta.length;
    if (events.length > 0 && (event.stream !== stream || bytes + size > MOST_BYTES || events.length >= MOST_EVENTS)) {
      yield request();
      [events, bytes] = [[], 0];
    }
    if (events.length === 0) [stream, first] = [event.stream, event.revision];
    const { id, type, data } = event;
    events.push({ id, type, data, meta: bare(event.meta) });
    bytes += size;
  }
  if (events.length > 0) yield request();
}

/** Metadata as it was given to the store, which puts the hash of the event before in front again. */
function bare(meta: string): string {
  const prev = prevOf(meta);
  if (prev === undefined) throw new DifferentHistoryError(`metadata without the hash of the event before: ${meta}`);
  const rest = meta.slice(`{"prev":"${prev}"`.length);
  return rest === '}' ? '{}' : `{${rest.slice(1)}`;
}
