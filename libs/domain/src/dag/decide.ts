import { err, ok, type Json, type Result } from '@rondo/kernel';
import { manualInterval, runIdFor, validateRunId } from '../schedule/index.ts';
import type { DagDefinition } from './definition.ts';
import { NO_ASSETS, requestAssetRuns, watchedFrom, type AssetDirectory } from './assets.ts';
import { RUN_TYPES, type DagScheduling, type Interval, type RunType, type RunWaiter } from './events.ts';
import { closeCancelled, completeBackfill, takeDates, wantsDates, type Clearable } from '../backfill/index.ts';
import type { DagDecision, DagRefusal } from './decision.ts';
import { isSameSummary, type RunSummary } from '../past/index.ts';
import { runStandOf, type DagState, type OpenRun } from './state.ts';
import { dueRun, scheduledRunId } from './timetable.ts';
import { askAgainAt } from './told.ts';

/** Runs that one decision of the timetable asks for at most: catch-up goes on with the next decision. */
const RUNS_PER_TICK = 10;

export function schedulingOf(definition: DagDefinition): DagScheduling {
  const {
    timetable,
    timezone,
    endDate,
    catchup,
    maxActiveRuns,
    maxActiveTasksPerDag,
    priority,
    maxConsecutiveFailedDagRuns,
    isPausedUponCreation,
    sealed,
  } = definition;
  const starts = [definition, ...definition.tasks].flatMap((each) => each.startDate ?? []);
  return {
    timetable,
    timezone,
    // The earliest of the DAG's and of its tasks'.
    ...(starts.length === 0 ? {} : { startDate: starts.reduce((a, b) => Math.min(a, b)) }),
    ...(endDate === undefined ? {} : { endDate }),
    catchup,
    maxActiveRuns: timetable.kind === 'continuous' ? 1 : maxActiveRuns,
    ...(maxActiveTasksPerDag === undefined ? {} : { maxActiveTasksPerDag }),
    ...(priority === undefined ? {} : { priority }),
    maxConsecutiveFailedDagRuns,
    isPausedUponCreation,
    ...(sealed === true ? { sealed } : {}),
  };
}

export function publishVersion(
  d: DagDecision,
  version: string,
  definition: DagDefinition,
  bundle: string,
  assets: AssetDirectory = NO_ASSETS,
): void {
  if (d.dag.version === version && !d.dag.retired) return;
  const isNew = d.dag.version === undefined;
  const scheduling = schedulingOf(definition);
  const watched = watchedFrom(d.dag, scheduling.timetable, assets);
  d.emit({
    type: 'DagVersionPublished',
    data: { version, file: definition.file, bundle, scheduling, ...(watched === undefined ? {} : { watched }) },
  });
  if (isNew && scheduling.isPausedUponCreation) d.emit({ type: 'DagPaused', data: { reason: 'paused upon creation' } });
}

export function retire(d: DagDecision, reason: string): void {
  if (d.dag.version !== undefined && !d.dag.retired) d.emit({ type: 'DagRetired', data: { reason } });
}

export function setPaused(d: DagDecision, paused: boolean): Result<void, DagRefusal> {
  if (d.dag.version === undefined) return err(unknownDag(d.dag.dagId));
  if (d.dag.paused !== paused) d.emit(paused ? { type: 'DagPaused', data: {} } : { type: 'DagUnpaused', data: {} });
  return ok(undefined);
}

export interface TriggerRun {
  readonly runId?: string;
  readonly runType: RunType;
  readonly logicalDate?: number | null;
  readonly dataInterval?: Interval;
  readonly runAfter?: number;
  readonly conf?: Json;
  readonly triggeredBy: string;
  readonly key?: string;
  readonly note?: string;
  readonly waiter?: RunWaiter;
  /** Its tasks do not wait for their past. Default false. */
  readonly ignoreDependsOnPast?: boolean;
  /** In place of its DAG's. */
  readonly priority?: number;
  /** Random text that keeps apart the ids of runs without a logical date. */
  readonly suffix: string;
  /** The part of its assets that the run is about. */
  readonly partitionKey?: string;
  /** It is sealed though its DAG does not say so: a run that is sealed has asked for it (I14). */
  readonly sealed?: boolean;
}

