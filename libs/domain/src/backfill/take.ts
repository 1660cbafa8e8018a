import type { DagDecision } from '../dag/decision.ts';
import { runStandOf, type DagState } from '../dag/state.ts';
import { runIdFor, type NextRun } from '../schedule/index.ts';
import { backfillDates } from './dates.ts';
import type { BackfillCreatedData, PassedDate, PassReason } from './events.ts';
import type { BackfillState } from './state.ts';

/** Dates that one decision takes at most: the next goes on. */
export const DATES_PER_DECISION = 100;
/** Runs of a backfill that wait to be admitted, at least; as many as may be active, if that is more. */
const LEAST_QUEUED = 20;

/** Whether a closed run can be run again now, once it is in memory (`later`), or not at all. */
export type Clearable = (runId: string) => 'now' | 'later' | 'never';

export interface DateFate {
  readonly action: 'create' | 'clear' | 'pass';
  readonly runId?: string;
  readonly reason?: PassReason;
}

/** What becomes of a date, as the runs are now. */
export function fateOf(dag: DagState, spec: BackfillCreatedData, { logicalDate, partitionKey }: NextRun): DateFate {
  const runId = partitionKey === undefined ? dag.logicalDates.get(logicalDate) : dag.partitions.get(partitionKey);
  if (runId === undefined) return spec.needsUpstream === true ? { action: 'pass', reason: 'needs upstream' } : CREATE;
  const stand = runStandOf(dag, runId);
  if (stand !== 'success' && stand !== 'failed') return { action: 'pass', runId, reason: 'in flight' };
  if (spec.reprocess !== 'none' && dag.erased.has(runId)) return { action: 'pass', runId, reason: 'erased' };
  if (spec.reprocess !== 'none' && dag.archived.has(runId)) return { action: 'pass', runId, reason: 'archived' };
  if (spec.reprocess === 'completed' || (spec.reprocess === 'failed' && stand === 'failed'))
    return { action: 'clear', runId };
  return { action: 'pass', runId, reason: 'already exists' };
}

const CREATE: DateFate = { action: 'create' };

/** Whether the current backfill has dates to take and room for their runs. */
export function wantsDates(dag: DagState): boolean {
  const backfill = dag.backfills.current;
  if (backfill === undefined || dag.retired) return false;
  return isOver(backfill) || (hasRoom(backfill) && backfill.taken < backfill.spec.dates);
}

function hasRoom({ stand, spec, queued }: BackfillState): boolean {
  return stand === 'running' && queued.size < Math.max(spec.maxActiveRuns, LEAST_QUEUED);
}

function isOver({ spec, taken, queued, active }: BackfillState): boolean {
  return taken >= spec.dates && queued.size === 0 && active.size === 0;
}

/** Closed runs that the next decision may want to run again, and the version that they will have then. */
export function runsToClear(dag: DagState): { readonly runId: string; readonly version: string }[] {
  const backfill = dag.backfills.current;
  if (backfill === undefined || backfill.spec.reprocess === 'none' || !wantsDates(dag)) return [];
  const { spec, taken } = backfill;
  const next = backfillDates(spec).slice(taken, taken + LEAST_QUEUED);
  return next.flatMap((date) => {
    const fate = fateOf(dag, spec, date);
    const closed = fate.action === 'clear' ? dag.closed.get(fate.runId!) : undefined;
    if (closed === undefined || closed.requested !== undefined) return [];
    const version = spec.runOnLatestVersion === true ? (dag.version ?? closed.version) : closed.version;
    return [{ runId: fate.runId!, version }];
  });
}

/**
 * Takes the next dates of the current backfill while there is room for their runs: asks for a run, has one run again, or passes
 * the date over. Each event moves on by itself, so that what is left of a decision is taken by the next.
 */
export function takeDates(d: DagDecision, clearable: Clearable): void {
  const { dag } = d;
  const backfill = dag.backfills.current;
  if (backfill === undefined || !wantsDates(dag)) return;
  const { spec } = backfill;
  const dates = backfillDates(spec);
  const passed: PassedDate[] = [];
  const flush = (): void => {
    if (passed.length > 0)
      d.emit({ type: 'BackfillDatesPassed', data: { backfillId: spec.backfillId, dates: passed.splice(0) } });
  };
  const end = Math.min(spec.dates, backfill.taken + DATES_PER_DECISION);
  for (let at = backfill.taken; at < end && hasRoom(backfill); at++) {
    const date = dates[at]!;
    const fate = fateOf(dag, spec, date);
    const can = fate.action === 'clear' ? clearable(fate.runId!) : 'now';
    if (can === 'later') break;
    if (fate.action === 'pass' || can === 'never') {
      const { runId, reason = 'quarantined' } = fate;
      passed.push({
        ...{ ordinal: at + 1, logicalDate: date.logicalDate, reason },
        ...(runId === undefined ? {} : { runId }),
      });
      continue;
    }
    flush();
    give(d, spec, at + 1, date, fate.runId);
  }
  flush();
  completeBackfill(d);
}

function give(d: DagDecision, spec: BackfillCreatedData, ordinal: number, date: NextRun, existing?: string): void {
  const backfill = { backfillId: spec.backfillId, ordinal };
  const { runAfter, logicalDate, dataInterval, partitionKey } = date;
  const dated = partitionKey === undefined ? { logicalDate } : {};
  if (existing !== undefined) {
    const { version } = d.dag;
    if (spec.runOnLatestVersion === true && d.dag.closed.get(existing)?.version !== version)
      d.emit({ type: 'RunVersionChanged', data: { runId: existing, version: version! } });
    d.emit({ type: 'RunReopened', data: { runId: existing, backfill, ...dated } });
    return;
  }
  d.emit({
    type: 'RunRequested',
    data: {
      ...{ runId: runIdOf(d.dag, spec, date), runType: 'backfill', runAfter, triggeredBy: 'backfill', backfill },
      ...(partitionKey === undefined
        ? { logicalDate, dataInterval }
        : { logicalDate: null, dataInterval: null, partitionKey }),
      ...(spec.conf === undefined ? {} : { conf: spec.conf }),
    },
  });
}

/** The id that another run has already is told apart by the number of the backfill. */
function runIdOf(dag: DagState, { backfillId }: BackfillCreatedData, { runAfter, partitionKey }: NextRun): string {
  if (partitionKey !== undefined) return runIdFor('backfill', runAfter, `${backfillId}`, partitionKey);
  const plain = runIdFor('backfill', runAfter);
  return runStandOf(dag, plain) === undefined ? plain : runIdFor('backfill', runAfter, `${backfillId}`);
}

/** Says that the current backfill is over, if it is. */
export function completeBackfill(d: DagDecision): void {
  const { current } = d.dag.backfills;
  if (current !== undefined && isOver(current))
    d.emit({ type: 'BackfillCompleted', data: { backfillId: current.spec.backfillId } });
}
