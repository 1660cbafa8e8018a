import { TOPICS } from '@rondo/contracts';
import { anOrder, idOf, LEASE_MS, PARTITIONS, POOLS, World } from './gateway-world.ts';

let world: World;

beforeEach(async () => {
  world = await new World().start();
});

afterEach(() => world.stop());

it('has a pool of each partition', () => {
  const partitions = POOLS.map((pool) => world.bus.partitionOf(TOPICS.tasksReady, pool));
  expect(new Set(partitions).size).toBe(PARTITIONS);
});

describe('a gateway that takes partitions over (I2)', () => {
  it('hands out what is restated when every shard has answered', async () => {
    world.scheduler.restates = false;
    const a = await world.gateway('a');
    const w = world.worker('w');
    await w.connect(a);
    await world.scheduler.schedule(anOrder('t'));
    expect(w.handed).toEqual([]);
    const [first, second] = world.scheduler.asked;
    await world.scheduler.restate(first!.shard, first!.owned);
    await world.settle();
    expect(w.handed).toEqual([]);
    await world.scheduler.restate(second!.shard, second!.owned);
    await world.settle();
    expect(w.handed).toEqual([idOf('t')]);
  });

  it('writes one event for all of them, whose revision is their generation', async () => {
    const a = await world.gateway('a');
    const w = world.worker('w');
    const line = await w.connect(a);
    expect(line.of('generations')[0]!.owned).toEqual([
      { partition: 0, generation: 1 },
      { partition: 1, generation: 1 },
    ]);
    await world.gateway('b');
    const taken = world.store.events.filter(({ stream }) => stream === 'poolPartitions');
    expect(taken.map(({ type, data }) => ({ type, ...JSON.parse(data) }))).toMatchObject([
      { type: 'PartitionsTaken', gateway: 'a', partitions: [0, 1] },
      { type: 'PartitionsTaken', gateway: 'b', partitions: [1] },
    ]);
  });

  it('takes its partitions once more when the history has a higher generation of them, written late', async () => {
    const a = await world.gateway('a');
    const w = world.worker('w');
    const line = await w.connect(a);
    const late = { gateway: 'dead', partitions: [1], at: 0 };
    const event = { id: crypto.randomUUID(), type: 'PartitionsTaken', data: JSON.stringify(late), meta: '{}' };
    await world.store.append([{ stream: 'poolPartitions', expected: 'any', events: [event] }]);
    await world.settle();
    expect(line.of('generations').at(-1)!.owned).toEqual([{ partition: 1, generation: 3 }]);
    await world.scheduler.schedule(anOrder('t'), anOrder('u', { pool: 'p2' }));
    expect(w.handed.toSorted()).toEqual([idOf('t'), idOf('u')]);
  });

  it('leaves with its worker what the worker claims', async () => {
    const a = await world.gateway('a');
    const w = world.worker('w');
    await w.connect(a);
    await world.scheduler.schedule(anOrder('t'), anOrder('u', { pool: 'p2' }));
    await w.report(a, { kind: 'started', id: idOf('t'), at: 0, pid: 1 });
    await world.kill(a);
    const b = await world.gateway('b');
    await w.connect(b);
    await world.pass(1_000);
    expect(b.gateway.status()).toMatchObject({ assigned: 2, waiting: 0, recovering: 0 });
    await w.finish('t', b);
    await w.finish('u', b);
    expect(world.scheduler.kinds('t')).toEqual(['started', 'finished']);
    expect(world.scheduler.kinds('u')).toEqual(['finished']);
    expect(w.handed).toHaveLength(2);
    expect(b.gateway.status().assigned).toBe(0);
  });

  it('reports lost what the history has as begun and nobody claims, and hands out the rest', async () => {
    const a = await world.gateway('a');
    const w = world.worker('w', { slots: 1 });
    await w.connect(a);
    await world.scheduler.schedule(anOrder('t'), anOrder('u'));
    await w.report(a, { kind: 'started', id: idOf('t'), at: 0, pid: 1 });
    await world.kill(a);
    w.running.clear();
    const b = await world.gateway('b');
    await w.connect(b);
    expect(world.scheduler.kinds('t')).toEqual(['started', 'lost']);
    expect(w.handed).toEqual([idOf('t'), idOf('u')]);
  });

  it('waits for a worker that is known, one lease at most', async () => {
    const a = await world.gateway('a');
    const [v, w] = [world.worker('v', { slots: 1 }), world.worker('w', { slots: 1 })];
    await v.connect(a);
    await w.connect(a);
    await world.scheduler.schedule(anOrder('t'), anOrder('u'), anOrder('x'));
    await v.report(a, { kind: 'started', id: [...v.running.keys()][0]!, at: 0, pid: 1 });
    await w.report(a, { kind: 'started', id: [...w.running.keys()][0]!, at: 0, pid: 1 });
    const ofV = [...v.running.keys()][0] === idOf('t') ? 't' : 'u';
    await world.kill(a);
    const b = await world.gateway('b');
    await w.connect(b);
    await w.finish(ofV === 't' ? 'u' : 't', b);
    expect(w.handed).toHaveLength(1);
    await w.live(LEASE_MS - 2_000, b);
    expect(w.handed).toHaveLength(1);
    expect(world.scheduler.kinds(ofV)).toEqual(['started']);
    await w.live(4_000 + LEASE_MS / 3, b);
    expect(world.scheduler.kinds(ofV)).toEqual(['started', 'lost']);
    // It may have been begun: it goes on under another id.
    expect(world.scheduler.kinds('x')).toEqual(['withdrawn']);
    expect(world.problems).toContain('workers have not answered within the lease: v');
  });

  it('drops an order from before that is not stated again', async () => {
    world.scheduler.restates = false;
    const a = await world.gateway('a');
    const w = world.worker('w');
    await w.connect(a);
    await world.scheduler.schedule(anOrder('old'));
    world.scheduler.open.clear();
    for (const { shard, owned } of world.scheduler.asked) await world.scheduler.restate(shard, owned);
    await world.scheduler.schedule(anOrder('new'));
    expect(w.handed).toEqual([idOf('new')]);
  });

  it('drops a message that comes again after a later one of the same scheduler', async () => {
    const a = await world.gateway('a');
    const w = world.worker('w', { slots: 4 });
    await w.connect(a);
    await world.scheduler.say('default_pool', anOrder('t'), 1, 5);
    await world.scheduler.say('default_pool', anOrder('late'), 1, 4);
    await world.scheduler.say('default_pool', anOrder('u'), 1, 6);
    await world.scheduler.say('default_pool', anOrder('x'), 2, 1);
    await world.settle();
    expect(w.handed).toEqual([idOf('t'), idOf('u'), idOf('x')]);
  });

  it('drops an order that was stated to an owner before it', async () => {
    const a = await world.gateway('a');
    const w = world.worker('w');
    await w.connect(a);
    const restated = { acknowledged: false, generation: 0 };
    await world.scheduler.say('default_pool', anOrder('t', { restated }));
    await world.settle();
    expect(w.handed).toEqual([]);
  });

  it('drops what a scheduler says that has been followed by another', async () => {
    const a = await world.gateway('a');
    const w = world.worker('w');
    await w.connect(a);
    world.scheduler.epoch = 2;
    await world.scheduler.schedule(anOrder('t'));
    await world.scheduler.say('default_pool', anOrder('u'), 1);
    await world.settle();
    expect(w.handed).toEqual([idOf('t')]);
  });

  it('hands out nothing while another may own the partition, and begins anew when it is its own again', async () => {
    const a = await world.gateway('a');
    const w = world.worker('w');
    const line = await w.connect(a);
    a.isOwner = false;
    await world.scheduler.schedule(anOrder('t'));
    expect(w.handed).toEqual([]);
    await w.live(2_000, a);
    a.isOwner = true;
    await w.live(2_000, a);
    expect(line.of('generations').at(-1)!.owned[0]!.generation).toBe(2);
    expect(w.handed).toEqual([idOf('t')]);
  });

  it('begins anew when a worker knows of a later owner', async () => {
    const a = await world.gateway('a');
    const w = world.worker('w');
    const line = await w.connect(a);
    await world.scheduler.schedule(anOrder('t'));
    w.running.clear();
    line.send({ kind: 'refused', ids: [idOf('t')], partition: partitionOf('default_pool'), generation: 1 });
    await world.settle();
    expect(line.of('generations').at(-1)!.owned).toEqual([{ partition: partitionOf('default_pool'), generation: 2 }]);
    expect(w.handed).toEqual([idOf('t'), idOf('t')]);
    expect(line.of('assign').at(-1)!.generation).toBe(2);
  });

  it('begins anew when a later number is written, though nobody acts on it', async () => {
    const a = await world.gateway('a');
    const w = world.worker('w');
    const line = await w.connect(a);
    const data = JSON.stringify({ gateway: 'slow', partitions: [0], at: 0 });
    const event = { id: '00000000-0000-4000-8000-0000000000fe', type: 'PartitionsTaken', data, meta: '{}' };
    await world.store.append([{ stream: 'poolPartitions', expected: 'any', events: [event] }]);
    await w.live(2_000, a);
    expect(line.of('generations').at(-1)!.owned).toEqual([{ partition: 0, generation: 3 }]);
  });

  it('vouches no more for the attempts of what may be another’s', async () => {
    const a = await world.gateway('a');
    const w = world.worker('w');
    const line = await w.connect(a);
    line.beat();
    await world.settle();
    expect(line.of('beaten').at(-1)!.owned).toEqual([0, 1]);
    a.isOwner = false;
    line.beat();
    await world.settle();
    expect(line.of('beaten').at(-1)!.owned).toEqual([]);
  });

  it('gives half of the partitions to a gateway that comes, with nothing handed out twice', async () => {
    const a = await world.gateway('a');
    const w = world.worker('w', { slots: 4 });
    await w.connect(a);
    await world.scheduler.schedule(anOrder('t'), anOrder('u', { pool: 'p2' }));
    const b = await world.gateway('b');
    await w.connect(b);
    await world.pass(1_000);
    expect(a.gateway.status()).toMatchObject({ assigned: 1, partitions: 1 });
    expect(b.gateway.status()).toMatchObject({ assigned: 1, partitions: 1, recovering: 0 });
    expect(w.handed).toHaveLength(2);
  });
});

