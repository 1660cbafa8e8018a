/** A wait for events, as anybody would say it: nothing here is taken from the platform. */
export interface NaiveWait {
  readonly type: string;
  readonly source: string | undefined;
  readonly subject: string | undefined;
  /** A value that `data.n` must have. */
  readonly n: number | undefined;
  readonly from: number;
  readonly count: number;
}

export interface NaiveEvent {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string | undefined;
  readonly n: number;
  readonly at: number;
}

/** The events that meet the wait: the first so many of its type, each told apart by source and id; undefined: too few. */
export function naiveAnswer(wait: NaiveWait, events: readonly NaiveEvent[]): readonly string[] | undefined {
  const seen = new Set<string>();
  const met: string[] = [];
  for (const event of events) {
    const name = `${event.type} ${event.source} ${event.id}`;
    if (seen.has(name)) continue;
    seen.add(name);
    if (event.at < wait.from || event.type !== wait.type) continue;
    if (wait.source !== undefined && wait.source !== event.source) continue;
    if (wait.subject !== undefined && wait.subject !== event.subject) continue;
    if (wait.n !== undefined && wait.n !== event.n) continue;
    met.push(`${event.source} ${event.id}`);
  }
  return met.length < wait.count ? undefined : met.slice(0, wait.count);
}
