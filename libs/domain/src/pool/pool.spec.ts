import { Admission, poolUsage, poolWait, type Demand } from './index.ts';

interface Order extends Demand {
  readonly id: string;
}

const order = (id: string, change: Partial<Order> = {}): Order => ({
  id,
  pool: 'p',
  poolSlots: 1,
  queue: 'default',
  priority: 1,
  ...change,
});

const everything = { queue: () => true, executor: () => true };

function admission(slots: number, orders: readonly Order[] = []): Admission<Order> {
  const made = new Admission<Order>([{ name: 'p', slots, includeDeferred: false }], everything);
  for (const each of orders) made.push(each.id, each);
  return made;
}

function admitted(from: Admission<Order>): string[] {
  const ids: string[] = [];
  for (let next = from.admit(); next !== undefined; next = from.admit()) ids.push(next.id);
  return ids;
}

describe('slots of a pool', () => {
  const states = [
    { state: 'running', poolSlots: 2 },
    { state: 'queued', poolSlots: 1 },
    { state: 'deferred', poolSlots: 3 },
    { state: 'success', poolSlots: 9 },
  ] as const;

  it('are held by what is queued and running, and by what is deferred where it counts', () => {
    expect(poolUsage({ slots: 5, includeDeferred: false }, states)).toMatchObject({ occupied: 3, open: 2 });
    expect(poolUsage({ slots: 5, includeDeferred: true }, states)).toMatchObject({ occupied: 6, open: -1 });
    expect(poolUsage({ slots: -1, includeDeferred: false }, states).open).toBe(Infinity);
  });

  it('are refused with the reason', () => {
    expect(poolWait('p', undefined, 0, 1)).toEqual({ kind: 'noPool', pool: 'p' });
    expect(poolWait('p', { slots: 2 }, 0, 3)).toMatchObject({ kind: 'poolTooSmall', slots: 2, wanted: 3 });
    expect(poolWait('p', { slots: 2 }, 2, 1)).toMatchObject({ kind: 'poolFull', occupied: 2 });
    expect(poolWait('p', { slots: 2 }, 1, 1)).toBeUndefined();
    expect(poolWait('p', { slots: -1 }, 1e9, 1e9)).toBeUndefined();
  });
});

