import { nextRun, type NextRun, type TimetableSpec } from '../schedule/index.ts';

/** Dates that one backfill may have. */
export const MAX_BACKFILL_DATES = 100_000;

export interface DateRange {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly from: number;
  readonly to: number;
  readonly timetable: TimetableSpec;
  readonly reverse?: boolean;
}

const known = new WeakMap<DateRange, readonly NextRun[]>();

/**
 * The runs that the timetable makes with a date in the range and an interval that has ended, in the order of the backfill. The
 * start date of the DAG is no bound. One more than allowed at most. Told once for each object.
 */
export function backfillDates(range: DateRange): readonly NextRun[] {
  const told = known.get(range);
  if (told !== undefined) return told;
  const first = { earliest: range.from, latest: range.to, catchup: true };
  // What comes after a date of the range begins no earlier: the bound need not be aligned again for each.
  const rest = { ...first, earliest: null };
  const dates: NextRun[] = [];
  let last: NextRun | undefined;
  while (dates.length <= MAX_BACKFILL_DATES) {
    const next =
      last === undefined
        ? nextRun(range.timetable, { now: range.at, last: null, restriction: first })
        : nextRun(range.timetable, { now: range.at, last: last.dataInterval, restriction: rest });
    if (next === null || (last !== undefined && next.runAfter <= last.runAfter)) break;
    // What comes after it has not ended either.
    if (next.dataInterval[1] >= range.at) break;
    dates.push(next);
    last = next;
  }
  if (range.reverse === true) dates.reverse();
  known.set(range, dates);
  return dates;
}
