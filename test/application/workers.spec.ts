import { OwnWorkers, StoredWorkers } from '@rondo/application';
import type { TaskInstanceRow } from '@rondo/ports';
import { anOrder, idOf, LEASE_MS, World } from './gateway-world.ts';

let world: World;
let workers: StoredWorkers;
let running: readonly string[] = [];
beforeEach(async () => {
  world = await new World().start();
  running = [];
  const readModels = {
    taskInstances: async (_filter: object, { offset, limit }: { readonly offset: number; readonly limit: number }) => ({
      items: running.slice(offset, offset + limit).map((worker) => ({ worker }) as TaskInstanceRow),
      total: running.length,
    }),
  };
  workers = new StoredWorkers({ store: world.store, readModels, clock: world.clock });
});
afterEach(() => world.stop());

const actor = 'user:ada';
const statesOf = async (): Promise<unknown[]> => (await workers.list()).map(({ name, state }) => [name, state]);

describe('the workers of an installation', () => {
  it('are listed by name, with what runs there', async () => {
    const a = await world.gateway('a');
    await world.worker('w', { queues: ['gpu'], labels: { zone: 'a' }, slots: 3, release: '2' }).connect(a);
    await world.worker('v').connect(a);
    running = Array.from({ length: 1_500 }, (_, i) => (i % 3 === 0 ? 'v' : 'w'));
    expect(await workers.list()).toEqual([
      expect.objectContaining({ name: 'v', state: 'active', running: 500, slots: 2 }),
      {
        ...{ name: 'w', state: 'active', boot: 'w-1', release: '2', executor: 'local' },
        ...{ queues: ['gpu'], labels: { zone: 'a' }, slots: 3, running: 1_000 },
        ...{ joinedAt: world.clock.now(), drainingSince: null, leftAt: null, reason: null },
      },
    ]);
  });

  it('that a gateway has given up are lost, until they come back', async () => {
    const a = await world.gateway('a');
    const b = await world.gateway('b');
    const w = world.worker('w');
    const line = await w.connect(a);
    await w.connect(b);
    line.close();
    w.lines.get('b')!.close();
    await world.pass(LEASE_MS);
    expect(await workers.list()).toMatchObject([
      { state: 'lost', leftAt: world.clock.now(), reason: 'nothing was heard of it for the lease' },
    ]);
    await w.connect(a);
    expect(await statesOf()).toEqual([['w', 'active']]);
  });
});

