import type { RecordedEvent, StreamFilter } from '@rondo/ports';

/** What a subscriber wants. Events of the server itself are nobody's. */
export function wants(filter: StreamFilter | undefined): (event: Pick<RecordedEvent, 'stream' | 'type'>) => boolean {
  const { streamPrefixes, eventTypes } = filter ?? {};
  const types = eventTypes === undefined ? undefined : new Set(eventTypes);
  return ({ stream, type }) =>
    !type.startsWith('$') &&
    !stream.startsWith('$') &&
    (streamPrefixes?.some((prefix) => stream.startsWith(prefix)) ?? true) &&
    (types?.has(type) ?? true);
}

/** What the server is asked to leave out: it goes by one of the two, and both are prefixes to it. Undefined: nothing. */
export type ServerFilter =
  | { readonly on: 'stream' | 'type'; readonly prefixes: readonly string[]; readonly asked: StreamFilter }
  | undefined;

/** Of the two the types, which are mostly rarer than a kind of stream. */
export function serverFilter({ streamPrefixes, eventTypes }: StreamFilter = {}): ServerFilter {
  const prefixes = eventTypes ?? streamPrefixes;
  if (prefixes === undefined || prefixes.length === 0 || prefixes.includes('')) return undefined;
  if (eventTypes !== undefined) return { on: 'type', prefixes, asked: { eventTypes: prefixes } };
  return { on: 'stream', prefixes, asked: { streamPrefixes: prefixes } };
}

/** True: what the server sends under `wide` holds all that passes `filter`. */
export function covers(wide: ServerFilter, filter: StreamFilter = {}): boolean {
  if (wide === undefined) return true;
  const wanted = wide.on === 'stream' ? filter.streamPrefixes : filter.eventTypes;
  return wanted?.every((each) => wide.prefixes.some((prefix) => each.startsWith(prefix))) ?? false;
}
