import type { CallbackAssignment, ParseResult, WatchAssignment } from '@rondo/ports';
import { anOrder, idOf, LEASE_MS, World } from './gateway-world.ts';

let world: World;

beforeEach(async () => {
  world = await new World().start();
});

afterEach(() => world.stop());

describe('the lease of a worker (I3)', () => {
  it('loses its attempts one lease after its last beat, and says in whose name', async () => {
    const a = await world.gateway('a');
    const w = world.worker('w');
    await w.connect(a);
    await world.scheduler.schedule(anOrder('t'));
    await w.live(LEASE_MS, a);
    w.lines.get('a')!.beat();
    await world.settle();
    w.lines.get('a')!.close();
    await world.pass(LEASE_MS - 2_000);
    expect(world.scheduler.kinds('t')).toEqual([]);
    await world.pass(LEASE_MS / 6 + 4_000);
    expect(world.scheduler.reports).toMatchObject([
      { kind: 'lost', reason: 'nothing was heard of its worker for the lease', owner: { generation: 1 } },
    ]);
    expect(a.gateway.status()).toMatchObject({ workers: [], assigned: 0 });
    expect((await world.workerEvents('w')).map(({ type }) => type)).toEqual(['WorkerJoined', 'WorkerLeft']);
  });

  it('loses nothing when the worker is back before', async () => {
    const a = await world.gateway('a');
    const w = world.worker('w');
    await w.connect(a);
    await world.scheduler.schedule(anOrder('t'), anOrder('u'), anOrder('x'));
    w.lines.get('a')!.close();
    await world.pass(LEASE_MS - 5_000);
    await w.connect(a);
    await w.live(2 * LEASE_MS, a);
    expect(world.scheduler.reports).toEqual([]);
    await w.finish('t', a);
    expect(w.handed).toEqual([idOf('t'), idOf('u'), idOf('x')]);
  });

  it('hands it again what had not reached it', async () => {
    const a = await world.gateway('a');
    const w = world.worker('w');
    await w.connect(a);
    await world.scheduler.schedule(anOrder('t'), anOrder('u'));
    w.lines.get('a')!.close();
    w.running.delete(idOf('u'));
    await w.connect(a);
    expect(w.handed).toEqual([idOf('t'), idOf('u'), idOf('u')]);
    expect(world.scheduler.reports).toEqual([]);
  });

  it('loses what a new process of the worker does not claim, and takes a result that its journal kept', async () => {
    const a = await world.gateway('a');
    const w = world.worker('w');
    await w.connect(a);
    await world.scheduler.schedule(anOrder('t'), anOrder('u'));
    w.lines.get('a')!.close();
    await world.settle();
    w.ended.set(idOf('t'), w.running.get(idOf('t'))!);
    w.running.clear();
    await w.connect(a, { boot: 'w-2' });
    expect(world.scheduler.kinds('u')).toEqual(['lost']);
    expect(world.scheduler.kinds('t')).toEqual([]);
    await w.finish('t', a);
    expect(world.scheduler.kinds('t')).toEqual(['finished']);
  });

  it('loses at once what the worker says was interrupted', async () => {
    const a = await world.gateway('a');
    const w = world.worker('w');
    await w.connect(a, { interrupted: [idOf('t')] });
    expect(world.scheduler.kinds('t')).toEqual(['lost']);
  });

  it('says nothing of attempts that may be another owner’s', async () => {
    const a = await world.gateway('a');
    const w = world.worker('w');
    await w.connect(a);
    await world.scheduler.schedule(anOrder('t'));
    a.isOwner = false;
    await world.pass(2 * LEASE_MS);
    expect(world.scheduler.reports).toEqual([]);
  });

  it('gives the workers time to speak when the gateway itself stood still', async () => {
    const a = await world.gateway('a');
    const w = world.worker('w');
    await w.connect(a);
    await world.scheduler.schedule(anOrder('t'));
    world.stoodMs = 2 * LEASE_MS;
    await world.pass(LEASE_MS / 6);
    w.lines.get('a')!.beat();
    await w.live(LEASE_MS, a);
    expect(world.scheduler.reports).toEqual([]);
  });

  it('joins again for a worker that another gateway has given up', async () => {
    const a = await world.gateway('a');
    const b = await world.gateway('b');
    const w = world.worker('w');
    await w.connect(a);
    await w.connect(b);
    w.lines.get('a')!.close();
    await w.live(LEASE_MS + LEASE_MS / 3, b);
    const types = (await world.workerEvents('w')).map(({ type }) => type);
    expect(types).toEqual(['WorkerJoined', 'WorkerLeft', 'WorkerJoined']);
  });
});

