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
import { Backfills, evolveBackfill } from '../backfill/state.ts';
import type { BackfillRef } from '../backfill/events.ts';
import { RunLine } from '../past/line.ts';
import { changeVersion, closed, erased, reopened, requested } from './runs.ts';
import { evolveFailed, type ToldState } from './told.ts';
import type { DagDefinition } from './definition.ts';
import type { DagAssetsEvent, DagEvent, DagScheduling, Interval, RunRequestedData, RunWaiter } from './events.ts';

/** A run that has been asked for and is not closed. */
export interface OpenRun {
  readonly runId: string;
  /** Absent for a run that was closed and came back. */
  readonly requested?: RunRequestedData;
  /** The version it executes; set when it is first admitted. */
  readonly version?: string;
  readonly backfill?: BackfillRef;
  /** Somebody cleared it after its end: it runs again whatever became of its backfill. */
  readonly cameBack?: true;
}

export interface ClosedRun {
  readonly state: 'success' | 'failed';
  readonly version: string;
  readonly backfill?: BackfillRef;
  /** Of a run that never started. */
  readonly requested?: RunRequestedData;
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
  readonly closed: Map<string, ClosedRun>;
  /** Logical date → run id: unique in a DAG. */
  readonly logicalDates: Map<number, string>;
  /** Partition → run id of the last run that its timetable or a backfill made for it. */
  readonly partitions: Map<string, string>;
  /** Idempotency-Key → run id. */
  readonly keys: Map<string, string>;
  /** Runs with a logical date, in its order, and how the closed ones ended. */
  readonly line: RunLine;
  readonly waiters: Map<string, RunWaiter>;
  /** Runs that are sealed, and when those of them that are erased were (I14). */
  readonly sealed: Set<string>;
  readonly erased: Map<string, number>;
  /** Runs that are in an archive, or on their way there. */
  readonly archived: Map<string, 'archiving' | 'archived'>;
  /** Runs that are held. */
  readonly held: Set<string>;
  /** Priorities of runs that have one of their own. */
  readonly priorities: Map<string, number>;
  readonly backfills: Backfills;
  /** What the code of a timetable of the author's own told; undefined: nothing yet. */
  told: ToldState | undefined;
  /** Data interval of the last scheduled run, or of a later one of a backfill: the timetable goes on from there. */
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
    partitions: new Map(),
    keys: new Map(),
    line: new RunLine(),
    waiters: new Map(),
    sealed: new Set(),
    erased: new Map(),
    archived: new Map(),
    held: new Set(),
    priorities: new Map(),
    backfills: new Backfills(),
    told: undefined,
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
      dag.told = undefined;
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
      const run = { ...dag.queued.get(event.data.runId), runId: event.data.runId, version: event.data.version };
      dag.queued.delete(run.runId);
      dag.active.set(run.runId, run);
      dag.backfills.place(run, 'active');
      return;
    }
    case 'RunReopened':
      reopened(dag, event.data);
      return;
    case 'RunClosed':
      closed(dag, event.data);
      return;
    case 'RunErased':
      erased(dag, event.data);
      return;
    case 'RunArchiveBegun':
      dag.archived.set(event.data.runId, 'archiving');
      return;
    case 'RunArchived':
      dag.archived.set(event.data.runId, 'archived');
      return;
    case 'RunRestored':
      dag.archived.delete(event.data.runId);
      return;
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
    case 'DagTaken':
      return;
    case 'RunVersionChanged':
      changeVersion(dag, event.data.runId, event.data.version);
      return;
    case 'RunPastIgnored':
      dag.line.ignorePast(event.data.runId);
      return;
    case 'TimetableTold':
      dag.told = { runs: event.data.runs, isAtEnd: event.data.isAtEnd };
      return;
    case 'TimetableFailed':
      dag.told = evolveFailed(dag.told, event.data);
      return;
    case 'BackfillCreated':
    case 'BackfillDatesPassed':
    case 'BackfillPaused':
    case 'BackfillResumed':
    case 'BackfillCancelled':
    case 'BackfillCompleted':
      evolveBackfill(dag, event);
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

/** Where a run stands as its DAG knows it. */
export function runStandOf(dag: DagState, runId: string): 'queued' | 'active' | 'success' | 'failed' | undefined {
  if (dag.queued.has(runId)) return 'queued';
  if (dag.active.has(runId)) return 'active';
  return dag.closed.get(runId)?.state;
}

/**
 * The tasks that a run which has not started will consist of; undefined: all of the definition. A backfill may be of some tasks
 * only. In any other run a task is left out whose end date lies before the run's date, and with catchup one whose start
 * date lies after it.
 */
export function tasksOfRun(dag: DagState, runId: string, definition: DagDefinition): readonly string[] | undefined {
  const run = dag.active.get(runId) ?? dag.queued.get(runId);
  if (run?.backfill !== undefined) return dag.backfills.get(run.backfill.backfillId)?.spec.only;
  const date = run?.requested?.logicalDate ?? null;
  if (date === null) return undefined;
  const { tasks, catchup } = definition;
  const left = tasks.filter(
    ({ startDate, endDate }) =>
      !(catchup && startDate !== undefined && startDate > date) && !(date > (endDate ?? date)),
  );
  return left.length === tasks.length ? undefined : left.map((task) => task.taskId);
}
