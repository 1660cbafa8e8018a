import { randomUUID } from 'node:crypto';
import type { ConnectOptions, EventStore, PersistentSubscriptions, RecordedEvent, Subscription } from '@rondo/ports';
import { aPrefix, appendOne, newEvent, newEvents } from './event-store-kit.ts';

export interface PersistentSubscriptionsFixture {
  readonly store: EventStore;
  readonly subscriptions: PersistentSubscriptions;
  /** The same subscriptions as another process has them, or this one after it has come back. Closes the first. */
  readonly reopen: () => Promise<PersistentSubscriptions>;
  readonly dispose: () => Promise<void>;
}

const ALL = { offset: 0, limit: 1_000 };

type Get = () => PersistentSubscriptionsFixture;

const until = async (done: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await done())) await new Promise((resolve) => setTimeout(resolve, 10));
};

interface Taker {
  readonly seen: RecordedEvent[];
  readonly retries: number[];
  readonly revisions: () => number[];
  readonly subscription: Subscription;
}

const isN =
  (n: number) =>
  (event: RecordedEvent): boolean =>
    (JSON.parse(event.data) as { n: number }).n === n;

/** The rules of the PersistentSubscriptions port. */
export function describePersistentSubscriptionsContract(
  name: string,
  factory: () => Promise<PersistentSubscriptionsFixture>,
): void {
  describe(`${name}: persistent subscriptions`, () => {
    let fixture: PersistentSubscriptionsFixture;
    beforeEach(async () => {
      fixture = await factory();
    });
    afterEach(() => fixture.dispose());
    describePlaces(() => fixture);
    describeVerdicts(() => fixture);
  });
}

/** A subscription to streams of its own. */
async function aSubscription(get: Get, more: { readonly maxRetries?: number; readonly eventTypes?: string[] } = {}) {
  const { store, subscriptions } = get();
  const [id, stream] = [`alerts-${randomUUID()}`, aPrefix()];
  const { eventTypes, ...settings } = more;
  await subscriptions.create({ name: id, streamPrefixes: [stream], after: await store.head(), ...settings });
  const take = (
    onEvent: ConnectOptions['onEvent'] = () => 'ack',
    from: PersistentSubscriptions = subscriptions,
  ): Taker => {
    const [seen, retries]: [RecordedEvent[], number[]] = [[], []];
    const subscription = from.connect({
      name: id,
      ...(eventTypes === undefined ? {} : { eventTypes }),
      onEvent: (event, count) => {
        seen.push(event);
        retries.push(count);
        return onEvent(event, count);
      },
    });
    return { seen, retries, subscription, revisions: () => seen.map(({ revision }) => revision) };
  };
  return { id, stream, take, parked: async () => (await subscriptions.info(id))?.parked };
}

function describePlaces(get: Get): void {
  it('gives the events that pass the filter, those that stand and those that come, whole', async () => {
    const { stream, take } = await aSubscription(get, { eventTypes: ['Happened'] });
    const { store } = get();
    await appendOne(store, aPrefix(), 'noStream', newEvents(3));
    await appendOne(store, stream, 'noStream', [...newEvents(2), newEvent('Other'), newEvent('HappenedOnce')]);
    const taker = take();
    await appendOne(store, stream, 3, newEvents(2));
    await until(() => taker.seen.length === 4);
    expect(taker.revisions()).toEqual([0, 1, 4, 5]);
    for await (const page of store.readStream(stream, { from: 4 })) expect(taker.seen.slice(2)).toEqual([...page]);
    expect(taker.retries).toEqual([0, 0, 0, 0]);
    await taker.subscription.stop();
  });

  it('gives the events of the wanted types alone, of whatever stream, where it was made so', async () => {
    const { store, subscriptions } = get();
    const [id, type] = [`alerts-${randomUUID()}`, `Happened${randomUUID()}`];
    await subscriptions.create({ name: id, eventTypes: [type, 'Never'], after: await store.head() });
    const seen: string[] = [];
    const subscription = subscriptions.connect({
      name: id,
      onEvent: (event) => {
        seen.push(event.stream);
        return 'ack';
      },
    });
    const streams = [aPrefix(), aPrefix()];
    for (const stream of streams) await appendOne(store, stream, 'noStream', [newEvent('Other'), newEvent(type)]);
    await until(() => seen.length === 2);
    expect(seen).toEqual(streams);
    await subscription.stop();
  });

  it('begins at the end where nothing else is said, and is made once', async () => {
    const { store, subscriptions } = get();
    const [id, stream] = [`alerts-${randomUUID()}`, aPrefix()];
    await appendOne(store, stream, 'noStream', newEvents(2));
    await subscriptions.create({ name: id, streamPrefixes: [stream] });
    await appendOne(store, stream, 1, newEvents(1));
    await subscriptions.create({ name: id, streamPrefixes: [stream] });
    const seen: number[] = [];
    const subscription = subscriptions.connect({
      name: id,
      onEvent: ({ revision }) => {
        seen.push(revision);
        return 'ack';
      },
    });
    await until(() => seen.length === 1);
    expect(seen).toEqual([2]);
    await subscription.stop();
  });

  it('goes on after what was settled, for whoever comes next', async () => {
    const { stream, take } = await aSubscription(get);
    await appendOne(get().store, stream, 'noStream', newEvents(20));
    const first = take();
    await until(() => first.seen.length === 20);
    await first.subscription.stop();
    // The place may be remembered a little late, and what follows is then given again: at least once.
    const other = await get().reopen();
    await appendOne(get().store, stream, 19, newEvents(3));
    const next = take(undefined, other);
    await until(() => next.revisions().includes(22));
    expect(new Set([...first.revisions(), ...next.revisions()]).size).toBe(23);
    await next.subscription.stop();
  });

  it('gives to others what a consumer had in hand when it left', async () => {
    const { stream, take } = await aSubscription(get);
    await appendOne(get().store, stream, 'noStream', newEvents(3));
    let release: () => void = () => undefined;
    const held = new Promise<'ack'>((resolve) => (release = () => resolve('ack')));
    const first = take(() => held);
    await until(() => first.seen.length === 3);
    const stopping = first.subscription.stop();
    const second = take();
    await until(() => second.seen.length === 3);
    expect(second.revisions().toSorted()).toEqual([0, 1, 2]);
    release();
    await stopping;
    await second.subscription.stop();
  });

  it('gives each event to one of several consumers', async () => {
    const { stream, take } = await aSubscription(get);
    const takers = [take(), take()];
    for (let at = 0; at < 10; at++)
      await appendOne(get().store, stream, at === 0 ? 'noStream' : at * 10 - 1, newEvents(10));
    await until(() => takers[0]!.seen.length + takers[1]!.seen.length === 100);
    expect(new Set(takers.flatMap((taker) => taker.revisions())).size).toBe(100);
    await Promise.all(takers.map(({ subscription }) => subscription.stop()));
  });
}

