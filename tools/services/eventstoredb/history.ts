import { status } from '@grpc/grpc-js';
import { prevOf } from '@rondo/contracts';
import type { AppendOutcome, EventStore, ExpectedRevision, NewEvent, Position, RecordedEvent } from '@rondo/ports';
import { refusal } from './append.ts';
import { givenResponse, readResponse } from './encode.ts';
import { Live } from './live.ts';

/** What a stream's metadata say of it: `$maxCount`, `$tb`; a tombstone ends it for good. */
interface StreamRules {
  readonly maxCount?: number;
  readonly truncateBefore?: number;
}

/** An event that is sent to several readers is encoded once. */
type Encodable = RecordedEvent & { response?: Buffer };

/**
 * The history that the server shows, on an embedded store. The store puts the hash chain into the metadata itself: what a
 * client has put there is taken away, and must be the same.
 */
export class History {
  readonly store: EventStore;
  readonly live: Live;
  private readonly rules = new Map<string, StreamRules>();
  private readonly deleted = new Set<string>();
  /** When events of this process were committed, by position, rising. */
  private readonly times: { readonly position: Position; readonly at: number }[] = [];
  /** Set: this node is a follower, and says who leads. */
  leader: { readonly host: string; readonly port: number } | undefined;
  /** Set: subscriptions say neither how far they are nor that they have caught up, as servers before 23.10 may. */
  isSilent = false;

  private constructor(store: EventStore, head: Position) {
    this.store = store;
    this.live = new Live(store, head);
  }

  /** Of a store, with the metadata of all its streams. */
  static async of(store: EventStore): Promise<History> {
    const history = new History(store, await store.head());
    for await (const page of store.readAll(0, { filter: { streamPrefixes: ['$$'] } }))
      page.forEach((event) => history.learn(event));
    return history;
  }

  /** The event as the wire carries it; to a persistent subscription with how often it was given before. */
  encoded(event: Encodable, retries?: number): Buffer {
    if (retries !== undefined) return givenResponse(event, this.timeOf(event), retries);
    return (event.response ??= readResponse(event, this.timeOf(event)));
  }

  /** For those who follow it: taken from the store once for all. */
  get followed(): Pick<EventStore, 'head' | 'readAll' | 'subscribe'> {
    return {
      head: () => this.store.head(),
      readAll: (after, options) => this.store.readAll(after, options),
      subscribe: (options) => this.live.subscribe(options),
    };
  }

  checkLeader(): void {
    if (this.leader === undefined) return;
    const { host, port } = this.leader;
    throw refusal(status.NOT_FOUND, 'not-leader', 'Leader info available', {
      'leader-endpoint-host': host,
      'leader-endpoint-port': String(port),
    });
  }

  isDeleted(stream: string): boolean {
    return this.deleted.has(stream);
  }

  async write(
    stream: string,
    expected: ExpectedRevision | 'exists',
    events: readonly NewEvent[],
  ): Promise<AppendOutcome> {
    if (expected === 'exists') {
      const head = await this.headOf(stream);
      if (head < 0) return { ok: false, reason: 'conflict', stream, expected: 'any', actual: -1 };
    }
    const bare = events.map((event) => ({ ...event, meta: withoutPrev(event.meta) }));
    const request = { stream, expected: expected === 'exists' ? ('any' as const) : expected, events: bare };
    const [outcome] = await this.store.append([request]);
    if (outcome?.ok !== true) return outcome!;
    this.times.push({ position: outcome.position, at: Date.now() });
    await this.compare(stream, outcome.revision, outcome.position, events);
    return outcome;
  }

  /** The chain that the client made is the store's own. */
  private async compare(stream: string, last: number, position: Position, events: readonly NewEvent[]): Promise<void> {
    const from = last - events.length + 1;
    const check = (event: RecordedEvent): void => {
      this.learn(event);
      const sent = prevOf(events[event.revision - from]?.meta ?? '');
      if (sent !== undefined && sent !== prevOf(event.meta))
        throw new Error(
          `event ${event.revision} of '${stream}' carries the hash ${sent}; its predecessor's is ${prevOf(event.meta)}`,
        );
    };
    await this.live.reached(position);
    // What one append writes stands together in the whole history.
    const written = this.live.after(position - events.length)?.slice(0, events.length);
    if (written !== undefined) return written.forEach(check);
    for await (const page of this.store.readStream(stream, { from })) page.forEach(check);
  }

  async headOf(stream: string): Promise<number> {
    for await (const page of this.store.readStream(stream, { backwards: true, limit: 1 }))
      return page[0]?.revision ?? -1;
    return -1;
  }

  /** The first revision that is still there. */
  async firstOf(stream: string): Promise<number> {
    const { maxCount, truncateBefore = 0 } = this.rules.get(stream) ?? {};
    if (maxCount === undefined) return truncateBefore;
    return Math.max(truncateBefore, (await this.headOf(stream)) - maxCount + 1);
  }

  /** When an event was committed: known of those of this process, else what it says itself. */
  timeOf({ position, meta }: RecordedEvent): number {
    let [low, high] = [0, this.times.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[middle]!.position < position) low = middle + 1;
      else high = middle;
    }
    const found = this.times[low];
    if (found !== undefined && position > this.times[0]!.position - 10_000) return found.at;
    const { at } = JSON.parse(meta) as { readonly at?: unknown };
    return typeof at === 'number' ? at : 0;
  }

  private learn({ stream, type, data }: RecordedEvent): void {
    if (!stream.startsWith('$$')) return;
    const name = stream.slice(2);
    if (type === '$tombstone') this.deleted.add(name);
    else {
      const { $maxCount: maxCount, $tb: truncateBefore } = JSON.parse(data) as { $maxCount?: number; $tb?: number };
      this.rules.set(name, {
        ...(maxCount === undefined ? {} : { maxCount }),
        ...(truncateBefore === undefined ? {} : { truncateBefore }),
      });
    }
  }
}

const withoutPrev = (meta: string): string =>
  prevOf(meta) === undefined ? meta : meta.replace(/^\{"prev":"[\w-]*",?/, '{');
