import type { EventStore, ReadOptions, RecordedEvent } from '@rondo/ports';
import type { Archives } from './archives.ts';

const RUNS = 'dagRun-';

/**
 * A store whose streams of runs read as if nothing of them had been taken away: what their archive holds comes from there, with
 * its positions and hashes. Everything else is the store's own; `readAll` and subscriptions show what it has.
 */
export function withArchives(store: EventStore, archives: Archives): EventStore {
  const readStream = (stream: string, options: ReadOptions = {}): AsyncIterable<readonly RecordedEvent[]> =>
    !stream.startsWith(RUNS)
      ? store.readStream(stream, options)
      : options.backwards === true
        ? backwards(store, archives, stream, options)
        : forwards(store, archives, stream, options);
  return {
    append: (chain) => store.append(chain),
    readStream,
    readAll: (after, options) => store.readAll(after, options),
    listStreams: (prefix) => store.listStreams(prefix),
    subscribe: (options) => store.subscribe(options),
    head: () => store.head(),
    positionAt: (time) => store.positionAt(time),
    readSnapshot: (stream) => store.readSnapshot(stream),
    writeSnapshot: (stream, revision, state) => store.writeSnapshot(stream, revision, state),
    close: () => store.close(),
  };
}

async function* forwards(store: EventStore, archives: Archives, stream: string, options: ReadOptions) {
  const { from = 0, upTo = Infinity, limit = Infinity } = options;
  if (limit <= 0) return;
  let left = limit;
  // Undefined until it is known that the stream has what was asked for.
  let begun = false;
  for await (const page of store.readStream(stream, options)) {
    if (!begun && page[0]!.revision > from) {
      for await (const earlier of archived(archives, stream, { from, to: page[0]!.revision - 1, backwards: false })) {
        const wanted = earlier.slice(0, left);
        left -= wanted.length;
        yield wanted;
        if (left <= 0) return;
      }
    }
    begun = true;
    const wanted = page.slice(0, left);
    left -= wanted.length;
    yield wanted;
    if (left <= 0) return;
  }
  // As of a time at which the stream had not come to what is left of it.
  if (begun || upTo === Infinity) return;
  for await (const page of archived(archives, stream, { from, to: Infinity, backwards: false })) {
    const wanted = page.filter(({ position }) => position <= upTo).slice(0, left);
    if (wanted.length > 0) yield wanted;
    left -= wanted.length;
    if (wanted.length < page.length || left <= 0) return;
  }
}

async function* backwards(store: EventStore, archives: Archives, stream: string, options: ReadOptions) {
  const { from = Infinity, upTo = Infinity, limit = Infinity } = options;
  let left = limit;
  let next = from;
  for await (const page of store.readStream(stream, options)) {
    yield page;
    left -= page.length;
    next = page.at(-1)!.revision - 1;
  }
  // All there is of a stream that was never written is asked for with no bound: it has no archive either.
  if (left <= 0 || next < 0 || (next === Infinity && upTo === Infinity)) return;
  for await (const page of archived(archives, stream, { from: 0, to: next, backwards: true })) {
    const wanted = page.filter(({ position }) => position <= upTo).slice(0, left);
    if (wanted.length > 0) yield wanted;
    left -= wanted.length;
    if (left <= 0) return;
  }
}

async function* archived(
  archives: Archives,
  stream: string,
  range: { readonly from: number; readonly to: number; readonly backwards: boolean },
) {
  const archive = await archives.of(stream);
  if (archive !== undefined) yield* archives.events(archive, range);
}
