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
