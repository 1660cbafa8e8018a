import { WorkQueue, type Work } from './work.ts';

const work = (id: string, hash = 'b'): Work => ({
  id,
  kind: 'attempt',
  bundle: { hash, file: 'd.ts' },
  json: '{}',
});
const [B, C] = ['b/d.ts', 'c/d.ts'] as const;

describe('a work queue', () => {
  it('keeps the order, as a whole and of each bundle', () => {
    const queue = new WorkQueue();
    for (const [id, hash, at] of [
      ['1', 'b', 1],
      ['2', 'c', 2],
      ['3', 'b', 3],
      ['4', 'c', 4],
    ] as const)
      queue.push(work(id, hash), at);
    expect(queue.oldest()).toEqual({ key: B, at: 1 });
    expect(queue.takeOldest(B)?.id).toBe('1');
    expect(queue.bundles()).toEqual([
      { key: C, at: 2 },
      { key: B, at: 3 },
    ]);
    expect(queue.takeOldest(B)?.id).toBe('3');
    expect(queue.takeOldest(B)).toBeUndefined();
    expect(queue.oldest()).toEqual({ key: C, at: 2 });
    expect(queue.bundles()).toEqual([{ key: C, at: 2 }]);
  });

  it('forgets what is removed', () => {
    const queue = new WorkQueue();
    for (let i = 0; i < 5_000; i++) queue.push(work(String(i)), 0);
    for (let i = 0; i < 4_999; i++) expect(queue.remove(String(i))?.id).toBe(String(i));
    expect(queue.remove('0')).toBeUndefined();
    expect(queue.takeOldest(B)?.id).toBe('4999');
    expect(queue.hasBundle(B)).toBe(false);
    expect(queue.oldest()).toBeUndefined();
  });

  it('is emptied in order', () => {
    const queue = new WorkQueue();
    for (const id of ['x', 'y']) queue.push(work(id), 0);
    expect(queue.clear().map(({ id }) => id)).toEqual(['x', 'y']);
    expect(queue.size).toBe(0);
  });
});
