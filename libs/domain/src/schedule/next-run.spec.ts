import fc from 'fast-check';
import { preview } from '@rondo/testing';
import { manualInterval, nextRun } from './next-run.ts';
import { isLatest } from './latest.ts';
import type { NextRunQuery, Restriction, TimetableSpec } from './types.ts';

const at = (text: string): number => Date.parse(text);
const iso = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');
const open: Restriction = { earliest: null, latest: null, catchup: true };
const query = (
  over: Omit<Partial<NextRunQuery>, 'restriction'> & { restriction?: Partial<Restriction> },
): NextRunQuery => ({
  now: over.now ?? at('2024-05-05T12:30:00Z'),
  last: over.last ?? null,
  restriction: { ...open, ...over.restriction },
});
const hourly: TimetableSpec = { kind: 'cron_trigger', expression: '0 * * * *', timezone: 'UTC' };
const hourlyInterval: TimetableSpec = { kind: 'cron_interval', expression: '0 * * * *', timezone: 'UTC' };
const runAfter = (spec: TimetableSpec, q: NextRunQuery): string | null => {
  const run = nextRun(spec, q);
  return run === null ? null : iso(run.runAfter);
};

describe('trigger timetables', () => {
  it('without catchup fire the latest missed tick at once, then the next one', () => {
    const first = nextRun(hourly, query({ restriction: { earliest: at('2024-01-01T00:00:00Z'), catchup: false } }))!;
    expect(iso(first.runAfter)).toBe('2024-05-05T12:00:00Z');
    expect(runAfter(hourly, query({ last: first.dataInterval, restriction: { catchup: false } }))).toBe(
      '2024-05-05T13:00:00Z',
    );
  });

  it('count both bounds in', () => {
    const noon = at('2024-05-05T12:00:00Z');
    expect(runAfter(hourly, query({ restriction: { earliest: noon, latest: noon } }))).toBe('2024-05-05T12:00:00Z');
    expect(runAfter(hourly, query({ last: [noon, noon], restriction: { latest: noon } }))).toBeNull();
  });

  it('give the interval before the tick and its start as the logical date', () => {
    const spec: TimetableSpec = { ...hourly, intervalMs: 3_600_000 };
    const run = nextRun(spec, query({ restriction: { earliest: at('2024-05-05T12:00:00Z') } }))!;
    expect([run.logicalDate, run.runAfter].map(iso)).toEqual(['2024-05-05T11:00:00Z', '2024-05-05T12:00:00Z']);
    expect(manualInterval(spec, at('2024-05-05T12:34:00Z')).map(iso)).toEqual([
      '2024-05-05T11:34:00Z',
      '2024-05-05T12:34:00Z',
    ]);
  });

  it('of several expressions give one run an instant, the earliest with catchup', () => {
    const spec: TimetableSpec = {
      kind: 'multi_cron_trigger',
      expressions: ['0 * * * *', '*/30 * * * *'],
      timezone: 'UTC',
    };
    const runs = preview(spec, query({ restriction: { earliest: at('2024-05-05T12:00:00Z') } }), 3);
    expect(runs.map((run) => iso(run.runAfter))).toEqual([
      '2024-05-05T12:00:00Z',
      '2024-05-05T12:30:00Z',
      '2024-05-05T13:00:00Z',
    ]);
  });

  it('of a delta start at once without a start date, and are not aligned', () => {
    const spec: TimetableSpec = { kind: 'delta_trigger', deltaMs: 3_600_000 };
    expect(runAfter(spec, query({}))).toBe('2024-05-05T12:30:00Z');
    expect(runAfter(spec, query({ last: [at('2024-05-05T12:20:00Z'), at('2024-05-05T12:20:00Z')] }))).toBe(
      '2024-05-05T13:20:00Z',
    );
  });
});

describe('interval timetables', () => {
  it('need a start date to begin with catchup', () => {
    expect(nextRun(hourlyInterval, query({}))).toBeNull();
  });

  it('without catchup begin with the last complete interval', () => {
    const run = nextRun(hourlyInterval, query({ restriction: { catchup: false } }))!;
    expect(run.dataInterval.map(iso)).toEqual(['2024-05-05T11:00:00Z', '2024-05-05T12:00:00Z']);
    const onTick = nextRun(
      hourlyInterval,
      query({ now: at('2024-05-05T12:00:00Z'), restriction: { catchup: false } }),
    )!;
    expect(onTick.dataInterval.map(iso)).toEqual(['2024-05-05T11:00:00Z', '2024-05-05T12:00:00Z']);
  });

  it('compare the bounds with the start of the interval', () => {
    const latest = at('2024-05-05T12:00:00Z');
    const last = [at('2024-05-05T11:00:00Z'), latest] as const;
    expect(runAfter(hourlyInterval, query({ last, restriction: { latest } }))).toBe('2024-05-05T13:00:00Z');
    expect(runAfter(hourlyInterval, query({ last, restriction: { latest: latest - 1 } }))).toBeNull();
  });

  it('of a delta round to its multiples without catchup', () => {
    const spec: TimetableSpec = { kind: 'delta_interval', deltaMs: 7_200_000 };
    const run = nextRun(spec, query({ now: at('2024-05-05T13:10:00Z'), restriction: { catchup: false } }))!;
    expect(run.dataInterval.map(iso)).toEqual(['2024-05-05T10:00:00Z', '2024-05-05T12:00:00Z']);
    expect(manualInterval(spec, at('2024-05-05T13:10:00Z')).map(iso)).toEqual([
      '2024-05-05T11:10:00Z',
      '2024-05-05T13:10:00Z',
    ]);
  });
});

