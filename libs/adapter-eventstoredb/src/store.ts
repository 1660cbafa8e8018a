import {
  BACKWARDS,
  END,
  EventStoreDBClient,
  FORWARDS,
  START,
  StreamNotFoundError,
  jsonEvent,
  type ReadStreamOptions,
} from '@eventstore/db-client';
import {
  wavesOf,
  type AppendOutcome,
  type AppendRequest,
  type Position,
  type ReadOptions,
  type RecordedEvent,
  type Revision,
  type StreamCut,
  type StreamFilter,
  type StreamHead,
  type SubscribeOptions,
  type Subscription,
  type TruncatingEventStore,
} from '@rondo/ports';
import { headOf, pagesBetween, positionAt } from './all.ts';
import { Appender } from './append.ts';
import { asPortError } from './errors.ts';
import { Feeds } from './feeds.ts';
import { Heads } from './heads.ts';
import { reading } from './reading.ts';
import { Slots } from './slots.ts';
import { Streams } from './streams.ts';
import { Follower } from './subscription.ts';
import { Truncation } from './truncation.ts';
import { fromWire, textOf } from './wire.ts';

export interface EventStoreDbOptions {
  /** `esdb://user:password@host:2113?tls=true`, with several hosts or `esdb+discover://` for a cluster. */
  readonly connectionString: string;
}

const PAGE = 1_000;
/** Requests that are written at once: each call has a deadline from when it is sent, so a burst of thousands is not sent whole. */
const AT_ONCE = 100;

/** The history in EventStoreDB or KurrentDB, version 22.6 or later. */
export function eventStoreDb(options: EventStoreDbOptions): TruncatingEventStore {
  return new EventStoreDb(options);
}

class EventStoreDb implements TruncatingEventStore {
  readonly #client: EventStoreDBClient;
  readonly #appender: Appender;
  readonly #streams: Streams;
  readonly #truncation: Truncation;
  readonly #followers = new Set<Follower>();
  readonly #slots = new Slots(AT_ONCE);
  /** The last append to each stream that is under way: later ones to it wait. */
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly #feeds: Feeds;

  constructor({ connectionString }: EventStoreDbOptions) {
    this.#client = EventStoreDBClient.connectionString(connectionString);
    const heads = new Heads(this.#client);
    this.#appender = new Appender(this.#client, heads);
    this.#truncation = new Truncation(this.#client, heads);
    this.#streams = new Streams(this.#client);
    this.#feeds = new Feeds(this.#client);
  }

  async append(chain: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    for (const request of chain) Appender.check(request);
    const streams = new Set(chain.map(({ stream }) => stream));
    const before = Array.from(streams, (stream) => this.#turns.get(stream) ?? Promise.resolve());
    const turn = Promise.allSettled(before).then(() => this.#write(chain));
    const settled = turn.catch(() => undefined);
    for (const stream of streams) this.#turns.set(stream, settled);
    void settled.then(() => {
      for (const stream of streams) if (this.#turns.get(stream) === settled) this.#turns.delete(stream);
    });
    return turn;
  }

  async #write(chain: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    const outcomes: AppendOutcome[] = [];
    for (const wave of wavesOf(chain)) {
      const written = await Promise.allSettled(
        wave.map((request) => this.#slots.use(() => this.#appender.append(request))),
      );
      for (const each of written) {
        // All have come to an end: what is tried again does not overtake what is on its way.
        if (each.status === 'rejected') throw each.reason;
        outcomes.push(each.value);
        if (!each.value.ok) return outcomes;
      }
    }
    return outcomes;
  }

  async *readStream(
    stream: string,
    { from, upTo, backwards = false, limit = Infinity }: ReadOptions = {},
  ): AsyncGenerator<readonly RecordedEvent[]> {
    const fromRevision = from === undefined ? (backwards ? END : START) : BigInt(from);
    // What is too new is passed over going backwards, so the server may not count for us.
    const maxCount = Number.isFinite(limit) && upTo === undefined ? { maxCount: limit } : {};
    const options: ReadStreamOptions = { direction: backwards ? BACKWARDS : FORWARDS, fromRevision, ...maxCount };
    let page: RecordedEvent[] = [];
    let left = limit;
    try {
      if (left > 0)
        for await (const { event } of reading(this.#client.readStream(stream, options))) {
          if (event === undefined) continue;
          const recorded = fromWire(event);
          if (upTo !== undefined && recorded.position > upTo) {
            if (backwards) continue;
            break;
          }
          page.push(recorded);
          if (--left <= 0) break;
          if (page.length < PAGE) continue;
          yield page;
          page = [];
        }
    } catch (error) {
      if (!(error instanceof StreamNotFoundError)) throw asPortError(error);
    }
    if (page.length > 0) yield page;
  }

  async *readAll(
    after: Position,
    options: { readonly filter?: StreamFilter; readonly upTo?: Position; readonly limit?: number } = {},
  ): AsyncGenerator<readonly RecordedEvent[]> {
    const upTo = Math.min(options.upTo ?? Infinity, await this.head());
    yield* pagesBetween(this.#client, after, { ...options, upTo });
  }

  async listStreams(prefix: string): Promise<readonly StreamHead[]> {
    return this.#streams.list(prefix, await this.head());
  }

  subscribe(options: SubscribeOptions): Subscription {
    const follower = new Follower(this.#client, this.#feeds.lease(options), options);
    this.#followers.add(follower);
    return {
      stop: async () => {
        this.#followers.delete(follower);
        await follower.stop();
      },
    };
  }

  truncate(stream: string, cut: StreamCut): Promise<void> {
    return this.#truncation.truncate(stream, cut);
  }

  cutOf(stream: string): Promise<StreamCut | undefined> {
    return this.#truncation.cutOf(stream);
  }

  head(): Promise<Position> {
    return headOf(this.#client);
  }

  positionAt(time: number): Promise<Position> {
    return positionAt(this.#client, time);
  }

  async readSnapshot(stream: string): Promise<{ readonly revision: Revision; readonly state: string } | undefined> {
    try {
      const options = { direction: BACKWARDS, fromRevision: END, maxCount: 1 } as const;
      for await (const { event } of reading(this.#client.readStream(`snapshot-${stream}`, options)))
        if (event !== undefined) return JSON.parse(textOf(event.data)) as { revision: Revision; state: string };
    } catch (error) {
      if (!(error instanceof StreamNotFoundError)) throw asPortError(error);
    }
    return undefined;
  }

  /** The stream keeps the last one only. */
  async writeSnapshot(stream: string, revision: Revision, state: string): Promise<void> {
    const name = `snapshot-${stream}`;
    try {
      const { nextExpectedRevision } = await this.#client.appendToStream(
        name,
        jsonEvent({ type: 'Snapshot', data: { revision, state } }),
      );
      if (nextExpectedRevision === 0n) await this.#client.setStreamMetadata(name, { maxCount: 1 });
    } catch (error) {
      throw asPortError(error);
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#turns.values());
    await Promise.all(Array.from(this.#followers, (follower) => follower.stop()));
    await this.#feeds.close();
    // The client waits for each of its calls to close, and some never say that they have.
    await Promise.race([this.#client.dispose(), new Promise((resolve) => void setTimeout(resolve, 1_000).unref())]);
  }
}
