import type { Position, RecordedEvent } from '@rondo/ports';
import type { ServerFilter } from '../filter.ts';
import { Fields, Message } from './message.ts';

/** What is read: one stream, or all of them, from a place on; as a subscription it goes on with what comes. */
export interface ReadRequest {
  /** Undefined: all. */
  readonly stream?: string;
  /** The revision, or the position, at which it begins; a subscription begins after it. Default: the start, or backwards the end. */
  readonly from?: number | undefined;
  readonly backwards?: boolean;
  /** Default: all that there are. */
  readonly limit?: number;
  readonly isSubscription?: boolean;
  /** Links are answered with the events that they are to. */
  readonly resolvesLinks?: boolean;
  readonly filter?: ServerFilter;
}

/** What the server answers. `created`: when the event was committed, in epoch milliseconds. */
export type ReadAnswer =
  | { readonly kind: 'event'; readonly event: RecordedEvent; readonly created: number }
  /** Nothing that passes the filter is missing up to here. */
  | { readonly kind: 'checkpoint'; readonly position: Position }
  | { readonly kind: 'caughtUp' }
  | { readonly kind: 'noStream' }
  | { readonly kind: 'other' };

const MOST = Number.MAX_SAFE_INTEGER;

export function readRequest({
  stream,
  from,
  backwards = false,
  limit = MOST,
  isSubscription = false,
  resolvesLinks = false,
  filter,
}: ReadRequest): Buffer {
  const options = new Message();
  const place = new Message();
  if (stream !== undefined) {
    place.message(1, new Message().text(3, stream));
    if (from === undefined) place.message(backwards ? 4 : 3);
    else place.varint(2, from);
  } else if (from === undefined) place.message(backwards ? 3 : 2);
  else place.message(1, new Message().varint(1, from).varint(2, from));
  options.message(stream === undefined ? 2 : 1, place);
  if (backwards) options.varint(3, 1);
  if (resolvesLinks) options.varint(4, 1);
  if (isSubscription) options.message(6);
  else options.varint(5, Math.min(limit, MOST));
  if (filter === undefined) options.message(8);
  else {
    const prefixes = new Message();
    for (const prefix of filter.prefixes) prefixes.text(2, prefix);
    // So many events are looked through at once as the server likes; a checkpoint after each such number.
    options.message(
      7,
      new Message()
        .message(filter.on === 'stream' ? 1 : 2, prefixes)
        .message(4)
        .varint(5, 1),
    );
  }
  // Ids as texts.
  options.message(9, new Message().message(2));
  return new Message().message(1, options).done();
}

export function readAnswer(bytes: Buffer): ReadAnswer {
  const fields = new Fields(bytes);
  while (fields.next())
    switch (fields.field) {
      case 1:
        return eventOf(fields.inner) ?? OTHER;
      case 3:
        return { kind: 'checkpoint', position: numberIn(fields.inner, 1) };
      case 4:
        return { kind: 'noStream' };
      case 8:
        return { kind: 'caughtUp' };
      default:
    }
  return OTHER;
}

const OTHER: ReadAnswer = { kind: 'other' };

/** Undefined: a link to an event that is gone. */
function eventOf(fields: Fields): ReadAnswer | undefined {
  while (fields.next()) if (fields.field === 1) return recordedEvent(fields.inner);
  return undefined;
}

function recordedEvent(fields: Fields): ReadAnswer {
  let [id, stream, type, data, meta] = ['', '', '', '', ''];
  let [revision, created] = [0, 0];
  let position: number | undefined;
  while (fields.next())
    switch (fields.field) {
      case 1:
        id = idOf(fields.inner);
        break;
      case 2:
        stream = textIn(fields.inner, 3);
        break;
      case 3:
        revision = fields.value;
        break;
      case 5:
        position = fields.value;
        break;
      case 6: {
        const { inner } = fields;
        const key = textIn(inner, 1);
        if (key === 'type') type = textIn(inner, 2);
        // In ticks of a hundred nanoseconds.
        else if (key === 'created') created = Math.floor(Number(textIn(inner, 2)) / 10_000);
        break;
      }
      case 7:
        meta = fields.text;
        break;
      case 8:
        data = fields.text;
        break;
      default:
    }
  if (position === undefined || position > Number.MAX_SAFE_INTEGER)
    throw new Error(
      `event ${revision} of '${stream}' came without a usable position (${position ?? 'none'}): a server of version 22.6 or later is needed`,
    );
  return { kind: 'event', created, event: { position, stream, revision, id, type, data, meta: meta || '{}' } };
}

/** The next field of this number, from where the message is read up to. */
export function textIn(fields: Fields, field: number): string {
  while (fields.next()) if (fields.field === field) return fields.text;
  return '';
}

export function numberIn(fields: Fields, field: number): number {
  while (fields.next()) if (fields.field === field) return fields.value;
  return 0;
}

/** Of a UUID, which a server may write as two numbers. */
export function idOf(fields: Fields): string {
  while (fields.next()) {
    if (fields.field === 2) return fields.text;
    if (fields.field !== 1) continue;
    const { inner } = fields;
    const halves = [0n, 0n];
    while (inner.next()) halves[inner.field - 1] = inner.bits;
    const hex = halves.map((half) => half.toString(16).padStart(16, '0')).join('');
    return hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5');
  }
  return '';
}
