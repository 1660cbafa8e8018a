import type { BackfillRef } from '../backfill/events.ts';
import type { DagEvent, RunRequestedData } from './events.ts';
import type { DagState, OpenRun } from './state.ts';

type DataOf<Type extends DagEvent['type']> = Extract<DagEvent, { readonly type: Type }>['data'];

export function changeVersion(dag: DagState, runId: string, version: string): void {
  const closed = dag.closed.get(runId);
  if (closed !== undefined) dag.closed.set(runId, { ...closed, version });
  for (const open of [dag.queued, dag.active]) {
    const run = open.get(runId);
    if (run !== undefined) open.set(runId, { ...run, version });
  }
}

export function requested(dag: DagState, run: RunRequestedData): void {
  queue(dag, {
    runId: run.runId,
    requested: run,
    ...(run.backfill === undefined ? {} : { backfill: run.backfill }),
  });
  if (run.logicalDate !== null) {
    dag.logicalDates.set(run.logicalDate, run.runId);
    const { runId, runType, ignoreDependsOnPast = false } = run;
    dag.line.add({ runId, date: run.logicalDate, runType, ignoresPast: ignoreDependsOnPast, summary: undefined });
    if (run.backfill !== undefined) join(dag, runId, run.backfill, false);
  }
  if (run.sealed === true) dag.sealed.add(run.runId);
  if (run.key !== undefined) dag.keys.set(run.key, run.runId);
  if (run.assetEvents !== undefined) dag.assets.waiting.delete(run.partitionKey ?? '');
  if (run.priority !== undefined) dag.priorities.set(run.runId, run.priority);
  if (run.waiter !== undefined) dag.waiters.set(run.runId, run.waiter);
  moveOn(dag, run);
}

/** The timetable goes on from its last run, and from one of a backfill that lies after it. */
function moveOn(dag: DagState, { runType, runId, dataInterval, partitionKey, runAfter }: RunRequestedData): void {
  if (runType !== 'scheduled' && runType !== 'backfill') return;
  if (partitionKey !== undefined) dag.partitions.set(partitionKey, runId);
  // A run of a partition has no interval: its tick stands for it.
  const span = dataInterval ?? (partitionKey === undefined ? null : ([runAfter, runAfter] as const));
  if (span !== null && (runType === 'scheduled' || dag.last === null || span[0] > dag.last[0])) dag.last = span;
}

/** The run is one of the backfill's now. One that has started keeps the tasks that it has. */
function join({ line, backfills }: DagState, runId: string, ref: BackfillRef, hasStarted: boolean): void {
  line.join(runId, ref.ordinal);
  if (!hasStarted) line.consist(runId, backfills.get(ref.backfillId)?.spec.only);
}

function queue(dag: DagState, run: OpenRun): void {
  dag.queued.set(run.runId, run);
  if (run.backfill === undefined) return;
  dag.backfills.take(run.backfill);
  dag.backfills.place(run, 'queued');
}

export function reopened(dag: DagState, { runId, backfill }: DataOf<'RunReopened'>): void {
  const before = dag.closed.get(runId);
  dag.closed.delete(runId);
  dag.line.summarise(runId, undefined);
  if (backfill !== undefined) join(dag, runId, backfill, before?.requested === undefined);
  if (before?.state === 'failed' && dag.failedInARow > 0) dag.failedInARow--;
  const ref = backfill ?? before?.backfill;
  queue(dag, {
    runId,
    ...(before === undefined || before.requested !== undefined ? {} : { version: before.version }),
    ...(before?.requested === undefined ? {} : { requested: before.requested }),
    ...(ref === undefined ? {} : { backfill: ref }),
    ...(backfill === undefined ? { cameBack: true as const } : {}),
  });
}

/** Reason of a run that never started because its backfill was cancelled. */
export const BACKFILL_CANCELLED = 'backfill_cancelled';

export function closed(dag: DagState, { runId, state, reason, past }: DataOf<'RunClosed'>): void {
  const run = dag.active.get(runId) ?? dag.queued.get(runId);
  dag.active.delete(runId);
  dag.queued.delete(runId);
  dag.held.delete(runId);
  dag.backfills.place({ ...run, runId }, undefined);
  dag.closed.set(runId, {
    state,
    version: run?.version ?? dag.version ?? '',
    ...(run?.backfill === undefined ? {} : { backfill: run.backfill }),
    ...(run?.version !== undefined || run?.requested === undefined ? {} : { requested: run.requested }),
  });
  dag.line.summarise(runId, past);
  if (reason !== BACKFILL_CANCELLED) dag.failedInARow = state === 'failed' ? dag.failedInARow + 1 : 0;
}

/** A run that never started is asked for again as it was: what it was asked for with is gone too. */
export function erased(dag: DagState, { runId, at }: DataOf<'RunErased'>): void {
  dag.erased.set(runId, at);
  const run = dag.closed.get(runId);
  if (run?.requested === undefined) return;
  const { conf: _conf, note: _note, ...rest } = run.requested;
  dag.closed.set(runId, { ...run, requested: rest });
}
