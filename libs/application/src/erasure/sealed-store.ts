import type {
  AppendOutcome,
  AppendRequest,
  EventStore,
  NewEvent,
  Position,
  ReadOptions,
  RecordedEvent,
  Revision,
  StreamFilter,
  StreamHead,
  SubscribeOptions,
  Subscription,
} from '@rondo/ports';
import { type Json } from '@rondo/kernel';
import { RunErasedError, type RunKeyring } from './keyring.ts';
import { changePlaces } from './places.ts';
import { erasedValue, open, seal, sealedValue, tokenIn } from './tokens.ts';

/** In the metadata of an event with sealed values: the form in which they are sealed. Last, so that a look at the end tells. */
const MARK = ',"seal":"1"}';

export const isSealed = (event: { readonly meta: string }): boolean => event.meta.endsWith(MARK);

/**
 * A store that seals what is appended with the key of its run, and opens what is read (I14). The store below has nothing but
 * the sealed form: its hashes, its other readers and its copies too. Where the key is gone, `{ "$erased": true }` is read.
 */
export function sealedEventStore(store: EventStore, keyring: RunKeyring): EventStore {
  return new SealedEventStore(store, keyring);
}

class SealedEventStore implements EventStore {
  private readonly store: EventStore;
  private readonly keyring: RunKeyring;
  /** Settled when the appends that wait for a key have been called: those after them wait too, so that the order stays. */
  private before: Promise<void> | undefined;

  constructor(store: EventStore, keyring: RunKeyring) {
    this.store = store;
    this.keyring = keyring;
  }

  append(chain: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    const ids = keysOf(chain);
    if (this.before === undefined && ids === undefined) return this.store.append(chain);
    if (this.before === undefined && ids!.values().every((id) => this.keyring.peek(id) !== undefined))
      return this.store.append(this.sealed(chain));
    return this.appendLater(chain, ids ?? new Set());
  }

  private appendLater(chain: readonly AppendRequest[], ids: ReadonlySet<string>): Promise<readonly AppendOutcome[]> {
    const { before } = this;
    let answer: Promise<readonly AppendOutcome[]> | undefined;
    const called = (async () => {
      await before;
      await Promise.all(Array.from(ids, (id) => this.keyring.need(id)));
      answer = this.store.append(this.sealed(chain));
    })();
    const after = called.then(
      () => undefined,
      () => undefined,
    );
    this.before = after;
    void after.then(() => {
      if (this.before === after) this.before = undefined;
    });
    return called.then(() => answer!);
  }

  private sealed(chain: readonly AppendRequest[]): AppendRequest[] {
    return chain.map((request) =>
      request.events.some((event) => event.seal !== undefined)
        ? { ...request, events: request.events.map((event) => this.sealedEvent(event)) }
        : request,
    );
  }

  private sealedEvent(event: NewEvent): NewEvent {
    const { id, type, seal: keyId } = event;
    if (keyId === undefined) return event;
    const key = this.keyring.peek(keyId);
    // It was there a moment ago.
    if (key === undefined) throw new RunErasedError(`the run with the key ${keyId} was erased while it was written to`);
    const data = JSON.parse(event.data) as unknown;
    changePlaces(type, data, (value, kind, path) =>
      sealedValue(kind, seal(key, { keyId, eventId: id, path }, JSON.stringify(value))),
    );
    const meta = event.meta === '{}' ? `{${MARK.slice(1)}` : `${event.meta.slice(0, -1)}${MARK}`;
    return { id, type, data: JSON.stringify(data), meta };
  }

  async *readStream(stream: string, options?: ReadOptions): AsyncIterable<readonly RecordedEvent[]> {
    for await (const page of this.store.readStream(stream, options)) yield await openEvents(page, this.keyring);
  }

  async *readAll(
    after: Position,
    options?: { readonly filter?: StreamFilter; readonly upTo?: Position; readonly limit?: number },
  ): AsyncIterable<readonly RecordedEvent[]> {
    for await (const page of this.store.readAll(after, options)) yield await openEvents(page, this.keyring);
  }

  subscribe(options: SubscribeOptions): Subscription {
    return this.store.subscribe({
      ...options,
      onBatch: (events, through) =>
        events.some(isSealed)
          ? openEvents(events, this.keyring).then((opened) => options.onBatch(opened, through))
          : options.onBatch(events, through),
    });
  }

  listStreams(prefix: string): Promise<readonly StreamHead[]> {
    return this.store.listStreams(prefix);
  }

  head(): Promise<Position> {
    return this.store.head();
  }

  positionAt(time: number): Promise<Position> {
    return this.store.positionAt(time);
  }

  readSnapshot(stream: string): Promise<{ readonly revision: Revision; readonly state: string } | undefined> {
    return this.store.readSnapshot(stream);
  }

  /** A snapshot is a shortcut at most: of what may be sealed none is kept, which would be in clear. */
  async writeSnapshot(stream: string, revision: Revision, state: string): Promise<void> {
    if (!SEALABLE.test(stream)) await this.store.writeSnapshot(stream, revision, state);
  }

  close(): Promise<void> {
    return this.store.close();
  }
}

const SEALABLE = /^(dag|dagRun|asset)-/;

/** Undefined: nothing is to be sealed. */
function keysOf(chain: readonly AppendRequest[]): Set<string> | undefined {
  let ids: Set<string> | undefined;
  for (const { events } of chain) for (const { seal: id } of events) if (id !== undefined) (ids ??= new Set()).add(id);
  return ids;
}

/** Events as their writers gave them, as far as the keys are there. */
export async function openEvents(
  events: readonly RecordedEvent[],
  keyring: Pick<RunKeyring, 'find'>,
): Promise<readonly RecordedEvent[]> {
  if (!events.some(isSealed)) return events;
  const opened: RecordedEvent[] = [];
  for (const event of events) opened.push(isSealed(event) ? await openEvent(event, keyring) : event);
  return opened;
}

async function openEvent(event: RecordedEvent, keyring: Pick<RunKeyring, 'find'>): Promise<RecordedEvent> {
  const data = JSON.parse(event.data) as unknown;
  const keys = new Map<string, Uint8Array | undefined>();
  changePlaces(event.type, data, (value, kind) => {
    const token = tokenIn(kind, value);
    if (token !== undefined) keys.set(token.keyId, undefined);
    return value;
  });
  for (const id of keys.keys()) {
    const key = await keyring.find(id);
    if (key instanceof Uint8Array) keys.set(id, key);
  }
  changePlaces(event.type, data, (value, kind, path) => {
    const token = tokenIn(kind, value);
    if (token === undefined) return value;
    const key = keys.get(token.keyId);
    const isHere = token.eventId === event.id && token.path === path;
    const plain = key === undefined || !isHere ? undefined : open(key, token);
    return plain === undefined ? erasedValue(kind) : (JSON.parse(plain) as Json);
  });
  return { ...event, data: JSON.stringify(data) };
}
