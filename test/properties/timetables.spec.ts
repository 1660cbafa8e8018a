import fc from 'fast-check';
import { nextRun, type Interval, type TimetableSpec } from '@rondo/domain';
import { effort, seed } from './effort.ts';
import * as naive from './naive-timetable.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const subset = (values: readonly number[]) => fc.subarray([...values], { minLength: 1 });

const crons = fc.record({
  minutes: subset([0, 15, 30, 45]),
  hours: fc.option(subset([0, 1, 2, 3, 7, 23]), { nil: undefined }),
  weekdays: fc.option(subset([0, 1, 3, 6]), { nil: undefined }),
  zone: fc.constantFrom('UTC', 'Europe/Zurich', 'America/New_York', 'Asia/Kolkata'),
});
/** Days around which clocks change, and others. */
const moments = fc
  .tuple(
    fc.constantFrom(
      Date.UTC(2023, 2, 25),
      Date.UTC(2023, 9, 28),
      Date.UTC(2024, 2, 9),
      Date.UTC(2024, 10, 2),
      Date.UTC(2024, 6, 1),
    ),
    fc.integer({ min: -3 * 96, max: 4 * 96 }),
  )
  .map(([day, quarters]) => day + quarters * naive.STEP);
const questions = fc.record({
  earliest: moments,
  ahead: fc.integer({ min: -2 * 96, max: 6 * 96 }),
  end: fc.option(fc.integer({ min: 0, max: 5 * 96 }), { nil: null }),
  catchup: fc.boolean(),
});

const expressionOf = ({ minutes, hours, weekdays }: naive.NaiveCron): string =>
  `${minutes.join()} ${hours?.join() ?? '*'} * * ${weekdays?.join() ?? '*'}`;
const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());
const isos = (span: Interval | null | undefined) => span?.map(iso) ?? null;

/** Asks both for one run after the other; time goes on to each run, and sometimes further. */
function follow(
  spec: TimetableSpec,
  { earliest, ahead, end, catchup }: { earliest: number; ahead: number; end: number | null; catchup: boolean },
  model: (question: naive.Question) => Interval | null,
): void {
  const latest = end === null ? null : earliest + end * naive.STEP;
  let now = earliest + ahead * naive.STEP + 60_000;
  let last: Interval | null = null;
  for (let i = 0; i < 8; i++) {
    const run = nextRun(spec, { now, last, restriction: { earliest, latest, catchup } });
    const expected = model({ now, last, earliest, latest, catchup });
    expect(isos(run?.dataInterval)).toEqual(isos(expected));
    if (run === null) return;
    last = run.dataInterval;
    now = Math.max(now, run.runAfter) + (i % 3 === 2 ? DAY + HOUR : 0);
  }
}
const at = (tick: number | null): Interval | null => (tick === null ? null : [tick, tick]);

describe(`properties of timetables (RONDO_SEED=${seed})`, () => {
  const runs = { numRuns: 120 * effort, seed, interruptAfterTimeLimit: 15_000 };

  it('cron triggers fire at the ticks of a calendar that is read quarter by quarter', () => {
    const property = fc.property(crons, questions, (cron, question) => {
      const spec = { kind: 'cron_trigger', expression: expressionOf(cron), timezone: cron.zone } as const;
      follow(spec, question, (asked) => at(naive.triggerTick(cron, asked)));
    });
    fc.assert(property, runs);
  });

  it('several crons fire once at each instant', () => {
    const property = fc.property(fc.array(crons, { minLength: 1, maxLength: 3 }), questions, (given, question) => {
      const { zone } = given[0]!;
      const all = given.map((cron) => ({ ...cron, zone }));
      const spec = { kind: 'multi_cron_trigger', expressions: all.map(expressionOf), timezone: zone } as const;
      follow(spec, question, (asked) => at(naive.ofMany(all, asked)));
    });
    fc.assert(property, runs);
  });

  it('cron intervals lie between two ticks, and a run waits for the end of its own', () => {
    const property = fc.property(crons, questions, (cron, question) => {
      const spec = { kind: 'cron_interval', expression: expressionOf(cron), timezone: cron.zone } as const;
      follow(spec, question, (asked) => naive.interval(cron, asked));
    });
    fc.assert(property, runs);
  });

  it('deltas are added to the last run, and listed events come in their order', () => {
    const property = fc.property(fc.integer({ min: 1, max: 40 }), questions, (quarters, question) => {
      const delta = quarters * naive.STEP;
      const within = (tick: number, latest: number | null): Interval | null =>
        latest !== null && tick > latest ? null : [tick, tick];
      follow({ kind: 'delta_trigger', deltaMs: delta }, question, ({ now, last, earliest, latest, catchup }) => {
        const after = last === null ? earliest : last[1] + delta;
        return within(catchup ? after : Math.max(after, earliest, now), latest);
      });
      const dates = Array.from({ length: 9 }, (_, i) => question.earliest + (i - 3) * delta);
      follow({ kind: 'events', eventDates: dates }, question, ({ now, last, earliest, latest, catchup }) => {
        const from = catchup ? earliest : Math.max(earliest, now);
        const found = dates.find((date) => date >= from && (last === null || date > last[1]));
        return found === undefined ? null : within(found, latest);
      });
    });
    fc.assert(property, runs);
  });
});
