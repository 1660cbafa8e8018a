import { addDelta, deltasSince, parseDelta } from './delta.ts';
import { preview } from '@rondo/testing';
import { manualInterval, nextRun } from './next-run.ts';
import { parseSchedule } from './parse.ts';
import { summarizeSchedule } from './describe.ts';
import type { TimetableSpec } from './types.ts';

const at = (text: string): number => Date.parse(text);
const dates = (instants: readonly number[]): string[] => instants.map((ms) => new Date(ms).toISOString().slice(0, 10));
const monthly: TimetableSpec = { kind: 'delta_interval', deltaMs: 0, months: 1 };

describe('deltas with months', () => {
  it('are months and years of the UTC calendar, before the rest', () => {
    expect(parseDelta({ months: 1 })).toEqual({ ok: true, value: { deltaMs: 0, months: 1 } });
    expect(parseDelta({ years: 1, months: 2, days: 3 })).toEqual({
      ok: true,
      value: { deltaMs: 3 * 86_400_000, months: 14 },
    });
    expect(parseDelta({ hours: 6 })).toEqual({ ok: true, value: { deltaMs: 21_600_000 } });
  });

  it.each([
    [{ months: 1.5 }, 'months: 1.5'],
    [{ years: -1 }, 'years: -1'],
    [{ fortnights: 1 }, 'fortnights: 1'],
    ['soon', "'soon'"],
  ])('that are none are refused: %j', (input, message) => {
    expect(parseDelta(input)).toMatchObject({ ok: false, error: expect.stringContaining(message) });
  });

  it('come to the last day of a month that is too short', () => {
    const { value } = parseDelta({ months: 1 }) as { value: { deltaMs: number; months: number } };
    expect(dates([1, 2, 3, 12].map((times) => addDelta(at('2024-01-31'), value, times)))).toEqual([
      '2024-02-29',
      '2024-03-31',
      '2024-04-30',
      '2025-01-31',
    ]);
    expect(dates([addDelta(at('2024-03-31'), value, -1)])).toEqual(['2024-02-29']);
    expect(deltasSince(at('2024-01-31'), at('2024-03-30'), value)).toBe(1);
    expect(deltasSince(at('2024-01-31'), at('2023-12-30'), value)).toBe(-2);
  });

  it('make intervals one after the other with catchup', () => {
    const restriction = { earliest: at('2024-01-15'), latest: null, catchup: true };
    const runs = preview(monthly, { now: at('2025-01-01'), last: null, restriction }, 3);
    expect(runs.map((run) => dates(run.dataInterval))).toEqual([
      ['2024-01-15', '2024-02-15'],
      ['2024-02-15', '2024-03-15'],
      ['2024-03-15', '2024-04-15'],
    ]);
  });

  it('without catchup are counted from the start date, and do not drift', () => {
    const restriction = { earliest: at('2024-01-31'), latest: null, catchup: false };
    const run = nextRun(monthly, { now: at('2025-04-01'), last: null, restriction })!;
    expect(dates(run.dataInterval)).toEqual(['2025-02-28', '2025-03-28']);
    const anchored = nextRun(monthly, { now: at('2024-05-02'), last: null, restriction })!;
    expect(dates([anchored.logicalDate])).toEqual(['2024-03-31']);
    const open = nextRun(monthly, {
      now: at('2024-05-02'),
      last: null,
      restriction: { ...restriction, earliest: null },
    })!;
    expect(dates(open.dataInterval)).toEqual(['2024-04-01', '2024-05-01']);
  });

  it('are schedules, are shown, and give a manual run the month before', () => {
    expect(parseSchedule({ months: 3 }, 'UTC')).toEqual({
      ok: true,
      value: { kind: 'delta_trigger', deltaMs: 0, months: 3 },
    });
    expect(parseSchedule({ months: 0 }, 'UTC')).toMatchObject({ ok: false });
    expect(parseSchedule({ months: -1 }, 'UTC')).toMatchObject({ ok: false });
    expect(summarizeSchedule({ ...monthly, months: 15, deltaMs: 3_600_000 })).toBe('every 1y 3 months 1h');
    expect(dates(manualInterval(monthly, at('2024-03-31')))).toEqual(['2024-02-29', '2024-03-31']);
  });
});
