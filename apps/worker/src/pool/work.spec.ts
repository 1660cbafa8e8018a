import { WorkQueue, type Work } from './work.ts';

const work = (id: string, hash = 'b'): Work => ({ id, kind: 'attempt', bundle: { hash, file: 'd.ts' }, json: '{}' });
const [B, C] = ['b/d.ts', 'c/d.ts'] as const;

describe('a work queue', () => {
  it('keeps the order of each bundle, and a child with its own while the others are not overdue', () => {
    const queue = new WorkQueue(100);
    for (const [id, hash] of [
      ['1', 'b'],
      ['2', 'c'],
      ['3', 'b'],
      ['4', 'c'],
    ] as const)
      queue.push(work(id, hash), 0);
    expect(queue.takeFor(B, 50)?.id).toBe('1');
    expect(queue.takeFor(B, 50)?.id).toBe('3');
    expect(queue.takeFor(B, 50)).toBeUndefined();
    expect(queue.bundles(50)).toEqual([{ key: C, isOverdue: false }]);
  });

  it('lets a bundle go first that has waited longer than the patience', () => {
    const queue = new WorkQueue(100);
    queue.push(work('old', 'c'), 0);
    queue.push(work('young', 'b'), 90);
    expect(queue.takeFor(B, 101)).toBeUndefined();
    expect(queue.bundles(101)).toEqual([
      { key: C, isOverdue: true },
      { key: B, isOverdue: false },
    ]);
    expect(queue.takeOldest(C)?.id).toBe('old');
    expect(queue.takeFor(B, 101)?.id).toBe('young');
    expect(queue.size).toBe(0);
  });

  it('forgets what is removed', () => {
    const queue = new WorkQueue();
    for (let i = 0; i < 5_000; i++) queue.push(work(String(i)), 0);
    for (let i = 0; i < 4_999; i++) expect(queue.remove(String(i))?.id).toBe(String(i));
    expect(queue.remove('0')).toBeUndefined();
    expect(queue.takeFor(B, 0)?.id).toBe('4999');
    expect(queue.hasBundle(B)).toBe(false);
  });

  it('is emptied in order', () => {
    const queue = new WorkQueue();
    for (const id of ['x', 'y']) queue.push(work(id), 0);
    expect(queue.clear().map(({ id }) => id)).toEqual(['x', 'y']);
    expect(queue.size).toBe(0);
  });
});
