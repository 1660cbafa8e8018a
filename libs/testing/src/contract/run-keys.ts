import type { RunKeys } from '@rondo/ports';

export interface RunKeysFixture {
  readonly keys: RunKeys;
  /** The same store, opened anew. */
  reopen(): Promise<RunKeys>;
  dispose(): Promise<void>;
}

const id = (n: number): string => n.toString(16).padStart(32, '0');

/** What every store of run keys keeps to (I14). */
export function describeRunKeysContract(name: string, make: () => Promise<RunKeysFixture>): void {
  describe(`run keys: ${name}`, () => {
    let given: RunKeysFixture;
    beforeEach(async () => {
      given = await make();
    });
    afterEach(() => given.dispose());

    it('has nothing of an id that nobody has made', async () => {
      expect(await given.keys.get(id(1))).toBeUndefined();
    });

    it('answers the key that is kept, and keeps the first', async () => {
      expect(await given.keys.create(id(1), 'one')).toEqual({ key: 'one' });
      expect(await given.keys.create(id(1), 'another')).toEqual({ key: 'one' });
      expect(await given.keys.get(id(1))).toEqual({ key: 'one' });
      expect(await given.keys.get(id(2))).toBeUndefined();
    });

    it('gives the same key to all who make it at once', async () => {
      const made = await Promise.all(Array.from({ length: 20 }, (_, n) => given.keys.create(id(7), `k${n}`)));
      expect(new Set(made.map((each) => JSON.stringify(each))).size).toBe(1);
    });

    it('deletes for good: nobody makes it again', async () => {
      await given.keys.create(id(1), 'one');
      await given.keys.create(id(2), 'two');
      await given.keys.delete(id(1));
      await given.keys.delete(id(1));
      expect(await given.keys.get(id(1))).toBe('erased');
      expect(await given.keys.create(id(1), 'again')).toBe('erased');
      expect(await given.keys.get(id(2))).toEqual({ key: 'two' });
    });

    it('deletes what was never made, so that it never is', async () => {
      await given.keys.delete(id(3));
      expect(await given.keys.create(id(3), 'late')).toBe('erased');
    });

    it('tells which erasures are not finished: with a key, without one, and unknown', async () => {
      for (const n of [1, 2, 3]) await given.keys.create(id(n), `k${n}`);
      await given.keys.delete(id(2));
      await given.keys.delete(id(3));
      await given.keys.finish(id(3));
      await given.keys.finish(id(3));
      expect([...(await given.keys.unfinished([1, 2, 3, 4].map(id)))].sort()).toEqual([1, 2, 4].map(id));
      expect(await given.keys.unfinished([])).toEqual([]);
    });

    it('does not finish a key that is not deleted', async () => {
      await given.keys.create(id(1), 'one');
      await given.keys.finish(id(1));
      expect(await given.keys.unfinished([id(1)])).toEqual([id(1)]);
      expect(await given.keys.get(id(1))).toEqual({ key: 'one' });
    });

    it('still knows all of it when it is opened again', async () => {
      await given.keys.create(id(1), 'one');
      await given.keys.create(id(2), 'two');
      await given.keys.delete(id(2));
      const again = await given.reopen();
      expect(await again.get(id(1))).toEqual({ key: 'one' });
      expect(await again.get(id(2))).toBe('erased');
      expect(await again.unfinished([id(1), id(2)])).toHaveLength(2);
    });
  });
}
