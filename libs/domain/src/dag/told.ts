import { checkTold, customOf, MOST_TOLD, type Told, type ToldRun } from '../schedule/index.ts';
import type { DagDecision } from './decision.ts';
import type { Interval } from './events.ts';
import type { DagState } from './state.ts';

/** What is known of the runs of a timetable that is its author's own code, of the newest version. */
export interface ToldState extends Told {
  /** The code failed: what it said, how often in a row, and when it is asked again. */
  readonly failure?: { readonly error: string; readonly times: number; readonly retryAt: number };
}

/** With fewer runs ahead than this the code is asked for more. */
const LEAST_AHEAD = 20;
const FIRST_RETRY_MS = 60_000;
const LAST_RETRY_MS = 3_600_000;

/** What the code is asked: the runs after the last one, as many as may be told. */
export interface RunsQuery {
  readonly last: Interval | null;
  readonly earliest: number | null;
  readonly latest: number | null;
  readonly catchup: boolean;
  readonly count: number;
}

/** What the code of the DAG's timetable is to be asked now; undefined: nothing. */
export function runsWanted(dag: DagState, now: number): RunsQuery | undefined {
  const { scheduling, told, last } = dag;
  if (dag.retired || customOf(scheduling?.timetable) === undefined) return undefined;
  if (told !== undefined) {
    if (told.failure !== undefined ? told.failure.retryAt > now : told.isAtEnd) return undefined;
    if (told.failure === undefined && aheadOf(told.runs, last, now) >= LEAST_AHEAD) return undefined;
  }
  const { startDate = null, endDate = null, catchup } = scheduling!;
  return { last, earliest: startDate, latest: endDate, catchup, count: MOST_TOLD };
}

/** Runs after the last one; without catchup only those that are still to come are of use. */
function aheadOf(runs: readonly ToldRun[], last: Interval | null, now: number): number {
  const ahead = runs.filter(([, end]) => last === null || end > last[1]);
  return ahead.at(-1) === undefined || ahead.at(-1)![2] <= now ? 0 : ahead.length;
}

/** When the code that failed is asked again. */
export function askAgainAt(dag: DagState): number | undefined {
  return dag.retired ? undefined : dag.told?.failure?.retryAt;
}

/** Takes what the code of this version answered. What it cannot have meant counts as a failure. */
export function tellRuns(d: DagDecision, version: string, after: Interval | null, { runs, isAtEnd }: Told): void {
  if (d.dag.version !== version || customOf(d.dag.scheduling?.timetable) === undefined) return;
  const checked = checkTold(runs, after);
  if (checked.ok) d.emit({ type: 'TimetableTold', data: { version, runs, isAtEnd } });
  else failTimetable(d, version, checked.error);
}

export function failTimetable(d: DagDecision, version: string, error: string): void {
  if (d.dag.version !== version || customOf(d.dag.scheduling?.timetable) === undefined) return;
  d.emit({ type: 'TimetableFailed', data: { version, error: error.slice(0, 4_096), at: d.now } });
}

export function evolveFailed(
  told: ToldState | undefined,
  { error, at }: { readonly error: string; readonly at: number },
): ToldState {
  const times = (told?.failure?.times ?? 0) + 1;
  const retryAt = at + Math.min(FIRST_RETRY_MS * 2 ** (times - 1), LAST_RETRY_MS);
  return { runs: told?.runs ?? [], isAtEnd: false, failure: { error, times, retryAt } };
}