describe('workers', () => {
  it('join once, whichever gateway they come to first, before they are handed anything', async () => {
    const a = await world.gateway('a');
    const b = await world.gateway('b');
    const w = world.worker('w');
    await w.connect(a);
    await w.connect(b);
    expect(await world.workerEvents('w')).toMatchObject([{ type: 'WorkerJoined', data: { worker: 'w', boot: 'w-1' } }]);
  });

  it('are sent away when the history says so, and taken nothing from here on', async () => {
    const a = await world.gateway('a');
    const w = world.worker('w');
    const line = await w.connect(a);
    const data = JSON.stringify({ worker: 'w', at: 0 });
    const event = { id: '00000000-0000-4000-8000-0000000000ff', type: 'WorkerDraining', data, meta: '{}' };
    await world.store.append([{ stream: 'worker-w', expected: 'any', events: [event] }]);
    await world.settle();
    expect(line.of('drain')).toHaveLength(1);
    line.send({ kind: 'draining' });
    await world.scheduler.schedule(anOrder('t'));
    expect(w.handed).toEqual([]);
    line.send({ kind: 'leaving' });
    await world.settle();
    line.close();
    await world.settle();
    expect(await world.workerEvents('w')).toMatchObject([{}, {}, { type: 'WorkerLeft', data: { isDone: true } }]);
  });

  it('that have left are not waited for by whoever takes over', async () => {
    const a = await world.gateway('a');
    const [v, w] = [world.worker('v'), world.worker('w')];
    const line = await v.connect(a);
    line.send({ kind: 'draining' });
    line.send({ kind: 'leaving' });
    await world.settle();
    line.close();
    await w.connect(a);
    await world.kill(a);
    const b = await world.gateway('b');
    await w.connect(b);
    await world.scheduler.schedule(anOrder('t'));
    expect(w.handed).toEqual([idOf('t')]);
  });

  it('of a cluster get what names it, and nothing else, also when there are no others', async () => {
    const a = await world.gateway('a');
    const cluster = { executor: 'kubernetes', attemptsOnly: true, namedOnly: true } as const;
    const pods = world.worker('pods', cluster);
    await pods.connect(a);
    await world.scheduler.schedule(anOrder('t'), anOrder('u', { executor: 'kubernetes' }));
    expect(pods.handed).toEqual([idOf('u')]);
    const w = world.worker('w');
    await w.connect(a);
    expect(w.handed).toEqual([idOf('t')]);
  });

  it('that were made for one attempt are none of a gateway without their executor', async () => {
    const a = await world.gateway('a');
    const w = world.worker('w', { attempt: { id: idOf('t'), token: 'x' } });
    await w.connect(a);
    await world.scheduler.schedule(anOrder('t'));
    expect(w.handed).toEqual([]);
    expect(a.gateway.status().workers).toEqual([]);
  });

  it('get what they serve, and one that is full holds up no other', async () => {
    const a = await world.gateway('a');
    const [cpu, gpu] = [world.worker('cpu', { slots: 1 }), world.worker('gpu', { slots: 2, queues: ['gpu'] })];
    await cpu.connect(a);
    await gpu.connect(a);
    await world.scheduler.schedule(
      anOrder('c1', { priority: 9 }),
      anOrder('c2', { priority: 9 }),
      anOrder('g1', { queue: 'gpu' }),
      anOrder('g2', { queue: 'gpu' }),
      anOrder('k', { executor: 'kubernetes' }),
    );
    expect(cpu.handed).toEqual([idOf('c1')]);
    expect(gpu.handed).toEqual([idOf('g1'), idOf('g2')]);
    await cpu.finish('c1', a);
    expect(cpu.handed).toEqual([idOf('c1'), idOf('c2')]);
    expect(a.gateway.status()).toMatchObject({ waiting: 1, assigned: 3 });
  });

  it('share the orders by the room that they have', async () => {
    const a = await world.gateway('a');
    const [v, w] = [world.worker('v', { slots: 2 }), world.worker('w', { slots: 2 })];
    await v.connect(a);
    await w.connect(a);
    await world.scheduler.schedule(...['1', '2', '3', '4', '5'].map((task) => anOrder(task)));
    expect([v.handed.length, w.handed.length]).toEqual([2, 2]);
    v.lines.get('a')!.send({ kind: 'offer', slots: 0 });
    await world.settle();
    for (const id of [...v.running.keys()]) await v.finish(taskOf(id), a);
    expect(v.handed).toHaveLength(2);
    await w.finish(taskOf([...w.running.keys()][0]!), a);
    expect(w.handed).toHaveLength(3);
  });

  it('are told how much waits', async () => {
    const a = await world.gateway('a');
    const w = world.worker('w', { slots: 1 });
    const line = await w.connect(a);
    await world.scheduler.schedule(anOrder('t'), anOrder('u'), anOrder('x'));
    await world.pass(200, 100);
    expect(line.of('demand').at(-1)).toEqual({ kind: 'demand', waiting: 2 });
  });
});

