import { Wards } from './wards.ts';

const ward = (pid: number, lease?: string) => ({
  pid,
  start: '1',
  mark: 'm',
  ...(lease === undefined ? {} : { lease }),
});

describe('wards', () => {
  const wards = (...terms: readonly (readonly [string, number])[]): Wards => {
    const all = new Wards();
    all.apply({ kind: 'renew', terms: terms.map(([lease, until]) => ({ lease, until })) });
    for (const pid of [1, 2, 3]) all.apply({ kind: 'child', ward: ward(pid) });
    return all;
  };

  it('are due when the lease of what they run is over, once', () => {
    const all = wards(['a', 100], ['b', 200]);
    all.apply({ kind: 'busy', pid: 1, lease: 'a' });
    all.apply({ kind: 'busy', pid: 2, lease: 'b' });
    expect(all.nextAt()).toBe(100);
    expect(all.takeDue(99)).toEqual([]);
    expect(all.takeDue(100).map(({ pid }) => pid)).toEqual([1]);
    expect(all.takeDue(150)).toEqual([]);
    expect(all.nextAt()).toBe(200);
  });

  it('have more time with each renewal, and none without one', () => {
    const all = wards(['a', 100]);
    all.apply({ kind: 'busy', pid: 1, lease: 'a' });
    all.apply({ kind: 'renew', terms: [{ lease: 'a', until: 300 }] });
    expect(all.takeDue(299)).toEqual([]);
    all.apply({ kind: 'busy', pid: 2, lease: 'unheard of' });
    expect(all.takeDue(0).map(({ pid }) => pid)).toEqual([2]);
  });

  it('go over to another lease', () => {
    const all = wards(['a', 100], ['b', 200]);
    all.apply({ kind: 'busy', pid: 1, lease: 'a' });
    all.apply({ kind: 'busy', pid: 1, lease: 'b' });
    expect(all.nextAt()).toBe(200);
  });

  it('are left alone between attempts', () => {
    const all = wards(['a', 100]);
    all.apply({ kind: 'busy', pid: 1, lease: 'a' });
    all.apply({ kind: 'busy', pid: 1 });
    expect(all.nextAt()).toBe(Infinity);
    expect(all.takeDue(1_000)).toEqual([]);
    expect(all.all()).toHaveLength(3);
    all.apply({ kind: 'gone', pid: 1 });
    expect(all.all().map(({ pid }) => pid)).toEqual([2, 3]);
  });

  it('are stated to another, without leases that are over', () => {
    const all = wards(['a', 100], ['old', 50], ['unused', 200]);
    all.apply({ kind: 'busy', pid: 1, lease: 'a' });
    const other = new Wards();
    const statement = all.statement(150);
    expect(statement[0]).toEqual({
      kind: 'renew',
      terms: [
        { lease: 'a', until: 100 },
        { lease: 'unused', until: 200 },
      ],
    });
    for (const message of statement) other.apply(message);
    expect(other.all()).toEqual(all.all());
    expect(other.takeDue(150).map(({ pid }) => pid)).toEqual([1]);
  });
});
