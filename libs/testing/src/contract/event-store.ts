import { randomUUID } from 'node:crypto';
import { AppendTooLargeError } from '@rondo/ports';
import {
  appendOne,
  collect,
  newEvent,
  newEvents,
  request,
  written,
  type EventStoreFactory,
  type EventStoreFixture,
} from './event-store-kit.ts';
import { describeReading } from './event-store-reading.ts';
import { describeSubscriptions } from './event-store-subscriptions.ts';

export type { EventStoreFactory, EventStoreFixture } from './event-store-kit.ts';

/** The rules of the EventStore port. The factory may answer a store that already holds other streams. */
export function describeEventStoreContract(name: string, factory: EventStoreFactory): void {
  describe(`${name}: event store`, () => {
    let fixture: EventStoreFixture;
    const get = (): EventStoreFixture => fixture;
    beforeEach(async () => {
      fixture = await factory();
    });
    afterEach(() => fixture.dispose());

    describeAppending(get);
    describeConflicts(get);
    describeRepeats(get);
    describeReading(get);
    describeSubscriptions(get);
    describeSnapshots(get);
  });
}

type Get = () => EventStoreFixture;
const aStream = (): string => `contract-${randomUUID()}`;

function describeAppending(get: Get): void {
  describe('append', () => {
    it('answers the revision and the position of the last event', async () => {
      const stream = aStream();
      const first = written(await appendOne(get().store, stream, 'noStream', newEvents(3)));
      expect(first.revision).toBe(2);
      const second = written(await appendOne(get().store, stream, 2, [newEvent()]));
      expect(second.revision).toBe(3);
      expect(second.position).toBeGreaterThan(first.position);
      const events = await collect(get().store.readStream(stream));
      expect(events.map((e) => e.revision)).toEqual([0, 1, 2, 3]);
      expect(events.map((e) => e.position)[2]).toBe(first.position);
      expect(events.at(-1)?.position).toBe(second.position);
    });

    it('keeps id, type and data, and puts the hash of the previous event in front of the metadata', async () => {
      const stream = aStream();
      const sent = [newEvent('First', { text: 'a' }), { ...newEvent('Second'), meta: '{}' }, newEvent('Third', [])];
      await appendOne(get().store, stream, 'noStream', sent);
      const read = await collect(get().store.readStream(stream));
      expect(read.map(({ id, type, data }) => ({ id, type, data }))).toEqual(
        sent.map(({ id, type, data }) => ({ id, type, data })),
      );
      expect(read[0]?.meta).toBe('{"prev":"","actor":"test"}');
      expect(read[1]?.meta).toMatch(/^\{"prev":"[\w-]{43}"\}$/);
      expect(read[2]?.meta).toMatch(/^\{"prev":"[\w-]{43}","actor":"test"\}$/);
    });

    it('keeps the hash chain over separate appends', async () => {
      const stream = aStream();
      const other = aStream();
      for (const expected of ['noStream', 0, 1] as const) {
        await get().store.append([request(stream, expected, [newEvent()]), request(other, expected, [newEvent()])]);
      }
      const metas = (await collect(get().store.readStream(stream))).map(
        (e) => (JSON.parse(e.meta) as { prev: string }).prev,
      );
      expect(new Set(metas).size).toBe(3);
    });

    it('keeps any text', async () => {
      const stream = `${aStream()} ünï/:%_\\ 日本語 🚀`;
      const data = { text: '"\\\u0000\u2028 ünïcödé 日本語 🚀 \' -- ;', nested: { deep: [null, 1.5, true] } };
      await appendOne(get().store, stream, 'noStream', [newEvent('Größe', data)]);
      const [read] = await collect(get().store.readStream(stream));
      expect(read).toMatchObject({ stream, type: 'Größe', data: JSON.stringify(data) });
    });

    it('takes any expected revision', async () => {
      const stream = aStream();
      expect(written(await appendOne(get().store, stream, 'any', [newEvent()])).revision).toBe(0);
      expect(written(await appendOne(get().store, stream, 'any', newEvents(2))).revision).toBe(2);
    });

    it('writes a chain in order', async () => {
      const [a, b] = [aStream(), aStream()];
      const outcomes = await get().store.append([
        request(a, 'noStream', newEvents(2)),
        request(b, 'noStream', newEvents(1)),
        request(a, 1, newEvents(1)),
      ]);
      const [first, second, third] = outcomes.map(written);
      expect([first?.revision, second?.revision, third?.revision]).toEqual([1, 0, 2]);
      expect(second!.position).toBeGreaterThan(first!.position);
      expect(third!.position).toBeGreaterThan(second!.position);
    });

    it('writes requests that are beside each other, and what comes after them', async () => {
      const streams = Array.from({ length: 20 }, aStream);
      const last = aStream();
      const outcomes = await get().store.append([
        ...streams.map((stream) => ({ ...request(stream, 'noStream', newEvents(2)), beside: true as const })),
        request(last, 'noStream', [newEvent()]),
      ]);
      expect(outcomes.map((each) => written(each).revision)).toEqual([...streams.map(() => 1), 0]);
      const positions = outcomes.map((each) => written(each).position);
      expect(Math.max(...positions)).toBe(positions.at(-1));
    });

    it('writes nothing after requests of which one is refused', async () => {
      const [first, refused, last] = [aStream(), aStream(), aStream()];
      await appendOne(get().store, refused, 'noStream', [newEvent()]);
      const outcomes = await get().store.append([
        request(first, 'noStream', [newEvent()]),
        { ...request(refused, 'noStream', [newEvent()]), beside: true },
        request(last, 'noStream', [newEvent()]),
      ]);
      expect(outcomes).toEqual([
        expect.objectContaining({ ok: true }),
        { ok: false, reason: 'conflict', stream: refused, expected: 'noStream', actual: 0 },
      ]);
      expect(await collect(get().store.readStream(last))).toEqual([]);
    });

    it('writes calls in the order in which they are made', async () => {
      const stream = aStream();
      const calls = Array.from({ length: 50 }, (_, i) =>
        appendOne(get().store, stream, i === 0 ? 'noStream' : i - 1, [newEvent('E', { i })]),
      );
      const outcomes = (await Promise.all(calls)).map(written);
      expect(outcomes.map((o) => o.revision)).toEqual(Array.from({ length: 50 }, (_, i) => i));
      const read = await collect(get().store.readStream(stream));
      expect(read.map((e) => (JSON.parse(e.data) as { i: number }).i)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    });

    it('refuses a request of more than 1 MiB, and writes nothing of its chain', async () => {
      const [small, large] = [aStream(), aStream()];
      const chain = [
        request(small, 'noStream', [newEvent()]),
        request(large, 'noStream', [newEvent('Big', 'é'.repeat(530_000))]),
      ];
      await expect(get().store.append(chain)).rejects.toThrow(AppendTooLargeError);
      expect(await collect(get().store.readStream(small))).toEqual([]);
      expect(written(await appendOne(get().store, small, 'noStream', [newEvent()])).revision).toBe(0);
    });

    it('takes a request of just under 1 MiB', async () => {
      const stream = aStream();
      const events = Array.from({ length: 16 }, () => newEvent('Large', 'x'.repeat(65_000)));
      await appendOne(get().store, stream, 'noStream', events);
      expect((await collect(get().store.readStream(stream))).map((e) => e.data)).toEqual(events.map((e) => e.data));
    });
  });
}

function describeConflicts(get: Get): void {
  describe('conflicts', () => {
    it('names the stream, what was expected and what is there', async () => {
      const stream = aStream();
      const missing = await appendOne(get().store, stream, 4, [newEvent()]);
      expect(missing).toEqual({ ok: false, reason: 'conflict', stream, expected: 4, actual: -1 });
      await appendOne(get().store, stream, 'noStream', newEvents(2));
      expect(await appendOne(get().store, stream, 'noStream', [newEvent()])).toMatchObject({
        ok: false,
        expected: 'noStream',
        actual: 1,
      });
      expect(await appendOne(get().store, stream, 0, [newEvent()])).toMatchObject({
        ok: false,
        expected: 0,
        actual: 1,
      });
      expect(await appendOne(get().store, stream, 7, [newEvent()])).toMatchObject({
        ok: false,
        expected: 7,
        actual: 1,
      });
      expect(await collect(get().store.readStream(stream))).toHaveLength(2);
    });

    it('ends the chain at the first conflict, and keeps what stood before it', async () => {
      const [a, b, c] = [aStream(), aStream(), aStream()];
      const outcomes = await get().store.append([
        request(a, 'noStream', [newEvent()]),
        request(b, 3, [newEvent()]),
        request(c, 'noStream', [newEvent()]),
      ]);
      expect(outcomes.map((o) => o.ok)).toEqual([true, false]);
      expect(await collect(get().store.readStream(a))).toHaveLength(1);
      expect(await collect(get().store.readStream(b))).toHaveLength(0);
      expect(await collect(get().store.readStream(c))).toHaveLength(0);
    });

    it('never spoils another call', async () => {
      const streams = Array.from({ length: 20 }, aStream);
      const outcomes = await Promise.all(
        streams.map((stream, i) => appendOne(get().store, stream, i % 2 === 0 ? 'noStream' : 5, [newEvent()])),
      );
      expect(outcomes.map((o) => o.ok)).toEqual(streams.map((_, i) => i % 2 === 0));
    });

    it('lets one of several writers win', async () => {
      const stream = aStream();
      const other = (await get().connect?.()) ?? get().store;
      await appendOne(get().store, stream, 'noStream', [newEvent()]);
      const outcomes = await Promise.all(
        [get().store, other, get().store, other].map((store) => appendOne(store, stream, 0, [newEvent()])),
      );
      expect(outcomes.filter((o) => o.ok)).toHaveLength(1);
      expect(await collect(get().store.readStream(stream))).toHaveLength(2);
      if (other !== get().store) await other.close();
    });
  });
}

function describeRepeats(get: Get): void {
  describe('a repeated append (I11)', () => {
    it('answers like the first one and writes nothing', async () => {
      const stream = aStream();
      const one = newEvents(2);
      const two = newEvents(3);
      const first = await appendOne(get().store, stream, 'noStream', one);
      const second = await appendOne(get().store, stream, 1, two);
      expect(await appendOne(get().store, stream, 1, two)).toEqual(second);
      expect(await appendOne(get().store, stream, 'noStream', one)).toEqual(first);
      expect(await collect(get().store.readStream(stream))).toHaveLength(5);
    });

    it('holds for a whole chain', async () => {
      const [a, b] = [aStream(), aStream()];
      const chain = [
        request(a, 'noStream', newEvents(2)),
        request(b, 'noStream', newEvents(1)),
        request(a, 1, newEvents(1)),
      ];
      const first = await get().store.append(chain);
      expect(await get().store.append(chain)).toEqual(first);
    });

    it('goes on with the rest of a chain of which a part stands', async () => {
      const [a, b] = [aStream(), aStream()];
      const chain = [request(a, 'noStream', newEvents(1)), request(b, 'noStream', newEvents(1))];
      await get().store.append(chain.slice(0, 1));
      expect((await get().store.append(chain)).map((o) => o.ok)).toEqual([true, true]);
      expect(await collect(get().store.readStream(a))).toHaveLength(1);
      expect(await collect(get().store.readStream(b))).toHaveLength(1);
    });

    it('is a conflict where only some of the ids are the same', async () => {
      const stream = aStream();
      const events = newEvents(2);
      await appendOne(get().store, stream, 'noStream', events);
      expect(await appendOne(get().store, stream, 'noStream', [events[0]!, newEvent()])).toMatchObject({
        ok: false,
        actual: 1,
      });
      expect(await appendOne(get().store, stream, 'noStream', [...events, newEvent()])).toMatchObject({
        ok: false,
        actual: 1,
      });
    });

    it('is a conflict at another place', async () => {
      const stream = aStream();
      const events = newEvents(1);
      await appendOne(get().store, stream, 'noStream', [...events, newEvent(), newEvent()]);
      expect(await appendOne(get().store, stream, 1, events)).toMatchObject({ ok: false, actual: 2 });
    });

    it('holds for any expected revision', async () => {
      const stream = aStream();
      const events = newEvents(2);
      const first = await appendOne(get().store, stream, 'any', events);
      expect(await appendOne(get().store, stream, 'any', events)).toEqual(first);
      expect(await collect(get().store.readStream(stream))).toHaveLength(2);
    });
  });
}

function describeSnapshots(get: Get): void {
  describe('snapshots', () => {
    it('answers the last one written, and undefined for none', async () => {
      const stream = aStream();
      expect(await get().store.readSnapshot(stream)).toBeUndefined();
      await get().store.writeSnapshot(stream, 4, '{"n":1}');
      await get().store.writeSnapshot(stream, 9, '{"n":"ü🚀"}');
      expect(await get().store.readSnapshot(stream)).toEqual({ revision: 9, state: '{"n":"ü🚀"}' });
    });
  });
}
