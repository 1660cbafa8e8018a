import { randomUUID } from 'node:crypto';
import { copyHistory, DifferentHistoryError } from '@rondo/application';
import type { EventStore, NewEvent, RecordedEvent } from '@rondo/ports';
import { memoryEventStore } from '@rondo/testing';

const anEvent = (n: number): NewEvent => ({
  id: randomUUID(),
  type: `Type${n % 3}`,
  data: JSON.stringify({ n, text: n % 7 === 0 ? 'ü'.repeat(40_000) : 'x' }),
  meta: n % 2 === 0 ? '{}' : `{"at":${n},"actor":"a"}`,
});

async function aHistory(events = 60): Promise<EventStore> {
  const store = memoryEventStore();
  for (let n = 0; n < events; n += 3)
    await store.append([
      { stream: `s-${n % 4}`, expected: 'any', events: [anEvent(n), anEvent(n + 1)] },
      { stream: 'all', expected: 'any', events: [anEvent(n + 2)] },
    ]);
  return store;
}

async function allOf(store: EventStore): Promise<Omit<RecordedEvent, 'position'>[]> {
  const all = [];
  for await (const page of store.readAll(0)) all.push(...page.map(({ position: _position, ...rest }) => rest));
  return all;
}

/** A store that is gone after so many appends. */
function failingAfter(store: EventStore, appends: number): EventStore {
  let left = appends;
  return new Proxy(store, {
    get: (target, name: keyof EventStore) =>
      name === 'append'
        ? (chain: Parameters<EventStore['append']>[0]) =>
            left-- > 0 ? target.append(chain) : Promise.reject(new Error('the line is cut'))
        : (target[name] as () => unknown).bind(target),
  });
}

describe('copying a history', () => {
  it('keeps every event as it was, in the order of the whole', async () => {
    const [source, target] = [await aHistory(), memoryEventStore()];
    expect(await copyHistory(source, target)).toEqual({ events: 60, found: 0 });
    expect(await allOf(target)).toEqual(await allOf(source));
  });

  it('takes an empty history', async () => {
    expect(await copyHistory(memoryEventStore(), memoryEventStore())).toEqual({ events: 0, found: 0 });
  });

  it.each([0, 1, 7, 19])('goes on where an interruption after %i appends left it', async (appends) => {
    const [source, target] = [await aHistory(), memoryEventStore()];
    await expect(copyHistory(source, failingAfter(target, appends))).rejects.toThrow('the line is cut');
    const stands = (await allOf(target)).length;
    expect(await copyHistory(source, target)).toEqual({ events: 60, found: stands });
    expect(await allOf(target)).toEqual(await allOf(source));
    expect(await copyHistory(source, target)).toEqual({ events: 60, found: 60 });
  });

  it('refuses a target of another history, and one that has gone on, and writes nothing', async () => {
    const source = await aHistory();
    const [other, used] = [await aHistory(), memoryEventStore()];
    await copyHistory(source, used);
    await used.append([{ stream: 'new', expected: 'noStream', events: [anEvent(1)] }]);
    for (const [target, message] of [
      [other, /event 1 of the whole is Type0 \(0 of 's-0'\) there .* \(id differs\)/],
      [used, /goes on where the source ends, with Type1 \(0 of 'new'\)/],
    ] as const) {
      const before = await allOf(target);
      const copying = copyHistory(source, target);
      await expect(copying).rejects.toThrow(DifferentHistoryError);
      await expect(copying).rejects.toThrow(message);
      expect(await allOf(target)).toEqual(before);
    }
  });

  it('refuses a target that somebody else writes to', async () => {
    const [source, target] = [await aHistory(), memoryEventStore()];
    let isFirst = true;
    const copying = copyHistory(source, target, ({ step }) => {
      if (step !== 'copied' || !isFirst) return;
      isFirst = false;
      void target.append([{ stream: 'all', expected: 'any', events: [anEvent(5)] }]);
    });
    await expect(copying).rejects.toThrow(/somebody else writes/);
  });
});
