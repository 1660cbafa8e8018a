import type { RunsQuery } from '@rondo/domain';
import { Timetable, type TimetableQuery, type TimetableRun } from '../authoring/timetable.ts';
import { Dag } from '../authoring/dag.ts';
import { serialiseDag } from './serialise.ts';
import { tellRuns } from './tell-runs.ts';

const DAY = 86_400_000;
const day = (n: number): number => Date.UTC(2026, 0, n);
const query: RunsQuery = { last: null, earliest: day(1), latest: null, catchup: true, count: 3 };
const told = (timetable: Timetable, change: Partial<RunsQuery> = {}, now = day(10)) =>
  tellRuns(timetable, { ...query, ...change }, { now, timezone: 'UTC' });
const table = (next: (asked: TimetableQuery) => unknown): Timetable =>
  new (class extends Timetable {
    next(asked: TimetableQuery): TimetableRun {
      return next(asked) as TimetableRun;
    }
  })();
/** Every day at midnight, about the day before. */
const daily = table(({ last, earliest }) => {
  const start = last === null ? earliest! : last.end;
  return { start, end: new Date(start.getTime() + DAY) };
});

describe('a timetable in code', () => {
  it('is asked for one run after the other', async () => {
    expect(await told(daily)).toEqual({
      ok: true,
      value: {
        runs: [1, 2, 3].map((n) => [day(n), day(n + 1), day(n + 1)]),
        isAtEnd: false,
      },
    });
    expect(await told(daily, { last: [day(5), day(6)], count: 1 })).toMatchObject({
      value: { runs: [[day(6), day(7), day(7)]] },
    });
  });

  it('ends with nothing, or with the end date', async () => {
    const two = table(({ last }) =>
      last === null ? new Date(day(2)) : last.end.getTime() < day(3) ? '2026-01-03' : null,
    );
    expect(await told(two)).toEqual({
      ok: true,
      value: {
        runs: [
          [day(2), day(2), day(2)],
          [day(3), day(3), day(3)],
        ],
        isAtEnd: true,
      },
    });
    expect(await told(daily, { latest: day(2) })).toMatchObject({
      value: { runs: [[day(1)], [day(2)]].map(([n]) => [n, n! + DAY, n! + DAY]), isAtEnd: true },
    });
  });

  it('without catchup tells of the latest run that is due, and of what follows', async () => {
    expect(await told(daily, { catchup: false })).toMatchObject({
      value: { runs: [9, 10, 11].map((n) => [day(n), day(n + 1), day(n + 1)]) },
    });
  });

  it('knows the moment of each question, which goes on with the runs', async () => {
    const asked: number[] = [];
    const seen = table((given) => {
      asked.push(given.now.getTime());
      return {
        start: new Date(day(9 + asked.length)),
        end: new Date(day(9 + asked.length)),
        runAfter: new Date(day(20 + asked.length)),
      };
    });
    await told(seen);
    expect(asked).toEqual([day(10), day(21), day(22)]);
  });

  it.each<[string, (asked: TimetableQuery) => unknown, string]>([
    [
      'throws',
      () => {
        throw new TypeError('no such tide');
      },
      'next() threw TypeError: no such tide',
    ],
    [
      'throws what is no error',
      () => {
        throw 'x' as unknown as Error;
      },
      'next() threw x',
    ],
    ['rejects', () => Promise.reject(new Error('later')), 'next() threw Error: later'],
    ['returns what is no date', () => ({ start: 'soon', end: 'later' }), "next() returned start 'soon'"],
    ['returns a number', () => 7, 'next() returned 7; allowed: a date'],
    ['returns an invalid date', () => new Date(Number.NaN), 'next() returned'],
    ['says the same again and again', () => new Date(day(3)), 'goes backwards'],
    ['ends before it starts', () => ({ start: new Date(day(3)), end: new Date(day(2)) }), 'ends before it starts'],
  ])('that %s has failed, in words', async (_, next, message) => {
    expect(await told(table(next))).toMatchObject({ ok: false, error: expect.stringContaining(message) });
  });

  it('that begins too long ago has failed', async () => {
    const minutely = table(({ last }) => new Date((last?.end.getTime() ?? 0) + 60_000));
    expect(await told(minutely, { catchup: false })).toMatchObject({
      error: expect.stringContaining('more than 100000 runs'),
    });
  });

  it('is the schedule of a DAG, by the name of its class', () => {
    class Tides extends Timetable {
      override get description(): string {
        return 'at high water';
      }
      next(): null {
        return null;
      }
    }
    const dag = new Dag({ id: 'boats', schedule: new Tides() });
    dag.file = 'boats.ts';
    expect(serialiseDag(dag).timetable).toEqual({ kind: 'custom', name: 'Tides', description: 'at high water' });
    expect(dag.ownTimetable).toBeInstanceOf(Tides);
  });
});
