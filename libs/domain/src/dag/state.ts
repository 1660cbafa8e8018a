import { assertNever } from '@rondo/kernel';
import {
  assetsOf,
  dropWaiting,
  enqueue,
  newAssetQueue,
  passOver,
  retarget,
  watch,
  type AssetQueue,
} from '../asset/index.ts';
import { RunLine } from '../past/line.ts';
import type { DagAssetsEvent, DagEvent, DagScheduling, Interval, RunRequestedData, RunWaiter } from './events.ts';

/** A run that has been asked for and is not closed. */
export interface OpenRun {
  readonly runId: string;
  /** Absent for a run that was closed and came back. */
  readonly requested?: RunRequestedData;
  /** The version it executes; set when it is first admitted. */
  readonly version?: string;
}

/** The timetable's cursor, the limits on runs and what exists: folded from `dag-{dagId}`, in place. */
export interface DagState {
  readonly dagId: string;
  version: string | undefined;
  file: string | undefined;
  bundle: string | undefined;
  scheduling: DagScheduling | undefined;
  paused: boolean;
  retired: boolean;
  /** Asked for, not admitted; in order. */
  readonly queued: Map<string, OpenRun>;
  /** Admitted, not closed. */
  readonly active: Map<string, OpenRun>;
  readonly closed: Map<string, { readonly state: 'success' | 'failed'; readonly version: string }>;
  /** Logical date → run id: unique in a DAG. */
  readonly logicalDates: Map<number, string>;
  /** Idempotency-Key → run id. */
  readonly keys: Map<string, string>;
  /** Runs with a logical date, in its order, and how the closed ones ended. */
  readonly line: RunLine;
  readonly waiters: Map<string, RunWaiter>;
  /** Runs that are held. */
  readonly held: Set<string>;
  /** Priorities of runs that have one of their own. */
  readonly priorities: Map<string, number>;
  /** Data interval of the last scheduled run: the timetable goes on from there. */
  last: Interval | null;
  failedInARow: number;
  readonly assets: AssetQueue;
}

export function initialDag(dagId: string): DagState {
  return {
    dagId,
    version: undefined,
    file: undefined,
    bundle: undefined,
    scheduling: undefined,
    paused: false,
    retired: false,
    queued: new Map(),
    active: new Map(),
    closed: new Map(),
    logicalDates: new Map(),
    keys: new Map(),
    line: new RunLine(),
    waiters: new Map(),
    held: new Set(),
    priorities: new Map(),
    last: null,
    failedInARow: 0,
    assets: newAssetQueue(),
  };
}

/** Folds one event into the state, in place. */
export function evolveDag(dag: DagState, event: DagEvent): void {
  switch (event.type) {
    case 'DagVersionPublished':
      dag.version = event.data.version;
      dag.file = event.data.file;
      dag.bundle = event.data.bundle;
      dag.scheduling = event.data.scheduling;
      dag.retired = false;
      retarget(dag.assets, assetsOf(dag.scheduling.timetable), event.data.watched ?? { assets: {} });
      return;
    case 'DagRetired':
      dag.retired = true;
      return;
    case 'DagPaused':
      dag.paused = true;
      return;
    case 'DagUnpaused':
      dag.paused = false;
      dag.failedInARow = 0;
      return;
    case 'RunRequested':
      requested(dag, event.data);
      return;
    case 'RunAdmitted': {
      const run = dag.queued.get(event.data.runId);
      dag.queued.delete(event.data.runId);
      dag.active.set(event.data.runId, { ...run, runId: event.data.runId, version: event.data.version });
      return;
    }
    case 'RunReopened': {
      const closed = dag.closed.get(event.data.runId);
      dag.closed.delete(event.data.runId);
      dag.line.summarise(event.data.runId, undefined);
      if (closed?.state === 'failed' && dag.failedInARow > 0) dag.failedInARow--;
      dag.queued.set(event.data.runId, {
        runId: event.data.runId,
        ...(closed === undefined ? {} : { version: closed.version }),
      });
      return;
    }
    case 'RunClosed': {
      const { runId, state } = event.data;
      const version = dag.active.get(runId)?.version ?? dag.queued.get(runId)?.version ?? dag.version ?? '';
      dag.active.delete(runId);
      dag.queued.delete(runId);
      dag.closed.set(runId, { state, version });
      dag.line.summarise(runId, event.data.past);
      dag.failedInARow = state === 'failed' ? dag.failedInARow + 1 : 0;
      return;
    }
    case 'RunSummaryRevised':
      dag.line.summarise(event.data.runId, event.data.past);
      return;
    case 'AssetsWatched':
    case 'AssetEventsQueued':
    case 'AssetEventsPassed':
    case 'AssetQueueDeleted':
      evolveAssets(dag.assets, event);
      return;
    case 'RunHeld':
      dag.held.add(event.data.runId);
      return;
    case 'RunReleased':
      dag.held.delete(event.data.runId);
      return;
    case 'RunReprioritised':
      if (event.data.priority === null) dag.priorities.delete(event.data.runId);
      else dag.priorities.set(event.data.runId, event.data.priority);
      return;
    case 'RunNoted':
      return;
    case 'RunVersionChanged':
      changeVersion(dag, event.data.runId, event.data.version);
      return;
    case 'RunPastIgnored':
      dag.line.ignorePast(event.data.runId);
      return;
    default:
      assertNever(event, 'event of a DAG');
  }
}

function evolveAssets(queue: AssetQueue, event: DagAssetsEvent): void {
  switch (event.type) {
    case 'AssetsWatched':
      watch(queue, event.data);
      return;
    case 'AssetEventsQueued':
      for (const range of event.data.events) enqueue(queue, range);
      return;
    case 'AssetEventsPassed':
      for (const range of event.data.events) passOver(queue, range);
      return;
    case 'AssetQueueDeleted':
      dropWaiting(queue, event.data.names, event.data.partitionKey);
      return;
    default:
      assertNever(event, 'event of the assets of a DAG');
  }
}

function changeVersion(dag: DagState, runId: string, version: string): void {
  const closed = dag.closed.get(runId);
  if (closed !== undefined) dag.closed.set(runId, { ...closed, version });
  for (const open of [dag.queued, dag.active]) {
    const run = open.get(runId);
    if (run !== undefined) open.set(runId, { ...run, version });
  }
}

function requested(dag: DagState, run: RunRequestedData): void {
  dag.queued.set(run.runId, { runId: run.runId, requested: run });
  if (run.logicalDate !== null) {
    dag.logicalDates.set(run.logicalDate, run.runId);
    const { runId, runType, ignoreDependsOnPast = false } = run;
    dag.line.add({ runId, date: run.logicalDate, runType, ignoresPast: ignoreDependsOnPast, summary: undefined });
  }
  if (run.key !== undefined) dag.keys.set(run.key, run.runId);
  if (run.assetEvents !== undefined) dag.assets.waiting.delete(run.partitionKey ?? '');
  if (run.priority !== undefined) dag.priorities.set(run.runId, run.priority);
  if (run.waiter !== undefined) dag.waiters.set(run.runId, run.waiter);
  if (run.runType === 'scheduled' && run.dataInterval !== null) dag.last = run.dataInterval;
}

/** Where a run stands as its DAG knows it. */
export function runStandOf(dag: DagState, runId: string): 'queued' | 'active' | 'success' | 'failed' | undefined {
  if (dag.queued.has(runId)) return 'queued';
  if (dag.active.has(runId)) return 'active';
  return dag.closed.get(runId)?.state;
}
