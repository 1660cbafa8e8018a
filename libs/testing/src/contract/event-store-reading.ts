import {
  aPrefix,
  appendOne,
  collect,
  fill,
  newEvent,
  newEvents,
  request,
  revisions,
  written,
  type EventStoreFixture,
} from './event-store-kit.ts';

export function describeReading(get: () => EventStoreFixture): void {
  describe('readStream', () => {
    it('answers nothing for a stream that does not exist', async () => {
      expect(await collect(get().store.readStream(aPrefix()))).toEqual([]);
      expect(await collect(get().store.readStream(aPrefix(), { backwards: true }))).toEqual([]);
    });

    it('reads forwards and backwards, from a revision, with a limit', async () => {
      const { store } = get();
      const stream = aPrefix();
      await fill(store, stream, 10);
      expect(await revisions(store, stream, { from: 7 })).toEqual([7, 8, 9]);
      expect(await revisions(store, stream, { from: 2, limit: 2 })).toEqual([2, 3]);
      expect(await revisions(store, stream, { backwards: true, limit: 3 })).toEqual([9, 8, 7]);
      expect(await revisions(store, stream, { backwards: true, from: 1 })).toEqual([1, 0]);
      expect(await revisions(store, stream, { from: 10 })).toEqual([]);
    });

    it('reads the stream as it was at a position', async () => {
      const { store } = get();
      const [stream, other] = [aPrefix(), aPrefix()];
      await appendOne(store, stream, 'noStream', newEvents(2));
      const then = written(await appendOne(store, other, 'noStream', [newEvent()])).position;
      await appendOne(store, stream, 1, newEvents(2));
      expect(await revisions(store, stream, { upTo: then })).toEqual([0, 1]);
      expect(await revisions(store, stream, { upTo: then, backwards: true })).toEqual([1, 0]);
      expect(await revisions(store, stream, { upTo: 0 })).toEqual([]);
    });

    it('reads a long stream in pages', async () => {
      const { store } = get();
      const stream = aPrefix();
      await fill(store, stream, 4_500);
      let pages = 0;
      const seen: number[] = [];
      for await (const page of store.readStream(stream)) {
        pages += 1;
        for (const e of page) seen.push(e.revision);
      }
      expect(seen).toEqual(Array.from({ length: 4_500 }, (_, i) => i));
      expect(pages).toBeGreaterThan(1);
      expect(await revisions(store, stream, { backwards: true, limit: 3_000 })).toEqual(
        Array.from({ length: 3_000 }, (_, i) => 4_499 - i),
      );
    });

    it('can be left early', async () => {
      const { store } = get();
      const stream = aPrefix();
      await fill(store, stream, 4_500);
      for await (const page of store.readStream(stream)) {
        expect(page[0]?.revision).toBe(0);
        break;
      }
      expect(written(await appendOne(store, stream, 4_499, [newEvent()])).revision).toBe(4_500);
    });
  });

  describe('readAll', () => {
    it('reads the whole history after a position, in order', async () => {
      const { store } = get();
      const prefix = aPrefix();
      const before = await store.head();
      for (let i = 0; i < 6; i++) await appendOne(store, `${prefix}${i % 2}`, 'any', [newEvent('E', { i })]);
      const events = (await collect(store.readAll(before))).filter((e) => e.stream.startsWith(prefix));
      expect(events.map((e) => (JSON.parse(e.data) as { i: number }).i)).toEqual([0, 1, 2, 3, 4, 5]);
      expect(events.map((e) => e.position)).toEqual(events.map((e) => e.position).toSorted((a, b) => a - b));
      const rest = await collect(store.readAll(events[3]!.position, { filter: { streamPrefixes: [prefix] } }));
      expect(rest.map((e) => e.position)).toEqual(events.slice(4).map((e) => e.position));
    });

    it('filters by stream prefix and by type', async () => {
      const { store } = get();
      const prefix = aPrefix();
      for (const kind of ['a', 'b', 'c'])
        await appendOne(store, `${prefix}${kind}-1`, 'noStream', [newEvent('One'), newEvent('Two')]);
      const names = async (filter: { streamPrefixes?: string[]; eventTypes?: string[] }): Promise<string[]> =>
        (await collect(store.readAll(0, { filter }))).map((e) => `${e.stream.slice(prefix.length)} ${e.type}`);
      expect(await names({ streamPrefixes: [`${prefix}a-`, `${prefix}c-`] })).toEqual([
        'a-1 One',
        'a-1 Two',
        'c-1 One',
        'c-1 Two',
      ]);
      expect(await names({ streamPrefixes: [prefix], eventTypes: ['Two'] })).toEqual(['a-1 Two', 'b-1 Two', 'c-1 Two']);
      expect(await names({ streamPrefixes: [`${prefix}z`] })).toEqual([]);
      expect(
        (await collect(store.readAll(0, { filter: { eventTypes: ['Two'] } }))).filter((e) =>
          e.stream.startsWith(prefix),
        ),
      ).toHaveLength(3);
    });

    it('takes a prefix literally', async () => {
      const { store } = get();
      const prefix = `${aPrefix()}%_*`;
      await appendOne(store, `${prefix}x`, 'noStream', [newEvent()]);
      await appendOne(store, prefix.replace('%_*', 'abc'), 'noStream', [newEvent()]);
      expect(await collect(store.readAll(0, { filter: { streamPrefixes: [prefix] } }))).toHaveLength(1);
      expect(await store.listStreams(prefix)).toEqual([{ stream: `${prefix}x`, revision: 0 }]);
    });

    it('ends at a position and at a limit', async () => {
      const { store } = get();
      const stream = aPrefix();
      await appendOne(store, stream, 'noStream', newEvents(3));
      const middle = written(await appendOne(store, stream, 2, newEvents(2))).position;
      await appendOne(store, stream, 4, newEvents(3));
      const filter = { streamPrefixes: [stream] };
      expect(await collect(store.readAll(0, { filter, upTo: middle }))).toHaveLength(5);
      expect((await collect(store.readAll(0, { filter, limit: 4 }))).map((e) => e.revision)).toEqual([0, 1, 2, 3]);
    });

    it('reads a large history in pages, nothing twice', async () => {
      const { store } = get();
      const stream = aPrefix();
      await fill(store, stream, 5_000);
      const events = await collect(store.readAll(0, { filter: { streamPrefixes: [stream] } }));
      expect(events.map((e) => e.revision)).toEqual(Array.from({ length: 5_000 }, (_, i) => i));
    });
  });

  describe('heads and times', () => {
    it('lists the heads of streams by prefix, in order of name', async () => {
      const { store } = get();
      const prefix = aPrefix();
      await store.append([
        request(`${prefix}b`, 'noStream', newEvents(2)),
        request(`${prefix}a`, 'noStream', newEvents(1)),
        request(`x${prefix}`, 'noStream', newEvents(1)),
      ]);
      expect(await store.listStreams(prefix)).toEqual([
        { stream: `${prefix}a`, revision: 0 },
        { stream: `${prefix}b`, revision: 1 },
      ]);
      expect(await store.listStreams(`${prefix}none`)).toEqual([]);
    });

    it('answers the position of the last event', async () => {
      const { store } = get();
      const { position } = written(await appendOne(store, aPrefix(), 'noStream', newEvents(3)));
      expect(await store.head()).toBeGreaterThanOrEqual(position);
    });

    it('resolves a time to the last position committed by then (I18)', async () => {
      const { store } = get();
      const stream = aPrefix();
      const pause = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 15));
      const first = written(await appendOne(store, stream, 'noStream', newEvents(2))).position;
      await pause();
      const between = Date.now();
      await pause();
      const second = written(await appendOne(store, stream, 1, newEvents(1))).position;
      await pause();
      const at = await store.positionAt(between);
      expect(at).toBeGreaterThanOrEqual(first);
      expect(at).toBeLessThan(second);
      expect(await store.positionAt(Date.now())).toBeGreaterThanOrEqual(second);
      expect(await store.positionAt(0)).toBe(0);
    });
  });
}
