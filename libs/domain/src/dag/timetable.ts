import { customOf, nextRun, nextTold, runIdFor, type NextRun } from '../schedule/index.ts';
import type { Interval } from './events.ts';
import { sha1Hex } from '../retry/sha1.ts';
import { runStandOf, type DagState } from './state.ts';

/** The timetable's next run; undefined while the DAG is off, has enough open runs, or the timetable is at its end. */
export function dueRun(dag: DagState, now: number): NextRun | undefined {
  const { scheduling } = dag;
  if (scheduling === undefined || dag.paused || dag.retired) return undefined;
  if (openRuns(dag) >= scheduling.maxActiveRuns) return undefined;
  return runAfter(dag, now, dag.last);
}

/** Runs that are not closed, without those of backfills, which have limits of their own. */
export function openRuns({ active, queued, backfills }: DagState): number {
  return active.size + queued.size - backfills.activeRuns - backfills.queuedRuns;
}

/**
 * The next runs, at most `count`, as the timetable would ask for them if the DAG were not paused and had room: each as if the
 * one before it had just been asked for when it is due.
 */
export function previewRuns(dag: DagState, now: number, count: number): NextRun[] {
  const runs: NextRun[] = [];
  if (dag.scheduling === undefined || dag.retired) return runs;
  // A continuous timetable goes on whenever its run ends, which nobody can know.
  const limit = dag.scheduling.timetable.kind === 'continuous' ? Math.min(count, 1) : count;
  let { last } = dag;
  let at = now;
  while (runs.length < limit) {
    const next = runAfter(dag, at, last);
    if (next === undefined || (last !== null && isSame(next.dataInterval, last))) break;
    runs.push(next);
    last = next.dataInterval;
    at = Math.max(at, next.runAfter);
  }
  return runs;
}

const NOTHING_TOLD = { runs: [], isAtEnd: false };

/** What comes after the interval; dates and ids that a run has already are passed over. */
function runAfter(dag: DagState, now: number, after: Interval | null): NextRun | undefined {
  const { timetable, startDate, endDate, catchup } = dag.scheduling!;
  // A continuous timetable without a start date starts now; a first interval without a length would take the next one's date.
  const earliest = startDate ?? (timetable.kind === 'continuous' ? (after?.[0] ?? now - 1) : null);
  const restriction = { earliest, latest: endDate ?? null, catchup };
  const isCustom = customOf(timetable) !== undefined;
  let last = after;
  for (;;) {
    const query = { now, last, restriction };
    const next = isCustom ? nextTold(dag.told ?? NOTHING_TOLD, query) : nextRun(timetable, query);
    if (next === null) return undefined;
    const hasDate = next.partitionKey === undefined && dag.logicalDates.has(next.logicalDate);
    const isTaken = hasDate || runStandOf(dag, scheduledRunId(dag, next)) !== undefined;
    if (!isTaken) return next;
    if (last !== null && isSame(next.dataInterval, last)) return undefined;
    last = next.dataInterval;
  }
}

/** The id of the run that the timetable asks for; of a partition it is told apart by what it stands for. */
export function scheduledRunId({ dagId }: DagState, { runAfter: due, partitionKey }: NextRun): string {
  if (partitionKey === undefined) return runIdFor('scheduled', due);
  return runIdFor('scheduled', due, sha1Hex(`${dagId}:${due}:${partitionKey}`).slice(0, 8), partitionKey);
}

function isSame(a: Interval, b: Interval): boolean {
  return a[0] === b[0] && a[1] === b[1];
}
