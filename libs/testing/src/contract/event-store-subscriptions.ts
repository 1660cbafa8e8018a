import {
  aPrefix,
  appendOne,
  collect,
  fill,
  newEvent,
  newEvents,
  Recorder,
  revisions,
  written,
  type EventStoreFixture,
} from './event-store-kit.ts';

export function describeSubscriptions(get: () => EventStoreFixture): void {
  describe('subscribe', () => {
    it('delivers what stands and what comes, in order, once', async () => {
      const { store } = get();
      const stream = aPrefix();
      await fill(store, stream, 10);
      const recorder = new Recorder(store, { after: 0, filter: { streamPrefixes: [stream] } });
      const { position } = written(await appendOne(store, stream, 9, newEvents(10)));
      await recorder.reached(position);
      expect(recorder.events.map((e) => e.revision)).toEqual(Array.from({ length: 20 }, (_, i) => i));
      expect(recorder.events).toEqual(await collect(store.readStream(stream)));
      await recorder.subscription.stop();
    });

    it('begins in the middle while appends go on, without a gap or a repeat', async () => {
      const { store } = get();
      const stream = aPrefix();
      const start = await fill(store, stream, 3_000);
      const middle = (await collect(store.readStream(stream, { from: 1_499, limit: 1 })))[0]!.position;
      const recorder = new Recorder(store, { after: middle });
      let last = start;
      for (let i = 0; i < 60; i++)
        last = written(await appendOne(store, stream, 2_999 + i * 20, newEvents(20))).position;
      await recorder.reached(last);
      const seen = recorder.events.filter((e) => e.stream === stream).map((e) => e.revision);
      expect(seen).toEqual(Array.from({ length: 2_700 }, (_, i) => 1_500 + i));
      await recorder.subscription.stop();
    });

    it('gives the next batch only when the last is settled, and loses nothing to a slow subscriber', async () => {
      const { store } = get();
      const stream = aPrefix();
      let active = 0;
      let overlapped = false;
      const recorder = new Recorder(
        store,
        { after: await store.head(), filter: { streamPrefixes: [stream] } },
        async () => {
          active += 1;
          overlapped ||= active > 1;
          await new Promise((resolve) => setTimeout(resolve, 5));
          active -= 1;
        },
      );
      let last = 0;
      for (let i = 0; i < 40; i++)
        last = written(await appendOne(store, stream, i === 0 ? 'noStream' : i * 5 - 1, newEvents(5))).position;
      await recorder.reached(last);
      expect(overlapped).toBe(false);
      expect(recorder.events.map((e) => e.revision)).toEqual(Array.from({ length: 200 }, (_, i) => i));
      await recorder.subscription.stop();
    });

    it('moves `through` where nothing passes the filter', async () => {
      const { store } = get();
      const recorder = new Recorder(store, {
        after: await store.head(),
        filter: { streamPrefixes: [aPrefix()], eventTypes: ['Never'] },
      });
      const { position } = written(await appendOne(store, aPrefix(), 'noStream', newEvents(5)));
      await recorder.reached(position);
      expect(recorder.events).toEqual([]);
      await recorder.subscription.stop();
    });

    it('filters by type', async () => {
      const { store } = get();
      const stream = aPrefix();
      await appendOne(store, stream, 'noStream', [newEvent('One'), newEvent('Two'), newEvent('One')]);
      const recorder = new Recorder(store, { after: 0, filter: { streamPrefixes: [stream], eventTypes: ['Two'] } });
      const { position } = written(await appendOne(store, stream, 2, [newEvent('Two'), newEvent('One')]));
      await recorder.reached(position);
      expect(recorder.events.map((e) => e.revision)).toEqual([1, 3]);
      await recorder.subscription.stop();
    });

    it('serves several subscribers, each at its own place', async () => {
      const { store } = get();
      const stream = aPrefix();
      const other = (await get().connect?.()) ?? store;
      const start = await fill(store, stream, 100);
      const recorders = [
        new Recorder(store, { after: 0 }),
        new Recorder(other, { after: start }),
        new Recorder(other, { after: 0 }),
      ];
      const { position } = written(await appendOne(store, stream, 99, newEvents(10)));
      await Promise.all(recorders.map((r) => r.reached(position)));
      expect(recorders.map((r) => r.events.filter((e) => e.stream === stream).length)).toEqual([110, 10, 110]);
      for (const r of recorders) await r.subscription.stop();
      if (other !== store) await other.close();
    });

    it('delivers nothing after stop has resolved', async () => {
      const { store } = get();
      const stream = aPrefix();
      const recorder = new Recorder(store, { after: await store.head(), filter: { streamPrefixes: [stream] } });
      const { position } = written(await appendOne(store, stream, 'noStream', newEvents(2)));
      await recorder.reached(position);
      await recorder.subscription.stop();
      const probe = new Recorder(store, { after: position });
      const later = written(await appendOne(store, stream, 1, newEvents(2))).position;
      await probe.reached(later);
      expect(recorder.events).toHaveLength(2);
      await probe.subscription.stop();
    });

    it('ends with onDrop when the subscriber throws', async () => {
      const { store } = get();
      const stream = aPrefix();
      const recorder = new Recorder(
        store,
        { after: await store.head(), filter: { streamPrefixes: [stream] } },
        (events) => {
          if (events.length > 0) throw new Error('cannot go on');
        },
      );
      await appendOne(store, stream, 'noStream', [newEvent()]);
      await recorder.until(() => recorder.dropped !== undefined);
      expect(recorder.dropped?.message).toContain('cannot go on');
      await recorder.subscription.stop();
    });

    it('lets a subscriber append from inside its batch', async () => {
      const { store } = get();
      const [stream, echo] = [aPrefix(), aPrefix()];
      const recorder = new Recorder(
        store,
        { after: await store.head(), filter: { streamPrefixes: [stream] } },
        async (events) => {
          for (const e of events) written(await appendOne(store, echo, 'any', [newEvent('Echo', { of: e.revision })]));
        },
      );
      await appendOne(store, stream, 'noStream', newEvents(3));
      await recorder.until(() => recorder.events.length === 3);
      expect(await revisions(store, echo, {})).toEqual([0, 1, 2]);
      await recorder.subscription.stop();
    });
  });
}
