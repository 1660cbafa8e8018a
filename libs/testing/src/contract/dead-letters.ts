import { randomUUID } from 'node:crypto';
import type { DeadLetter, DeadLetters } from '@rondo/ports';

export interface DeadLettersFixture {
  readonly deadLetters: DeadLetters;
  /** Puts a message into a topic that its reader, which there is one of, cannot decode, and resolves when it is a letter. */
  readonly spoil: (topic: string, key: string | null, value: Uint8Array | null) => Promise<void>;
  readonly dispose: () => Promise<void>;
}

const ALL = { limit: 1_000 };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const idsOf = (letters: readonly DeadLetter[]): number[] => letters.map(({ id }) => id);

/** The rules of the DeadLetters port, of a bus whose messages are bytes. `factory`: one without any letters. */
export function describeDeadLettersContract(name: string, factory: () => Promise<DeadLettersFixture>): void {
  describe(`${name}: dead letters`, () => {
    let fixture: DeadLettersFixture;
    let letters: DeadLetters;
    beforeEach(async () => {
      fixture = await factory();
      letters = fixture.deadLetters;
    });
    afterEach(() => fixture.dispose());
    const listed = async (): Promise<readonly DeadLetter[]> => (await letters.list(ALL)).items;

    it('are none at first', async () => {
      expect(await letters.list(ALL)).toEqual({ items: [], next: undefined });
      expect(await letters.find(0)).toBeUndefined();
      expect(await letters.replayAll({}, 'ada')).toBe(0);
      expect(await letters.replay([], 'ada')).toEqual({ ok: true, value: 0 });
      expect(await letters.replay([0, 7], 'ada')).toEqual({ ok: false, error: { unknown: [0, 7], replayed: [] } });
    });

    it('tell where a message was, its size and what is wrong, and nothing of what it says', async () => {
      await fixture.spoil('a', 'key', bytes('{"password":"hunter2'));
      await fixture.spoil('b', 'key', bytes('hunter2'));
      await fixture.spoil('b', null, new Uint8Array([0xff, 0x22]));
      await fixture.spoil('b', 'none', null);
      const found = await listed();
      expect(found).toMatchObject([
        { topic: 'a', offset: 0, key: 'key', size: 20, replayed: undefined },
        { topic: 'b', key: 'key', size: 7 },
        { topic: 'b', key: '', size: 2, reason: 'it is not UTF-8' },
        { topic: 'b', key: 'none', size: 0, reason: 'it is empty' },
      ]);
      expect(JSON.stringify(found)).not.toMatch(/hunter|password/);
      expect(await letters.find(found[0]!.id)).toEqual({ letter: found[0], head: bytes('{"password":"hunter2') });
      expect(await letters.find(found.at(-1)!.id + 1)).toBeUndefined();
    });

    it('come page by page, of a topic, and from a number on', async () => {
      for (const topic of ['a', 'b', 'a', 'b', 'a']) await fixture.spoil(topic, 'k', bytes(`{${randomUUID()}`));
      const all = idsOf(await listed());
      expect(all).toHaveLength(5);
      const page = await letters.list({ limit: 2 });
      expect([idsOf(page.items), page.next]).toEqual([all.slice(0, 2), all[2]]);
      const rest = await letters.list({ limit: 3, from: page.next! });
      expect([idsOf(rest.items), rest.next]).toEqual([all.slice(2), undefined]);
      const ofB = await letters.list({ limit: 1, topic: 'b' });
      expect(idsOf(ofB.items)).toEqual([all[1]]);
      expect(idsOf((await letters.list({ limit: 9, topic: 'b', from: ofB.next! })).items)).toEqual([all[3]]);
      expect(await letters.list({ limit: 9, from: all[4]! + 1 })).toEqual({ items: [], next: undefined });
    });

    it('are replayed byte for byte, and are marked then', async () => {
      const value = new Uint8Array([0x7b, 0xff, 0x00, 0xfe, 0x7d]);
      await fixture.spoil('a', 'k', value);
      await fixture.spoil('a', 'k', bytes('{other'));
      const [first, second] = await listed();
      expect(await letters.replay([first!.id], 'ada')).toEqual({ ok: true, value: 1 });
      // It is as bad as before, and becomes another letter.
      let again: DeadLetter | undefined;
      while (again === undefined) again = (await listed())[2];
      expect(again).toMatchObject({ topic: 'a', partition: first!.partition, key: 'k', size: 5, replayed: undefined });
      expect((await letters.find(again.id))!.head).toEqual(value);
      expect(await listed()).toMatchObject([
        { id: first!.id, replayed: { by: 'ada', at: expect.any(Number) as number } },
        { id: second!.id, replayed: undefined },
        {},
      ]);
      expect(idsOf((await letters.list({ ...ALL, replayed: true })).items)).toEqual([first!.id]);
      expect(idsOf((await letters.list({ ...ALL, replayed: false })).items)).toEqual([second!.id, again.id]);
    });

    it('are replayed together or not at all, and not twice', async () => {
      await fixture.spoil('a', 'k', bytes('{1'));
      await fixture.spoil('a', 'k', bytes('{2'));
      const [first, second] = idsOf(await listed());
      expect(await letters.replay([first!], 'ada')).toEqual({ ok: true, value: 1 });
      while ((await listed()).length < 3);
      expect(await letters.replay([second!, first!, 99], 'eve')).toEqual({
        ok: false,
        error: { unknown: [99], replayed: [first] },
      });
      expect(await listed()).toMatchObject([{ replayed: { by: 'ada' } }, { replayed: undefined }, {}]);
    });

    it('are replayed all that there are, once each, of a topic or of all', async () => {
      for (const topic of ['a', 'b', 'a']) await fixture.spoil(topic, 'k', bytes('{'));
      expect(await letters.replayAll({ topic: 'a' }, 'ada')).toBe(2);
      while ((await listed()).length < 5);
      const stand = async (): Promise<boolean[]> => (await listed()).map(({ replayed }) => replayed !== undefined);
      expect(await stand()).toEqual([true, false, true, false, false]);
      expect(await letters.replayAll({}, 'ada')).toBe(3);
      while ((await listed()).length < 8);
      expect(await stand()).toEqual([true, true, true, true, true, false, false, false]);
    });
  });
}
