import { randomUUID } from 'node:crypto';
import type { TruncatingEventStore } from '@rondo/ports';
import { eventHash, prevOf } from '@rondo/contracts';
import { appendOne, collect, newEvents, written } from './event-store-kit.ts';

export interface TruncationFixture {
  readonly store: TruncatingEventStore;
  readonly dispose: () => Promise<void>;
}

/** What every store whose streams may begin later must do. */
export function describeTruncationContract(name: string, open: () => Promise<TruncationFixture>): void {
  describe(`truncation: ${name}`, () => {
    let fixture: TruncationFixture;
    let store: TruncatingEventStore;
    let stream: string;
    beforeEach(async () => {
      fixture = await open();
      store = fixture.store;
      stream = `dagRun-${randomUUID()}`;
      written(await appendOne(store, stream, 'noStream', newEvents(5)));
    });
    afterEach(() => fixture.dispose());

    const revisions = async (options: Parameters<TruncatingEventStore['readStream']>[1] = {}): Promise<number[]> =>
      (await collect(store.readStream(stream, options))).map(({ revision }) => revision);

    it('a stream begins later, and tells where', async () => {
      expect(await store.cutOf(stream)).toBeUndefined();
      await store.truncate(stream, { before: 3, note: 'abc' });
      expect(await store.cutOf(stream)).toEqual({ before: 3, note: 'abc' });
      expect(await revisions()).toEqual([3, 4]);
      expect(await revisions({ from: 1 })).toEqual([3, 4]);
      expect(await revisions({ backwards: true })).toEqual([4, 3]);
    });

    it('goes on where it was, chained to its last event', async () => {
      await store.truncate(stream, { before: 4, note: 'abc' });
      expect(written(await appendOne(store, stream, 4, newEvents(1))).revision).toBe(5);
      const [last, next] = await collect(store.readStream(stream));
      const hash = eventHash(stream, last!.revision, last!.id, last!.type, last!.data, last!.meta);
      expect(prevOf(next!.meta)).toBe(hash);
    });

    it('another client finds it so', async () => {
      await store.truncate(stream, { before: 4, note: 'abc' });
      expect(await appendOne(store, stream, 2, newEvents(1))).toMatchObject({ ok: false, actual: 4 });
      expect((await store.listStreams(stream)).map(({ revision }) => revision)).toEqual([4]);
    });

    it('a cut that is late changes nothing', async () => {
      await store.truncate(stream, { before: 4, note: 'new' });
      await store.truncate(stream, { before: 4, note: 'again' });
      await store.truncate(stream, { before: 2, note: 'old' });
      expect(await store.cutOf(stream)).toEqual({ before: 4, note: 'new' });
      await Promise.all([1, 2, 3].map((at) => store.truncate(stream, { before: 4, note: `${at}` })));
      expect(await revisions()).toEqual([4]);
    });

    it('the last event stays', async () => {
      await expect(store.truncate(stream, { before: 5, note: 'abc' })).rejects.toThrow(RangeError);
      await expect(store.truncate('dagRun-none', { before: 1, note: 'abc' })).rejects.toThrow(RangeError);
      expect(await revisions()).toEqual([0, 1, 2, 3, 4]);
    });
  });
}
