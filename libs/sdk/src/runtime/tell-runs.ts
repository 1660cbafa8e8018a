import { checkTold, type RunsQuery, type Told, type ToldRun } from '@rondo/domain';
import { err, ok, type Result } from '@rondo/kernel';
import { readRun, type Timetable } from '../authoring/timetable.ts';

/** Runs that are passed over on the way to the present, without catchup, at most. */
const MOST_PASSED = 100_000;

/**
 * Asks a timetable for the runs after the last one, as many as the query wants: each as if it were asked for when the one before
 * it is due. Without catchup of those that are due only the latest counts. Never rejects: what the code does wrong is told.
 */
export async function tellRuns(
  timetable: Timetable,
  query: RunsQuery,
  { now, timezone }: { readonly now: number; readonly timezone: string },
): Promise<Result<Told>> {
  const runs: ToldRun[] = [];
  let last = query.last;
  let at = now;
  for (let asked = 0; asked < query.count + MOST_PASSED; asked++) {
    const next = await ask(timetable, { ...query, last }, at, timezone);
    if (!next.ok) return next;
    if (next.value === undefined || (query.latest !== null && next.value[0] > query.latest))
      return ok({ runs, isAtEnd: true });
    const run = next.value;
    const checked = checkTold([run], last);
    if (!checked.ok) return checked;
    if (!query.catchup && runs.at(-1) !== undefined && runs.at(-1)![2] <= now && run[2] <= now) runs.pop();
    runs.push(run);
    if (runs.length >= query.count) return ok({ runs, isAtEnd: false });
    last = [run[0], run[1]];
    at = Math.max(at, run[2]);
  }
  return err(`the timetable makes more than ${MOST_PASSED} runs before now: start nearer to now`);
}

async function ask(
  timetable: Timetable,
  { last, earliest, latest, catchup }: RunsQuery,
  now: number,
  timezone: string,
): Promise<Result<ToldRun | undefined>> {
  try {
    const returned = await timetable.next({
      last: last === null ? null : { start: new Date(last[0]), end: new Date(last[1]) },
      now: new Date(now),
      earliest: dateOf(earliest),
      latest: dateOf(latest),
      catchup,
      timezone,
    });
    return readRun(returned, timezone);
  } catch (error) {
    return err(`next() threw ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`);
  }
}

const dateOf = (ms: number | null): Date | null => (ms === null ? null : new Date(ms));
