import { randomUUID } from 'node:crypto';
import type { AttemptRef } from '@rondo/domain';
import type { LogLine, LogStore } from '@rondo/ports';

export interface LogStoreFixture {
  readonly logs: LogStore;
  readonly dispose: () => Promise<void>;
}

const line = (text: string, at = 1): LogLine => ({ at, stream: 'stdout', text });
const lines = (count: number, from = 0): LogLine[] =>
  Array.from({ length: count }, (_, i) => line(`line ${from + i}`, from + i));
const anAttempt = (over: Partial<AttemptRef> = {}): AttemptRef => ({
  dagId: 'etl',
  runId: `manual__${randomUUID()}`,
  taskId: 'extract',
  mapIndex: [],
  tryNumber: 1,
  leg: 1,
  ...over,
});

/** The rules of the LogStore port. */
export function describeLogStoreContract(name: string, factory: () => Promise<LogStoreFixture>): void {
  describe(`${name}: log store`, () => {
    let fixture: LogStoreFixture;
    beforeEach(async () => {
      fixture = await factory();
    });
    afterEach(() => fixture.dispose());

    it('answers nothing for an attempt that said nothing', async () => {
      const attempt = anAttempt();
      await fixture.logs.append(attempt, []);
      expect(await fixture.logs.read(attempt)).toEqual({ lines: [], next: 0 });
      expect(await fixture.logs.read(attempt, 5)).toEqual({ lines: [], next: 5 });
    });

    it('deletes the logs of a run, and of no other', async () => {
      const [gone, mapped] = [anAttempt(), anAttempt()];
      const attempts = [{ ...gone, tryNumber: 2 }, { ...gone, taskId: 'load' }, { ...gone, mapIndex: [3, 1] }, gone];
      const others = [mapped, { ...gone, dagId: 'etl2' }, { ...gone, runId: `${gone.runId}x` }];
      for (const attempt of [...attempts, ...others]) await fixture.logs.append(attempt, [line('said')]);
      await fixture.logs.deleteRun(gone.dagId, gone.runId);
      await fixture.logs.deleteRun(gone.dagId, gone.runId);
      for (const attempt of attempts) expect((await fixture.logs.read(attempt)).lines).toEqual([]);
      for (const attempt of others) expect((await fixture.logs.read(attempt)).lines).toEqual([line('said')]);
    });

    it('keeps lines as they are, in order', async () => {
      const attempt = anAttempt();
      const odd: LogLine[] = [
        { at: 1, stream: 'stderr', text: 'ü 🚀 " \\ \t \u2028 {"json":1}' },
        { at: 2, stream: 'log', level: 'warn', text: '' },
        { at: 3, stream: 'system', text: 'two\nlines\r\n' },
      ];
      await fixture.logs.append(attempt, odd.slice(0, 1));
      await fixture.logs.append(attempt, odd.slice(1));
      expect(await fixture.logs.read(attempt)).toEqual({ lines: odd, next: 3 });
    });

    it('keeps the order of calls that do not wait for each other', async () => {
      const attempt = anAttempt();
      await Promise.all(Array.from({ length: 100 }, (_, i) => fixture.logs.append(attempt, lines(3, i * 3))));
      const read = await fixture.logs.read(attempt, 0, 300);
      expect(read.lines.map((l) => l.at)).toEqual(Array.from({ length: 300 }, (_, i) => i));
    });

    it('reads pages from a line number', async () => {
      const attempt = anAttempt();
      await fixture.logs.append(attempt, lines(2_500));
      const seen: number[] = [];
      for (let next = 0; next < 2_500;) {
        const page = await fixture.logs.read(attempt, next, 700);
        expect(page.lines.length).toBeGreaterThan(0);
        seen.push(...page.lines.map((l) => l.at));
        next = page.next;
      }
      expect(seen).toEqual(Array.from({ length: 2_500 }, (_, i) => i));
      expect((await fixture.logs.read(attempt, 2_490)).lines.map((l) => l.at)).toEqual([
        2490, 2491, 2492, 2493, 2494, 2495, 2496, 2497, 2498, 2499,
      ]);
      expect((await fixture.logs.read(attempt, 1_234, 2)).lines.map((l) => l.at)).toEqual([1234, 1235]);
    });

    it('takes a large log with long lines', async () => {
      const attempt = anAttempt();
      const long = 'ü'.repeat(200_000);
      for (let i = 0; i < 20; i++) await fixture.logs.append(attempt, [line(long, i), line('short', i)]);
      let count = 0;
      for (let next = 0, more = true; more;) {
        const page = await fixture.logs.read(attempt, next);
        for (const l of page.lines) expect(l.text.length === 200_000 || l.text === 'short').toBe(true);
        count += page.lines.length;
        more = page.lines.length > 0;
        next = page.next;
      }
      expect(count).toBe(40);
    });

    it('keeps tries, map indexes, tasks and runs apart, and the legs of a try together', async () => {
      const attempt = anAttempt();
      const others = [
        { ...attempt, tryNumber: 2 },
        { ...attempt, mapIndex: [0] },
        { ...attempt, mapIndex: [0, 1] },
        { ...attempt, taskId: 'load' },
        { ...attempt, runId: `${attempt.runId}x` },
        { ...attempt, dagId: 'other' },
      ];
      await fixture.logs.append(attempt, [line('leg 1')]);
      for (const [i, other] of others.entries()) await fixture.logs.append(other, [line(`other ${i}`)]);
      await fixture.logs.append({ ...attempt, leg: 2 }, [line('leg 2')]);
      expect((await fixture.logs.read(attempt)).lines.map((l) => l.text)).toEqual(['leg 1', 'leg 2']);
      for (const [i, other] of others.entries())
        expect((await fixture.logs.read(other)).lines.map((l) => l.text)).toEqual([`other ${i}`]);
    });

    it('takes any name', async () => {
      const names = [
        '../../../escape',
        '..',
        '.',
        'a/b',
        'a:b',
        'a%2Fb',
        'ünï 日本',
        'x'.repeat(600),
        `${'x'.repeat(600)}y`,
        'con*?"<>|',
      ];
      for (const [i, runId] of names.entries()) await fixture.logs.append(anAttempt({ runId }), [line(`run ${i}`)]);
      for (const [i, runId] of names.entries())
        expect((await fixture.logs.read(anAttempt({ runId }))).lines.map((l) => l.text)).toEqual([`run ${i}`]);
    });

    it('follows a log from a line on, each line once, until it is stopped', async () => {
      const attempt = anAttempt();
      await fixture.logs.append(attempt, lines(10));
      const seen: number[] = [];
      let last = 0;
      let reached: () => void = () => undefined;
      const enough = new Promise<void>((resolve) => (reached = resolve));
      const following = fixture.logs.follow(attempt, 4, (got, next) => {
        seen.push(...got.map((l) => l.at));
        last = next;
        if (next >= 30) reached();
      });
      for (let i = 10; i < 30; i += 2) await fixture.logs.append(attempt, lines(2, i));
      await enough;
      following.stop();
      await fixture.logs.append(attempt, lines(2, 30));
      expect((await fixture.logs.read(attempt, 30)).lines).toHaveLength(2);
      expect(seen).toEqual(Array.from({ length: 26 }, (_, i) => i + 4));
      expect(last).toBe(30);
    });

    it('follows a log that does not exist yet', async () => {
      const attempt = anAttempt();
      const first = new Promise<readonly LogLine[]>((resolve) => fixture.logs.follow(attempt, 0, resolve));
      await fixture.logs.append(attempt, [line('at last')]);
      expect((await first).map((l) => l.text)).toEqual(['at last']);
    });
  });
}
