import type { Json } from '@rondo/kernel';

/** Which events somebody waits for: what is left out takes every one. */
export interface Pattern {
  /** The name of a stream, or what its streams have in common. */
  readonly stream: string;
  readonly source?: string;
  readonly subject?: string;
}

/** An event's own side of a pattern. */
export interface Facts {
  readonly source?: Json | undefined;
  readonly subject?: Json | undefined;
}

type Bucket<T> = Map<string, T>;

/** Left out of a pattern: no event has a source or subject of this text. */
const ANY = '\u0000';

/** Finds those who wait for an event by at most four look-ups, however many wait. */
export class MatchIndex<Waiter extends { readonly pattern: Pattern }> {
  private readonly streams: Bucket<Bucket<Bucket<Set<Waiter>>>> = new Map();

  add(waiter: Waiter): void {
    const { stream, source = ANY, subject = ANY } = waiter.pattern;
    const sources = getOrMake(this.streams, stream, () => new Map<string, Bucket<Set<Waiter>>>());
    const subjects = getOrMake(sources, source, () => new Map<string, Set<Waiter>>());
    getOrMake(subjects, subject, () => new Set<Waiter>()).add(waiter);
  }

  delete(waiter: Waiter): void {
    const { stream, source = ANY, subject = ANY } = waiter.pattern;
    const sources = this.streams.get(stream);
    const subjects = sources?.get(source);
    const waiters = subjects?.get(subject);
    if (sources === undefined || subjects === undefined || waiters?.delete(waiter) !== true) return;
    if (waiters.size === 0) subjects.delete(subject);
    if (subjects.size === 0) sources.delete(source);
    if (sources.size === 0) this.streams.delete(stream);
  }

  get isEmpty(): boolean {
    return this.streams.size === 0;
  }

  /** Does anybody wait for events of this stream? Asked before an event is parsed. */
  wants(stream: string): boolean {
    return this.streams.has(stream);
  }

  /** Those whose pattern the event fits, as they are now: the caller may change the index meanwhile. */
  matching(stream: string, { source, subject }: Facts): readonly Waiter[] {
    const found: Waiter[] = [];
    const ofStream = this.streams.get(stream);
    for (const ofSource of [textual(ofStream, source), ofStream?.get(ANY)])
      for (const waiters of [textual(ofSource, subject), ofSource?.get(ANY)])
        if (waiters !== undefined) for (const waiter of waiters) found.push(waiter);
    return found;
  }
}

function textual<T>(bucket: Bucket<T> | undefined, key: Json | undefined): T | undefined {
  return typeof key === 'string' ? bucket?.get(key) : undefined;
}

function getOrMake<T>(bucket: Bucket<T>, key: string, make: () => T): T {
  const known = bucket.get(key);
  if (known !== undefined) return known;
  const made = make();
  bucket.set(key, made);
  return made;
}