describe('admission', () => {
  it('goes by priority, then first come', () => {
    const orders = [order('a'), order('b', { priority: 5 }), order('c'), order('d', { priority: 5 })];
    expect(admitted(admission(-1, orders))).toEqual(['b', 'd', 'a', 'c']);
  });

  it('passes over what does not fit, and takes it when it does', () => {
    const big = order('big', { poolSlots: 2, priority: 9 });
    const small = order('small');
    const pool = admission(2, [order('first', { priority: 10 }), big, small]);
    expect(admitted(pool)).toEqual(['first', 'small']);
    expect(pool.load('p')).toEqual({ occupied: 2, deferred: 0, queued: 2 });
    pool.release(small);
    expect(admitted(pool)).toEqual([]);
    pool.release(order('first'));
    expect(admitted(pool)).toEqual(['big']);
    expect(pool.load('p')).toEqual({ occupied: 2, deferred: 0, queued: 0 });
  });

  it('of a full pool holds back no other', () => {
    const pool = admission(0, [order('a', { priority: 100 }), order('b', { pool: 'q' })]);
    pool.setPool('q', { name: 'q', slots: 1, includeDeferred: false });
    expect(admitted(pool)).toEqual(['b']);
    expect(pool.standOf(order('a'))).toMatchObject({ pool: { slots: 0 }, held: 0 });
  });

  it('waits for a pool that does not exist, and goes on when it is set, resized or gone', () => {
    const pool = admission(1, [order('a', { pool: 'q' }), order('b', { pool: 'q' }), order('c', { pool: 'q' })]);
    expect(admitted(pool)).toEqual([]);
    expect(pool.standOf(order('a', { pool: 'q' })).pool).toBeUndefined();
    pool.setPool('q', { name: 'q', slots: 1, includeDeferred: false });
    expect(admitted(pool)).toEqual(['a']);
    expect(pool.standOf(order('b', { pool: 'q' }))).toMatchObject({ held: 1, pool: { slots: 1 } });
    pool.setPool('q', { name: 'q', slots: 2, includeDeferred: false });
    expect(admitted(pool)).toEqual(['b']);
    pool.setPool('q', undefined);
    pool.release(order('a', { pool: 'q' }));
    expect(admitted(pool)).toEqual([]);
    expect(pool.standOf(order('c', { pool: 'q' })).pool).toBeUndefined();
    expect([pool.has('c'), pool.has('a')]).toEqual([true, false]);
  });

  it('waits for a worker that serves the queue and the executor', () => {
    const pool = admission(-1, [order('a', { queue: 'gpu' }), order('b', { executor: 'far' }), order('c')]);
    pool.setService({ queue: (name) => name === 'default', executor: () => false });
    expect(pool.standOf(order('a', { queue: 'gpu' }))).toMatchObject({ isServed: false, hasExecutor: true });
    expect(pool.standOf(order('b', { executor: 'far' }))).toMatchObject({ isServed: true, hasExecutor: false });
    expect(pool.standOf(order('c'))).toMatchObject({ isServed: true, hasExecutor: true });
    expect(admitted(pool)).toEqual(['c']);
    pool.setService(everything);
    expect(admitted(pool)).toEqual(['a', 'b']);
  });

  it('forgets an order that is taken back', () => {
    const pool = admission(1, [order('a', { priority: 2 }), order('b')]);
    expect([pool.remove('a'), pool.remove('a'), pool.has('a'), pool.has('b'), pool.size]).toEqual([
      true,
      false,
      false,
      true,
      1,
    ]);
    expect(admitted(pool)).toEqual(['b']);
  });

  describe('goes on after the priority', () => {
    it('by the priority of the DAG before it, then logical date, then map index', () => {
      const orders = [
        order('none'),
        order('late', { logicalDate: 2 }),
        order('third', { logicalDate: 1, mapIndex: [2] }),
        order('second', { logicalDate: 1, mapIndex: [1, 9] }),
        order('first', { logicalDate: 1, mapIndex: [1] }),
        order('heavy', { priority: 2 }),
        order('urgent', { dagPriority: 1, priority: -5 }),
      ];
      expect(admitted(admission(-1, orders))).toEqual(['urgent', 'heavy', 'first', 'second', 'third', 'late', 'none']);
    });

    it('by a rank that was given while it waited', () => {
      const pool = admission(-1, [order('a'), order('b'), order('c')]);
      pool.replace('c', { dagPriority: 0, priority: 7 });
      pool.replace('gone', { dagPriority: 0, priority: 7 });
      expect(admitted(pool)).toEqual(['c', 'a', 'b']);
    });
  });

  describe('under limits', () => {
    const under = (most: number, key = 'run r') => [{ scope: 'run' as const, key, most }];

    it('passes over what is at its limit, and takes the best when a place comes free', () => {
      const [a, b, c] = ['a', 'b', 'c'].map((id) => order(id, { limits: under(1) }));
      const pool = admission(-1, [a!, b!, order('free')]);
      expect(admitted(pool)).toEqual(['a', 'free']);
      pool.push('c', { ...c!, priority: 9 });
      expect(pool.standOf(b!).limits).toEqual([{ limit: under(1)[0], active: 1 }]);
      pool.release(a!);
      expect(admitted(pool)).toEqual(['c']);
      pool.release(c!);
      expect(admitted(pool)).toEqual(['b']);
    });

    it('a full pool holds back nothing of the same run in another', () => {
      const limits = under(2);
      const orders = ['a', 'b', 'c'].map((id) => order(id, { priority: 9, limits }));
      const pool = admission(1, [...orders, order('other', { pool: 'q', limits })]);
      pool.setPool('q', { name: 'q', slots: 1, includeDeferred: false });
      expect(admitted(pool)).toEqual(['a', 'other']);
    });

    it('are what was said of them last', () => {
      const pool = admission(-1, [order('a', { limits: under(1) }), order('b', { limits: under(1) })]);
      expect(admitted(pool)).toEqual(['a']);
      pool.push('c', order('c', { limits: under(3) }));
      expect(admitted(pool)).toEqual(['b', 'c']);
    });
  });

  it('counts the slots of deferred orders where the pool includes them', () => {
    const pool = new Admission<Order>([{ name: 'p', slots: 1, includeDeferred: true }], everything);
    const [a, b] = [order('a'), order('b')];
    pool.push('a', a);
    pool.push('b', b);
    expect(admitted(pool)).toEqual(['a']);
    pool.release(a, true);
    expect(admitted(pool)).toEqual([]);
    expect(pool.load('p')).toEqual({ occupied: 0, deferred: 1, queued: 1 });
    pool.setPool('p', { name: 'p', slots: 1, includeDeferred: false });
    expect(admitted(pool)).toEqual(['b']);
    pool.setPool('p', { name: 'p', slots: 2, includeDeferred: true });
    pool.push('c', order('c'));
    expect(admitted(pool)).toEqual([]);
    pool.defer('p', -1);
    expect(admitted(pool)).toEqual(['c']);
  });
});

describe('orders that wait', () => {
  it('are counted by queue, also those that a full pool or a limit holds back', () => {
    const limits = [{ scope: 'task', key: 'k', most: 1 } as const];
    const pool = admission(2, [
      order('a', { limits }),
      order('b', { limits }),
      order('c', { queue: 'gpu' }),
      order('d'),
    ]);
    expect(Object.fromEntries(pool.waitingByQueue())).toEqual({ default: 3, gpu: 1 });
    admitted(pool);
    expect([...pool.waitingByQueue().values()].reduce((sum, n) => sum + n, 0)).toBe(2);
  });
});
