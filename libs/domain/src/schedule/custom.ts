import { err, ok, type Result } from '@rondo/kernel';
import type { Interval } from '../dag/events.ts';
import type { CustomSpec, NextRun, NextRunQuery, TimetableSpec } from './types.ts';

/** A run that the code of a timetable told of: start and end of its data interval, and when it is due. */
export type ToldRun = readonly [start: number, end: number, runAfter: number];

/** Runs that are told at once, at most. */
export const MOST_TOLD = 100;
const LATEST = 8.64e15;

/** The part of a timetable that is the author's own code; undefined: none is. */
export function customOf(spec: TimetableSpec | undefined): CustomSpec | undefined {
  if (spec?.kind === 'asset_or_time') return customOf(spec.timetable);
  return spec?.kind === 'custom' ? spec : undefined;
}

/** Checks what the code said: instants, and each run later than the one before it. */
export function checkTold(runs: readonly ToldRun[], after: Interval | null): Result<readonly ToldRun[]> {
  let last: readonly [end: number, runAfter: number] = after === null ? [-LATEST, -LATEST] : [after[1], after[1]];
  for (const [at, [start, end, runAfter]] of runs.entries()) {
    const isInstant = [start, end, runAfter].every((ms) => Number.isSafeInteger(ms) && Math.abs(ms) <= LATEST);
    if (!isInstant)
      return err(`run ${at + 1} of the timetable is [${start}, ${end}] at ${runAfter}: instants are wanted`);
    if (end < start) return err(`run ${at + 1} of the timetable ends before it starts`);
    const goesOn = runAfter > last[1] || (end > last[0] && runAfter >= last[1]);
    if (!goesOn)
      return err(
        `the timetable goes backwards: run ${at + 1} is due at ${iso(runAfter)}, the one before it at ${iso(last[1])}`,
      );
    last = [end, runAfter];
  }
  return runs.length > MOST_TOLD ? err(`the timetable told of ${runs.length} runs: at most ${MOST_TOLD}`) : ok(runs);
}

const iso = (ms: number): string => (Math.abs(ms) <= LATEST ? new Date(ms).toISOString() : String(ms));

export interface Told {
  readonly runs: readonly ToldRun[];
  /** Nothing comes after them. */
  readonly isAtEnd: boolean;
}

/**
 * The next run among those that were told: with catchup the first after the last, else the latest that is due, or the first in the
 * future. Null where that is not told yet, or there is none.
 */
export function nextTold(told: Told, { now, last, restriction }: NextRunQuery): NextRun | null {
  const { earliest, latest, catchup } = restriction;
  let due: ToldRun | undefined;
  let isLastDue = true;
  for (const run of told.runs) {
    const [start, end, runAfter] = run;
    if (last !== null && (end < last[1] || (end === last[1] && start <= last[0]))) continue;
    if (earliest !== null && start < earliest) continue;
    if (latest !== null && start > latest) break;
    if (catchup) return runOf(run);
    if (runAfter > now) {
      isLastDue = false;
      if (due === undefined) return runOf(run);
      break;
    }
    due = run;
  }
  // Later ones may be due as well.
  return due === undefined || (isLastDue && !told.isAtEnd) ? null : runOf(due);
}

function runOf([start, end, runAfter]: ToldRun): NextRun {
  return { dataInterval: [start, end], logicalDate: start, runAfter };
}