describe('the other timetables', () => {
  it('@once runs at the start date or now, once, and not after the end date', () => {
    const start = at('2024-06-01T00:00:00Z');
    expect(runAfter({ kind: 'once' }, query({ restriction: { earliest: start } }))).toBe('2024-06-01T00:00:00Z');
    expect(runAfter({ kind: 'once' }, query({}))).toBe('2024-05-05T12:30:00Z');
    expect(nextRun({ kind: 'once' }, query({ last: [start, start] }))).toBeNull();
    expect(nextRun({ kind: 'once' }, query({ restriction: { earliest: start, latest: start - 1 } }))).toBeNull();
  });

  it('@continuous goes on from the end of the last run', () => {
    const last = [at('2024-05-05T10:00:00Z'), at('2024-05-05T11:00:00Z')] as const;
    const run = nextRun(
      { kind: 'continuous' },
      query({ last, restriction: { earliest: at('2024-05-01T00:00:00Z') } }),
    )!;
    expect(run.dataInterval.map(iso)).toEqual(['2024-05-05T11:00:00Z', '2024-05-05T12:30:00Z']);
  });

  it('never says never', () => {
    expect(nextRun({ kind: 'none' }, query({}))).toBeNull();
    expect(preview({ kind: 'none' }, query({}), 5)).toEqual([]);
  });

  it('events come in their order, and a restricted manual run takes one of them', () => {
    const dates = ['2024-05-01', '2024-05-10', '2024-05-20'].map(at);
    const spec: TimetableSpec = { kind: 'events', eventDates: dates, restrictToEvents: true };
    expect(
      preview(spec, query({ restriction: { catchup: false } }), 9).map((run) => iso(run.runAfter).slice(0, 10)),
    ).toEqual(['2024-05-10', '2024-05-20']);
    expect(preview(spec, query({}), 9)).toHaveLength(3);
    expect(iso(manualInterval(spec, at('2024-05-12'))[0])).toBe('2024-05-10T00:00:00Z');
    expect(iso(manualInterval(spec, at('2020-01-01'))[0])).toBe('2024-05-01T00:00:00Z');
  });
});

describe('the latest run of a schedule', () => {
  const run = {
    runType: 'scheduled',
    dataInterval: [at('2024-05-05T11:00:00Z'), at('2024-05-05T12:00:00Z')],
    runAfter: at('2024-05-05T12:00:00Z'),
  } as const;

  it('is the latest until the interval after its own ends', () => {
    expect(isLatest(hourlyInterval, { ...run, now: at('2024-05-05T12:00:01Z') })).toBe(true);
    expect(isLatest(hourlyInterval, { ...run, now: at('2024-05-05T13:00:00Z') })).toBe(true);
    expect(isLatest(hourlyInterval, { ...run, now: at('2024-05-05T13:00:01Z') })).toBe(false);
    expect(isLatest(hourlyInterval, { ...run, runType: 'manual', now: at('2030-01-01T00:00:00Z') })).toBe(true);
  });

  it('counts intervals without length as latest, unless it is asked to look for the next tick', () => {
    const late = { ...run, dataInterval: null, now: at('2024-05-05T14:00:00Z') };
    expect(isLatest(hourly, late)).toBe(true);
    expect(isLatest(hourly, { ...late, zeroLength: 'until_next' })).toBe(false);
    expect(isLatest(hourly, { ...late, zeroLength: 'until_next', now: at('2024-05-05T12:59:00Z') })).toBe(true);
    expect(isLatest({ kind: 'none' }, late)).toBe(true);
  });
});

describe('properties of next runs', () => {
  const start = fc.integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2026, 0, 1) });
  const specs = fc.constantFrom<TimetableSpec>(
    { kind: 'cron_interval', expression: '15 */5 * * *', timezone: 'Europe/Zurich' },
    { kind: 'cron_interval', expression: '*/20 * * * 1-5', timezone: 'America/New_York' },
    { kind: 'delta_interval', deltaMs: 5_400_000 },
  );

  it('intervals of a catchup follow each other without gap or overlap', () => {
    fc.assert(
      fc.property(specs, start, (spec, earliest) => {
        const runs = preview(spec, query({ restriction: { earliest } }), 30);
        expect(runs).toHaveLength(30);
        for (const { dataInterval } of runs) {
          expect(dataInterval[0]).toBeGreaterThanOrEqual(earliest);
          expect(dataInterval[1]).toBeGreaterThan(dataInterval[0]);
        }
        const [starts, ends] = [runs.map((run) => run.dataInterval[0]), runs.map((run) => run.dataInterval[1])];
        expect(starts.slice(1)).toEqual(ends.slice(0, -1));
      }),
      { numRuns: 40 },
    );
  });

  it('without catchup no run is older than the last complete interval', () => {
    fc.assert(
      fc.property(specs, start, fc.nat(10 ** 9), (spec, earliest, later) => {
        const now = earliest + later;
        const run = nextRun(spec, query({ now, restriction: { earliest, catchup: false } }))!;
        const after = nextRun(spec, query({ now, last: run.dataInterval, restriction: { earliest, catchup: false } }))!;
        expect(after.runAfter).toBeGreaterThan(now);
      }),
      { numRuns: 60 },
    );
  });
});