describe('a worker that is drained', () => {
  it('takes nothing new from any gateway, ends what it has, and leaves', async () => {
    const a = await world.gateway('a');
    const b = await world.gateway('b');
    const w = world.worker('w');
    const lines = [await w.connect(a), await w.connect(b)];
    await world.scheduler.schedule(anOrder('t'));
    const since = world.clock.now();
    expect(await workers.drain({ worker: 'w', actor })).toMatchObject({
      ok: true,
      value: { state: 'draining', drainingSince: since },
    });
    await world.settle();
    for (const line of lines) expect(line.of('drain')).toHaveLength(1);
    for (const line of lines) line.send({ kind: 'draining' });
    await world.scheduler.schedule(anOrder('u'));
    expect(w.handed).toEqual([idOf('t')]);
    const owner = a.gateway.status().assigned === 1 ? a : b;
    await w.finish('t', owner);
    expect(world.scheduler.kinds('t')).toEqual(['finished']);
    for (const line of lines) line.send({ kind: 'leaving' });
    await world.settle();
    expect(await statesOf()).toEqual([['w', 'left']]);
    const other = world.worker('v');
    await other.connect(a);
    await other.connect(b);
    expect(other.handed).toEqual([idOf('u')]);
  });

  it('is named by its process: one that takes its name is not meant', async () => {
    const a = await world.gateway('a');
    const w = world.worker('w');
    await w.connect(a);
    await workers.drain({ worker: 'w', boot: 'w-1', actor });
    await world.settle();
    const next = await world.worker('w', { boot: 'w-2' }).connect(a);
    expect(next.of('drain')).toHaveLength(0);
    expect(await workers.list()).toMatchObject([{ boot: 'w-2', state: 'active', drainingSince: null }]);
    expect(await workers.drain({ worker: 'w', boot: 'w-1', actor })).toEqual({
      ok: false,
      error: { code: 'conflict', message: "worker 'w' is another process by now: boot w-2, not w-1" },
    });
    expect(next.of('drain')).toHaveLength(0);
  });

  it('is told again by a gateway that it comes to later, and drains once', async () => {
    const a = await world.gateway('a');
    const w = world.worker('w');
    await w.connect(a);
    await workers.drain({ worker: 'w', actor });
    const since = world.clock.now();
    await world.pass(5_000);
    expect(await workers.drain({ worker: 'w', actor: 'user:eve' })).toMatchObject({
      value: { drainingSince: since },
    });
    expect((await world.workerEvents('w')).map(({ type }) => type)).toEqual(['WorkerJoined', 'WorkerDraining']);
    const b = await world.gateway('b');
    expect((await w.connect(b)).of('drain')).toHaveLength(1);
  });

  it('is welcomed first by a gateway that it comes to meanwhile', async () => {
    const a = await world.gateway('a');
    const b = await world.gateway('b');
    const w = world.worker('w');
    // The history is slow to tell the second gateway that the worker has joined.
    const slow = Promise.withResolvers<void>();
    const append = world.store.append.bind(world.store);
    let joins = 0;
    world.store.append = async (chain) => {
      if (chain[0]!.events[0]!.type === 'WorkerJoined' && ++joins === 2) await slow.promise;
      return append(chain);
    };
    const [, line] = await Promise.all([w.connect(a), w.connect(b)]);
    expect(await workers.drain({ worker: 'w', actor })).toMatchObject({ ok: true });
    await world.settle();
    expect(line.frames).toEqual([]);
    slow.resolve();
    await world.settle();
    expect(line.frames.map(({ kind }) => kind).filter((kind) => kind === 'welcome' || kind === 'drain')).toEqual([
      'welcome',
      'drain',
    ]);
  });

  it('is refused when there is none, and when it is gone', async () => {
    expect(await workers.drain({ worker: 'w', actor })).toEqual({
      ok: false,
      error: { code: 'not_found', message: "there is no worker 'w'" },
    });
    const a = await world.gateway('a');
    const [v, w] = [await world.worker('v').connect(a), await world.worker('w').connect(a)];
    v.send({ kind: 'draining' });
    v.send({ kind: 'leaving' });
    w.close();
    await world.pass(LEASE_MS);
    expect(await workers.drain({ worker: 'v', actor })).toMatchObject({
      error: { code: 'conflict', message: expect.stringContaining('has left') as string },
    });
    expect(await workers.drain({ worker: 'w', actor })).toMatchObject({
      error: { code: 'conflict', message: expect.stringContaining('is lost') as string },
    });
  });

  it('is known by whoever asked for it', async () => {
    const a = await world.gateway('a');
    await world.worker('w').connect(a);
    await workers.drain({ worker: 'w', actor });
    expect(JSON.parse(world.store.events.at(-1)!.meta)).toMatchObject({ actor: 'user:ada' });
  });
});

describe("the worker of the platform's own process", () => {
  it('is listed, and not drained', async () => {
    const about = { worker: 'w', boot: '7', release: '1', executor: 'local', queues: ['*'], labels: {} };
    const own = new OwnWorkers(
      {
        status: () => ({
          workers: [{ ...about, isConnected: true, isDraining: false, slots: 4, assigned: 1 }],
          ...{ slots: 4, waiting: 0, assigned: 1, partitions: 0, recovering: 0 },
        }),
      },
      5,
    );
    expect(await own.list()).toEqual([
      {
        ...{ name: 'w', state: 'active', boot: '7', release: '1', executor: 'local', queues: ['*'], labels: {} },
        ...{ slots: 4, running: 1, joinedAt: 5, drainingSince: null, leftAt: null, reason: null },
      },
    ]);
    expect(await own.drain({ worker: 'w', actor })).toMatchObject({ error: { code: 'conflict' } });
    expect(await own.drain({ worker: 'x', actor })).toMatchObject({ error: { code: 'not_found' } });
  });
});
