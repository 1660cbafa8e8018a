import { isUtf8 } from 'node:buffer';
import { UnknownMessageError } from '@rondo/contracts';
import type { DeadLetter } from '@rondo/ports';
import type { IHeaders, Message } from 'kafkajs';

/** A message that its reader could not decode. */
export interface Burial {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  /** As they came. */
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly error: unknown;
}

/** One of the letters' topic, as the broker gives it. */
export interface Stored {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: IHeaders;
}

/** Where a message came from: the same for whoever could not read it. */
export interface Place {
  readonly topic: string;
  readonly partition: number;
  readonly at: number;
}

/** The message of a place was sent again: its letters before this number are done with. */
export interface Mark {
  readonly before: number;
  readonly at: number;
  readonly by: string;
}

export type Marks = ReadonlyMap<string, Mark>;

export const nameOf = ({ topic, partition, at }: Place): string => `${topic}/${partition}/${at}`;

export function toStored({ topic, partition, offset, key, value, error }: Burial): Message {
  const headers = { topic, partition: String(partition), at: offset, reason: reasonOf(value, error) };
  return { key, value, partition: 0, headers };
}

export function placeOf({ headers }: Stored): Place {
  const header = (name: string): string => String(headers?.[name] ?? '');
  return { topic: header('topic'), partition: Number(header('partition')), at: Number(header('at')) };
}

export function toLetter(stored: Stored, marks: Marks, prefix: string): DeadLetter {
  const place = placeOf(stored);
  const { topic, partition, at: offset } = place;
  const mark = markOf(stored, marks);
  return {
    id: Number(stored.offset),
    topic: topic.startsWith(prefix) ? topic.slice(prefix.length) : topic,
    ...{ partition, offset },
    key: stored.key?.toString() ?? '',
    size: stored.value?.length ?? 0,
    // One of an earlier release has an error that may quote the message.
    reason: String(stored.headers?.['reason'] ?? 'it could not be decoded'),
    at: Number(stored.timestamp),
    replayed: mark === undefined ? undefined : { at: mark.at, by: mark.by },
  };
}

/** A message that takes the offset of an earlier one, in a topic that was made anew, is another. */
export function markOf(stored: Stored, marks: Marks): Mark | undefined {
  const mark = marks.get(nameOf(placeOf(stored)));
  return mark === undefined || Number(stored.offset) >= mark.before ? undefined : mark;
}

/** The parser quotes what it could not read: of its words only the position is kept. */
export function reasonOf(value: Buffer | null, error: unknown): string {
  if (value === null || value.length === 0) return 'it is empty';
  if (!isUtf8(value)) return 'it is not UTF-8';
  // What its reader says of it holds the name of a kind, and nothing else of it.
  if (error instanceof UnknownMessageError) return error.message;
  const said = String(error);
  if (said.includes('end of JSON')) return 'its JSON ends too early';
  const position = /at position (\d+)/.exec(said)?.[1];
  return `it is not JSON${position === undefined ? '' : ` from position ${position} on`}`;
}
