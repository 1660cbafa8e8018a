import { parseDate, type DateInput } from './dates.ts';
import { show } from './error.ts';
import type { Result } from '@rondo/kernel';
import { err, ok } from '@rondo/kernel';

const TIMETABLE = Symbol.for('rondo.timetable');

export interface TimetableQuery {
  /** The data interval of the last run that the timetable made, or of a backfill after it; null before the first. */
  readonly last: { readonly start: Date; readonly end: Date } | null;
  /** The moment at which the run that is asked for would be decided about: not before the last one is due. */
  readonly now: Date;
  /** `startDate` and `endDate`: the first and the last logical date that is wanted. */
  readonly earliest: Date | null;
  readonly latest: Date | null;
  readonly catchup: boolean;
  /** The DAG's. */
  readonly timezone: string;
}

export interface TimetableRun {
  /** The data interval; its start is the logical date. */
  readonly start: DateInput;
  readonly end: DateInput;
  /** The moment from which the run may begin. Default: the end. */
  readonly runAfter?: DateInput;
}

/**
 * When runs are due, in code of your own. An instance is the `schedule` of a DAG. The code runs in a process like that of a task,
 * when the file is read and whenever the scheduler knows of few runs to come.
 *
 *     class Weekdays extends Timetable {
 *       next({ last, earliest, now }: TimetableQuery) { … }
 *     }
 */
export abstract class Timetable {
  readonly [TIMETABLE] = true as const;

  /** In a sentence, for people. Default: none. */
  get description(): string | undefined {
    return undefined;
  }

  /** The run after the last one: a moment, or an interval. Nothing: there is none any more. */
  abstract next(
    query: TimetableQuery,
  ): TimetableRun | DateInput | null | undefined | Promise<TimetableRun | DateInput | null | undefined>;

  static is(value: unknown): value is Timetable {
    return typeof value === 'object' && value !== null && TIMETABLE in value;
  }
}

const allowed = 'a date, { start, end, runAfter } with dates, or nothing';

/** What `next` returned, in epoch milliseconds. Undefined: there is no run any more. */
export function readRun(
  returned: unknown,
  timezone: string,
): Result<readonly [start: number, end: number, runAfter: number] | undefined> {
  if (returned === null || returned === undefined) return ok(undefined);
  const isRun = typeof returned === 'object' && 'start' in returned && 'end' in returned;
  const { start, end, runAfter } = isRun
    ? (returned as TimetableRun)
    : { start: returned, end: returned, runAfter: undefined };
  const read: number[] = [];
  for (const [name, given] of Object.entries({ start, end, runAfter: runAfter ?? end })) {
    const parsed = parseDate(given, timezone);
    if (!parsed.ok)
      return err(
        isRun ? `next() returned ${name} ${parsed.error}` : `next() returned ${show(returned)}; allowed: ${allowed}`,
      );
    read.push(parsed.value);
  }
  return ok([read[0]!, read[1]!, read[2]!]);
}