/** Asks for a run. A repeat with the same key answers with the run that exists; the same run id or logical date is a conflict. */
export function triggerRun(
  d: DagDecision,
  command: TriggerRun,
): Result<{ readonly runId: string; readonly existed: boolean }, DagRefusal> {
  const { dag } = d;
  if (dag.version === undefined || dag.scheduling === undefined) return err(unknownDag(dag.dagId));
  const known = command.key === undefined ? undefined : dag.keys.get(command.key);
  if (known !== undefined) return ok({ runId: known, existed: true });
  if (dag.retired)
    return err({
      code: 'retired',
      message: `DAG '${dag.dagId}' is retired: its file no longer defines it, so it takes no new runs`,
    });
  if (command.runId !== undefined) {
    const valid = validateRunId(command.runId);
    if (!valid.ok) return err({ code: 'invalid', message: valid.error });
    const other = RUN_TYPES.find((type) => type !== command.runType && command.runId!.startsWith(`${type}__`));
    if (other !== undefined)
      return err({
        code: 'invalid',
        message: `run id '${command.runId}' begins with '${other}__', which is kept for ${other} runs; this one is ${command.runType}`,
      });
  }
  const runAfter = command.runAfter ?? d.now;
  const logicalDate = command.logicalDate ?? null;
  const runId =
    command.runId ??
    runIdFor(command.runType, runAfter, logicalDate === null ? command.suffix : undefined, command.partitionKey);
  if (runStandOf(dag, runId) !== undefined)
    return err({
      code: 'conflict',
      message: `DAG '${dag.dagId}' has a run '${runId}' already (${runStandOf(dag, runId)})`,
    });
  if (logicalDate !== null) {
    const other = dag.logicalDates.get(logicalDate);
    if (other !== undefined)
      return err({
        code: 'conflict',
        message: `DAG '${dag.dagId}' has a run for this logical date already: '${other}'`,
      });
  }
  const dataInterval = command.dataInterval ?? manualInterval(dag.scheduling.timetable, logicalDate ?? runAfter);
  const { conf, triggeredBy, key, note, waiter, priority, runType } = command;
  d.emit({
    type: 'RunRequested',
    data: {
      runId,
      runType,
      logicalDate,
      dataInterval: logicalDate === null && command.dataInterval === undefined ? null : dataInterval,
      runAfter,
      triggeredBy,
      ...(conf === undefined ? {} : { conf }),
      ...(key === undefined ? {} : { key }),
      ...(note === undefined ? {} : { note }),
      ...(waiter === undefined ? {} : { waiter }),
      ...(priority === undefined ? {} : { priority }),
      ...(command.ignoreDependsOnPast === true ? { ignoreDependsOnPast: true } : {}),
      ...(command.partitionKey === undefined ? {} : { partitionKey: command.partitionKey }),
      ...(command.sealed === true ? { sealed: true as const } : {}),
    },
  });
  return ok({ runId, existed: false });
}

const ALWAYS: Clearable = () => 'now';

/** Runs that the timetable makes due now, and the next of a backfill; then the admission of what waits. */
export function tick(d: DagDecision, clearable: Clearable = ALWAYS): void {
  for (let made = 0; made < RUNS_PER_TICK; made++) {
    const next = dueRun(d.dag, d.now);
    if (next === undefined || next.runAfter > d.now) break;
    d.emit({
      type: 'RunRequested',
      data: {
        runId: scheduledRunId(d.dag, next),
        runType: 'scheduled',
        ...(next.partitionKey === undefined
          ? { logicalDate: next.logicalDate, dataInterval: next.dataInterval }
          : { logicalDate: null, dataInterval: null, partitionKey: next.partitionKey }),
        runAfter: next.runAfter,
        triggeredBy: 'timetable',
      },
    });
  }
  requestAssetRuns(d);
  closeCancelled(d);
  takeDates(d, clearable);
  admit(d);
}

/**
 * Lets waiting runs start while the DAG is on and `maxActiveRuns` allows it. Those of backfills come after all others, in the
 * order of their dates, each backfill with a limit of its own.
 */
export function admit(d: DagDecision): void {
  const { dag } = d;
  if (dag.paused || dag.version === undefined || dag.scheduling === undefined) return;
  const { backfills } = dag;
  let room = dag.scheduling.maxActiveRuns - (dag.active.size - backfills.activeRuns);
  if (room > 0 && dag.queued.size > backfills.queuedRuns)
    for (const run of inOrder(dag)) {
      if (room <= 0) break;
      if (dag.held.has(run.runId)) continue;
      if (run.backfill !== undefined || (run.requested !== undefined && run.requested.runAfter > d.now)) continue;
      start(d, run);
      room--;
    }
  if (backfills.queuedRuns > 0) admitBackfills(d);
}

