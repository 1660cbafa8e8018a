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
    expect(pool.load('p')).toEqual({ occupied: 2, queued: 2 });
    pool.release(small);
    expect(admitted(pool)).toEqual([]);
    pool.release(order('first'));
    expect(admitted(pool)).toEqual(['big']);
    expect(pool.load('p')).toEqual({ occupied: 2, queued: 0 });
  });

  it('of a full pool holds back no other', () => {
    const pool = admission(0, [order('a', { priority: 100 }), order('b', { pool: 'q' })]);
    pool.setPool('q', { name: 'q', slots: 1, includeDeferred: false });
    expect(admitted(pool)).toEqual(['b']);
    expect(pool.waitOf('a')).toEqual({ kind: 'poolTooSmall', pool: 'p', slots: 0, wanted: 1 });
  });

  it('waits for a pool that does not exist, and goes on when it is set, resized or gone', () => {
    const pool = admission(1, [order('a', { pool: 'q' }), order('b', { pool: 'q' }), order('c', { pool: 'q' })]);
    expect(admitted(pool)).toEqual([]);
    expect(pool.waitOf('a')).toEqual({ kind: 'noPool', pool: 'q' });
    pool.setPool('q', { name: 'q', slots: 1, includeDeferred: false });
    expect(admitted(pool)).toEqual(['a']);
    expect(pool.waitOf('b')).toMatchObject({ kind: 'poolFull', occupied: 1, slots: 1 });
    pool.setPool('q', { name: 'q', slots: 2, includeDeferred: false });
    expect(admitted(pool)).toEqual(['b']);
    pool.setPool('q', undefined);
    pool.release(order('a', { pool: 'q' }));
    expect(admitted(pool)).toEqual([]);
    expect(pool.waitOf('c')).toEqual({ kind: 'noPool', pool: 'q' });
    expect(pool.waitOf('a')).toBeUndefined();
  });

  it('waits for a worker that serves the queue and the executor', () => {
    const pool = admission(-1, [order('a', { queue: 'gpu' }), order('b', { executor: 'far' }), order('c')]);
    pool.setService({ queue: (name) => name === 'default', executor: () => false });
    expect(pool.waitOf('a')).toEqual({ kind: 'queue', queue: 'gpu' });
    expect(pool.waitOf('b')).toEqual({ kind: 'executor', executor: 'far' });
    expect(pool.waitOf('c')).toEqual({ kind: 'slot' });
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
});