describe('what takes no slot', () => {
  const bundle = { hash: 'b', file: 'f.ts' };
  const watch = { id: 'd/r/t/1.1', assignment: { id: 'd/r/t/1.1', bundle } } as unknown as WatchAssignment;
  const callback = { id: 'c', bundle, dagId: 'd', runId: 'r', callback: 'onSuccess' } as unknown as CallbackAssignment;

  it('goes to one worker for each bundle, and to another when that is gone', async () => {
    const a = await world.gateway('a');
    const [v, w] = [world.worker('v'), world.worker('w')];
    await v.connect(a);
    await w.connect(a);
    await world.scheduler.say('default_pool', { kind: 'watch', watch });
    await world.scheduler.say('default_pool', { kind: 'callback', callback });
    await world.settle();
    const linesOf = (kind: 'watch' | 'callbacks'): number[] =>
      [v, w].map((each) => each.lines.get('a')!.of(kind).length);
    expect(linesOf('watch')).toEqual([1, 0]);
    expect(linesOf('callbacks')).toEqual([1, 0]);
    v.lines.get('a')!.close();
    await w.live(LEASE_MS + LEASE_MS / 3, a);
    expect(linesOf('watch')).toEqual([1, 1]);
    expect(linesOf('callbacks')).toEqual([1, 1]);
    await w.report(a, { kind: 'callback', id: 'c', at: 1 });
    expect(world.scheduler.messages).toMatchObject([{ kind: 'callbackDone', callback: 'onSuccess' }]);
  });

  it('waits for a worker, and is told again to one that comes back', async () => {
    const a = await world.gateway('a');
    await world.scheduler.say('default_pool', { kind: 'watch', watch });
    await world.settle();
    const w = world.worker('w');
    const line = await w.connect(a);
    expect(line.of('watch')).toHaveLength(1);
    line.close();
    expect((await w.connect(a)).of('watch')).toHaveLength(1);
  });

  it('a file is loaded by a worker, and by another when that goes away', async () => {
    const a = await world.gateway('a');
    const v = world.worker('v');
    const first = await v.connect(a);
    const loaded = a.gateway.parse({ id: 'p', root: '/dags', file: 'f.ts' });
    await world.settle();
    expect(first.of('parse')).toHaveLength(1);
    first.close();
    const w = world.worker('w');
    const second = await w.connect(a);
    const { request } = second.of('parse')[0]!;
    const result: ParseResult = { id: request.id, file: 'f.ts', dags: [], bundleFiles: [], errors: [], output: [] };
    second.send({ kind: 'parsed', result });
    expect(await loaded).toMatchObject({ id: 'p', file: 'f.ts' });
  });
});

const taskOf = (id: string): string => ['1', '2', '3', '4', '5', 't', 'u', 'x'].find((task) => idOf(task) === id)!;