function describeVerdicts(get: Get): void {
  it('gives an event again that is to be retried, or whose consumer threw', async () => {
    const { stream, take, parked } = await aSubscription(get);
    await appendOne(get().store, stream, 'noStream', [newEvent('Happened', { n: 0 }), newEvent('Happened', { n: 1 })]);
    const taker = take((event, retries) => {
      if (isN(0)(event) && retries === 0) return 'retry';
      if (isN(1)(event) && retries < 2) throw new Error('not now');
      return 'ack';
    });
    await until(() => taker.seen.length === 5);
    expect(taker.revisions().toSorted()).toEqual([0, 0, 1, 1, 1]);
    expect(await parked()).toBe(0);
    await taker.subscription.stop();
  });

  it('parks what was retried too often, and goes on with the rest', async () => {
    const { stream, take, parked } = await aSubscription(get, { maxRetries: 2 });
    await appendOne(
      get().store,
      stream,
      'noStream',
      [0, 1].map((n) => newEvent('Happened', { n })),
    );
    const taker = take((event) => (isN(0)(event) ? 'retry' : 'ack'));
    await until(async () => (await parked()) === 1);
    expect(taker.revisions().filter((revision) => revision === 0)).toHaveLength(3);
    await until(() => taker.revisions().includes(1));
    await taker.subscription.stop();
  });

  it('parks on request, passes over on request, and gives parked ones again on request', async () => {
    const { id, stream, take, parked } = await aSubscription(get);
    await appendOne(
      get().store,
      stream,
      'noStream',
      [0, 1, 2].map((n) => newEvent('Happened', { n })),
    );
    let isWell = false;
    const taker = take((event) => {
      if (isN(1)(event)) return 'skip';
      return isWell ? 'ack' : 'park';
    });
    await until(async () => (await parked()) === 2);
    expect(taker.revisions().toSorted()).toEqual([0, 1, 2]);
    const listed = await get().subscriptions.listParked(id, ALL);
    expect(listed.map(({ revision }) => revision)).toEqual([0, 2]);
    const { id: eventId, type, meta } = taker.seen.find(({ revision }) => revision === 0)!;
    expect(listed[0]).toEqual({ stream, revision: 0, id: eventId, type, meta });
    expect(await get().subscriptions.listParked(id, { offset: 1, limit: 5 })).toEqual(listed.slice(1));
    expect(await get().subscriptions.listParked(id, { offset: 0, limit: 1 })).toEqual(listed.slice(0, 1));
    isWell = true;
    await get().subscriptions.replayParked(id);
    await until(() => taker.seen.length === 5);
    expect(taker.revisions().slice(3)).toEqual([0, 2]);
    expect(taker.seen[3]).toEqual(taker.seen.find(({ revision }) => revision === 0));
    await until(async () => (await parked()) === 0);
    await until(async () => (await get().subscriptions.listParked(id, ALL)).length === 0);
    expect(await get().subscriptions.listParked(`none-${randomUUID()}`, ALL)).toEqual([]);
    await taker.subscription.stop();
  });

  it('keeps what is parked over a restart', async () => {
    const { id, stream, take, parked } = await aSubscription(get);
    await appendOne(get().store, stream, 'noStream', newEvents(1));
    const taker = take(() => 'park');
    await until(async () => (await parked()) === 1);
    await taker.subscription.stop();
    const other = await get().reopen();
    expect(await other.info(id)).toEqual({ parked: 1 });
    await other.replayParked(id);
    const next = take(undefined, other);
    await until(() => next.seen.length === 1);
    await until(async () => (await other.info(id))?.parked === 0);
    await next.subscription.stop();
  });

  it('tells consumers of one that is deleted, or was never there', async () => {
    const { id } = await aSubscription(get);
    const { subscriptions } = get();
    const connect = (name: string): Promise<Error> =>
      new Promise((onDrop) => subscriptions.connect({ name, onEvent: () => 'ack', onDrop }));
    expect(await connect(`none-${randomUUID()}`)).toMatchObject({ name: 'NoSubscriptionError' });
    const dropped = connect(id);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await subscriptions.delete(id);
    expect(await dropped).toMatchObject({ name: 'NoSubscriptionError' });
    expect(await subscriptions.info(id)).toBeUndefined();
    await subscriptions.delete(id);
    await expect(subscriptions.replayParked(id)).rejects.toMatchObject({ name: 'NoSubscriptionError' });
  });
}