describe('results', () => {
  it('are kept by the worker until the history has them', async () => {
    const a = await world.gateway('a');
    const w = world.worker('w');
    await w.connect(a);
    await world.scheduler.schedule(anOrder('t'));
    await w.finish('t', a);
    expect(w.acknowledged).toEqual([]);
    await world.scheduler.durable('t');
    expect(w.acknowledged).toEqual([idOf('t')]);
  });

  it('may come by way of a gateway that does not know the attempt', async () => {
    const a = await world.gateway('a');
    const b = await world.gateway('b');
    const w = world.worker('w', { slots: 4 });
    await w.connect(a);
    await w.connect(b);
    await world.scheduler.schedule(anOrder('t'));
    const other = a.gateway.status().assigned === 1 ? b : a;
    await w.finish('t', other);
    expect(world.scheduler.kinds('t')).toEqual(['finished']);
    await world.scheduler.durable('t');
    expect(w.acknowledged).toEqual([idOf('t')]);
  });

  it('are not believed of an attempt that another worker has', async () => {
    const a = await world.gateway('a');
    const [v, w] = [world.worker('v', { slots: 0 }), world.worker('w', { slots: 1 })];
    const line = await v.connect(a);
    await w.connect(a);
    await world.scheduler.schedule(anOrder('t'));
    await v.report(a, { kind: 'lost', id: idOf('t'), at: 0, reason: 'the lease ended' });
    await v.finish('t', a);
    expect(world.scheduler.reports).toEqual([]);
    expect(line.of('acknowledge')).toHaveLength(2);
    await w.finish('t', a);
    expect(world.scheduler.kinds('t')).toEqual(['finished']);
  });

  it('a second order of what has ended is dropped', async () => {
    const a = await world.gateway('a');
    const w = world.worker('w');
    await w.connect(a);
    await world.scheduler.schedule(anOrder('t'));
    await w.finish('t', a);
    await world.scheduler.durable('t');
    await world.scheduler.say('default_pool', anOrder('t'));
    await world.settle();
    expect(w.handed).toEqual([idOf('t')]);
  });
});

const partitionOf = (pool: string): number => world.bus.partitionOf(TOPICS.tasksReady, pool);