/** Runs with the larger priority first; else in the order in which they were asked for. */
function inOrder({ queued, priorities, scheduling }: DagState): Iterable<OpenRun> {
  if (priorities.size === 0) return queued.values();
  const priorityOf = ({ runId }: OpenRun): number => priorities.get(runId) ?? scheduling?.priority ?? 0;
  return Array.from(queued.values()).sort((a, b) => priorityOf(b) - priorityOf(a));
}

function admitBackfills(d: DagDecision): void {
  const { backfills, queued, held } = d.dag;
  for (const { stand, spec, queued: waiting, active } of backfills.all.values()) {
    const room = stand === 'paused' ? 0 : spec.maxActiveRuns - active.size;
    if (waiting.size === 0 || room <= 0) continue;
    const runs = Array.from(waiting, (runId) => queued.get(runId)!).filter(({ runId }) => !held.has(runId));
    runs.sort((a, b) => a.backfill!.ordinal - b.backfill!.ordinal);
    for (const run of runs.slice(0, room)) start(d, run);
  }
}

function start(d: DagDecision, run: OpenRun): void {
  d.emit({ type: 'RunAdmitted', data: { runId: run.runId, version: run.version ?? d.dag.version! } });
}

/** A run that an admitted one waits for starts even where `maxActiveRuns` leaves no room: neither would end otherwise. */
export function admitAwaited(d: DagDecision, runId: string): void {
  const { dag } = d;
  const run = dag.queued.get(runId);
  if (run === undefined || dag.paused || dag.held.has(runId) || dag.version === undefined) return;
  if (run.requested !== undefined && run.requested.runAfter > d.now) return;
  // A backfill comes to its next date in its own time: only what was cleared behind it may be in its way.
  if (run.backfill !== undefined && run.version === undefined) return;
  if (run.backfill !== undefined && dag.backfills.get(run.backfill.backfillId)?.stand === 'paused') return;
  start(d, run);
}

/** `reason`: why a run that never started has ended. `past`: what the next run may want to know. */
export function closeRun(
  d: DagDecision,
  runId: string,
  state: 'success' | 'failed',
  { reason, past }: { readonly reason?: string | undefined; readonly past?: RunSummary | undefined } = {},
): void {
  if (!d.dag.active.has(runId) && !d.dag.queued.has(runId)) return;
  const data = { runId, state, ...(reason === undefined ? {} : { reason }), ...(past === undefined ? {} : { past }) };
  d.emit({ type: 'RunClosed', data });
  completeBackfill(d);
  const limit = d.dag.scheduling?.maxConsecutiveFailedDagRuns ?? 0;
  if (limit > 0 && d.dag.failedInARow >= limit && !d.dag.paused)
    d.emit({
      type: 'DagPaused',
      data: { reason: `the last ${d.dag.failedInARow} runs failed (maxConsecutiveFailedDagRuns ${limit})` },
    });
}

/** The tasks of a closed run may have been marked: what the next run looks at is told again if it differs. */
export function reviseSummary(d: DagDecision, runId: string, past: RunSummary | undefined): void {
  if (past === undefined || !d.dag.closed.has(runId)) return;
  const known = d.dag.line.find(runId);
  if (known !== undefined && !isSameSummary(known.summary, past))
    d.emit({ type: 'RunSummaryRevised', data: { runId, past } });
}

export function reopenRun(d: DagDecision, runId: string): void {
  if (d.dag.closed.has(runId)) d.emit({ type: 'RunReopened', data: { runId } });
}

/** When the DAG wants to be looked at again though nothing happens: the next tick, or a run whose time is to come. */
export function nextDagWake(dag: DagState, now: number): number | undefined {
  const times: number[] = [];
  const next = dueRun(dag, now);
  if (wantsDates(dag)) times.push(now);
  const again = askAgainAt(dag);
  if (again !== undefined && again > now) times.push(again);
  if (next !== undefined) times.push(Math.max(next.runAfter, now));
  if (!dag.paused)
    for (const run of dag.queued.values())
      if (run.requested !== undefined && run.requested.runAfter > now) times.push(run.requested.runAfter);
  return times.length === 0 ? undefined : Math.min(...times);
}

function unknownDag(dagId: string): DagRefusal {
  return { code: 'not_found', message: `there is no DAG '${dagId}'` };
}
