import type { MessagePort } from 'node:worker_threads';
import { failPoint } from '@rondo/kernel';
import {
  AppendTooLargeError,
  StoreUnavailableError,
  type AppendOutcome,
  type AppendRequest,
  type EventStore,
  type Position,
  type ReadOptions,
  type RecordedEvent,
  type Revision,
  type StreamFilter,
  type StreamHead,
  type SubscribeOptions,
  type Subscription,
} from '@rondo/ports';
import { ClientSubscription } from './client-subscription.ts';
import { fromFlat, type Answers, type Failure, type FromThread, type Query, type ToThread } from './messages.ts';

const MAX_REQUEST_BYTES = 1024 * 1024;

interface Waiting<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

interface WaitingAppend extends Waiting<readonly AppendOutcome[]> {
  readonly chain: readonly AppendRequest[];
}

/** An event store whose files another thread holds, at the other end of the port. Any thread can have one. */
export function eventStoreClient(port: MessagePort): EventStore {
  return new EventStoreClient(port);
}

export class EventStoreClient implements EventStore {
  readonly #port: MessagePort;
  readonly #appends = new Map<number, WaitingAppend>();
  readonly #queries = new Map<number, Waiting<unknown>>();
  readonly #subscriptions = new Map<number, ClientSubscription>();
  #lastId = 0;
  #outbox: (string | number)[] = [];
  #gone: StoreUnavailableError | undefined;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (message: FromThread) => this.#receive(message));
    port.on('close', () => this.fail(new StoreUnavailableError('the event store is closed', { retryable: false })));
  }

  append(chain: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    return new Promise((resolve, reject) => {
      this.#assertOpen();
      for (const request of chain) checkRequest(request);
      failPoint('append:before');
      const id = ++this.#lastId;
      this.#appends.set(id, { chain, resolve, reject });
      // Everything that is called in this turn of the event loop goes in one message: first let the promises settle.
      if (this.#outbox.length === 0) queueMicrotask(() => process.nextTick(() => this.flush()));
      const out = this.#outbox;
      out.push(id, chain.length);
      for (const { stream, expected, events } of chain) {
        out.push(stream, expected, events.length);
        for (const e of events) out.push(e.id, e.type, e.data, e.meta);
      }
    });
  }

  /** Sends the appends that wait for the end of the turn. */
  flush(): void {
    const calls = this.#outbox;
    this.#outbox = [];
    if (calls.length > 0 && this.#gone === undefined) this.#post({ k: 'append', calls });
  }

  async *readStream(stream: string, options: ReadOptions = {}): AsyncIterable<readonly RecordedEvent[]> {
    const { from, upTo = null, backwards = false, limit = Infinity } = options;
    let next = from ?? (backwards ? Number.MAX_SAFE_INTEGER : 0);
    for (let left = limit; left > 0;) {
      const to = backwards ? 0 : Number.MAX_SAFE_INTEGER;
      const page = await this.query({
        q: 'stream',
        stream,
        from: next,
        to,
        backwards,
        limit: Math.min(left, 2 ** 31),
        upTo,
      });
      const events = fromFlat(page.events);
      const last = events.at(-1);
      if (last === undefined) return;
      yield events;
      left -= events.length;
      next = last.revision + (backwards ? -1 : 1);
      if (page.done || next < 0) return;
    }
  }

  async *readAll(
    after: Position,
    options: { readonly filter?: StreamFilter; readonly upTo?: Position; readonly limit?: number } = {},
  ): AsyncIterable<readonly RecordedEvent[]> {
    const { filter = {}, limit = Infinity } = options;
    // Where it ends is fixed at the first page: a reader never chases a history that grows.
    const upTo = options.upTo ?? (await this.head());
    const read = (from: Position, left: number): Promise<Answers['all']> => {
      const page = this.query({ q: 'all', after: from, upTo, filter, limit: Math.min(left, 2 ** 31) });
      // A reader that leaves early never looks at the page that was asked for ahead.
      page.catch(() => undefined);
      return page;
    };
    let left = limit;
    let ahead = left > 0 ? read(after, left) : undefined;
    while (ahead !== undefined) {
      const page = await ahead;
      const events = fromFlat(page.events);
      left -= events.length;
      ahead = page.done || left <= 0 ? undefined : read(page.through, left);
      if (events.length > 0) yield events;
    }
  }

  listStreams(prefix: string): Promise<readonly StreamHead[]> {
    return this.query({ q: 'heads', prefix });
  }

  head(): Promise<Position> {
    return this.query({ q: 'head' });
  }

  positionAt(time: number): Promise<Position> {
    return this.query({ q: 'positionAt', time });
  }

  readSnapshot(stream: string): Promise<{ readonly revision: Revision; readonly state: string } | undefined> {
    return this.query({ q: 'readSnapshot', stream });
  }

  async writeSnapshot(stream: string, revision: Revision, state: string): Promise<void> {
    await this.query({ q: 'writeSnapshot', stream, revision, state });
  }

  subscribe(options: SubscribeOptions): Subscription {
    this.#assertOpen();
    const sub = ++this.#lastId;
    const end = (): void => {
      if (this.#subscriptions.delete(sub) && this.#gone === undefined) this.#post({ k: 'unsubscribe', sub });
    };
    const acknowledge = (): void => {
      if (this.#gone === undefined) this.#post({ k: 'ack', sub });
    };
    const subscription = new ClientSubscription(options, acknowledge, end);
    this.#subscriptions.set(sub, subscription);
    this.#post({ k: 'subscribe', sub, after: options.after, filter: options.filter ?? {} });
    return subscription;
  }

  query<Q extends Query>(query: Q): Promise<Answers[Q['q']]> {
    return new Promise<unknown>((resolve, reject) => {
      this.#assertOpen();
      const id = ++this.#lastId;
      this.#queries.set(id, { resolve, reject });
      this.#post({ k: 'query', id, query });
    }) as Promise<Answers[Q['q']]>;
  }

  /** Waits for the appends that were called, then lets go of the port. */
  async close(): Promise<void> {
    if (this.#gone !== undefined) return;
    this.flush();
    await this.head();
    this.#post({ k: 'bye' });
    this.fail(new StoreUnavailableError('the event store is closed', { retryable: false }));
    this.#port.close();
  }

  /** Ends every call and subscription that waits. */
  fail(error: StoreUnavailableError): void {
    if (this.#gone !== undefined) return;
    this.#gone = error;
    for (const waiting of [...this.#appends.values(), ...this.#queries.values()]) waiting.reject(error);
    this.#appends.clear();
    this.#queries.clear();
    for (const subscription of this.#subscriptions.values()) subscription.drop(error);
    this.#subscriptions.clear();
  }

  #post(message: ToThread): void {
    this.#port.postMessage(message);
  }

  #receive(message: FromThread): void {
    switch (message.k) {
      case 'appended':
        return this.#appended(message.outcomes);
      case 'failed':
        for (const id of message.calls) take(this.#appends, id)?.reject(unavailable(message.error));
        return;
      case 'answer':
        return take(this.#queries, message.id)?.resolve(message.answer);
      case 'refused':
        return take(this.#queries, message.id)?.reject(unavailable(message.error));
      case 'batch':
        return this.#subscriptions.get(message.sub)?.receive(message.events, message.through);
    }
  }

  #appended(outcomes: readonly number[]): void {
    failPoint('append:after');
    for (let at = 0; at < outcomes.length;) {
      const waiting = take(this.#appends, outcomes[at]!);
      const count = outcomes[at + 1]!;
      at += 2;
      waiting?.resolve(outcomesOf(waiting.chain, outcomes, at, count));
      at += count * 3;
    }
  }

  #assertOpen(): void {
    if (this.#gone !== undefined) throw this.#gone;
  }
}

function outcomesOf(
  chain: readonly AppendRequest[],
  flat: readonly number[],
  start: number,
  count: number,
): AppendOutcome[] {
  const outcomes: AppendOutcome[] = [];
  for (let i = 0, at = start; i < count; i++, at += 3) {
    const { stream, expected } = chain[i]!;
    outcomes.push(
      flat[at] === 1
        ? { ok: true, revision: flat[at + 1]!, position: flat[at + 2]! }
        : { ok: false, reason: 'conflict', stream, expected, actual: flat[at + 1]! },
    );
  }
  return outcomes;
}

function checkRequest({ stream, events }: AppendRequest): void {
  let chars = 0;
  for (const e of events) {
    if (!e.meta.startsWith('{'))
      throw new TypeError(`metadata of ${e.type} for stream '${stream}' is no JSON object: ${e.meta.slice(0, 80)}`);
    chars += e.data.length + e.meta.length;
  }
  // A character is one to three bytes: most requests are known to fit without counting them.
  if (chars * 3 <= MAX_REQUEST_BYTES) return;
  let bytes = 0;
  for (const e of events) bytes += Buffer.byteLength(e.data) + Buffer.byteLength(e.meta);
  if (bytes > MAX_REQUEST_BYTES)
    throw new AppendTooLargeError(
      `${bytes} bytes for stream '${stream}': at most ${MAX_REQUEST_BYTES} are allowed in one request`,
    );
}

function take<T>(waiting: Map<number, T>, id: number): T | undefined {
  const found = waiting.get(id);
  waiting.delete(id);
  return found;
}

function unavailable({ message, retryable }: Failure): StoreUnavailableError {
  return new StoreUnavailableError(message, { retryable });
}
