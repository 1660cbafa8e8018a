import type { Json } from '@rondo/kernel';
import type { RunState } from '../task-instance/index.ts';
import type { TimetableSpec, ToldRun } from '../schedule/index.ts';
import type { AssetEventRange, AssetsWatched } from '../asset/index.ts';
import type { BackfillEvent, BackfillRef } from '../backfill/events.ts';
import type { TakenData } from '../dag-run/events.ts';
import type { RunSummary } from '../past/index.ts';

export const RUN_TYPES = ['scheduled', 'manual', 'backfill', 'asset_triggered', 'asset_materialization'] as const;
export type RunType = (typeof RUN_TYPES)[number];
export type Interval = readonly [start: number, end: number];
/** A task of another run that waits for this run (TriggerDagRun). */
export interface RunWaiter {
  readonly dagId: string;
  readonly runId: string;
  readonly attempt: string;
}

/** What the timetable's cursor and the limits need of a version, so that the DAG folds without its blob. */
export interface DagScheduling {
  readonly timetable: TimetableSpec;
  readonly timezone: string;
  readonly startDate?: number;
  readonly endDate?: number;
  readonly catchup: boolean;
  readonly maxActiveRuns: number;
  readonly maxActiveTasksPerDag?: number;
  /** Default 0. */
  readonly priority?: number;
  readonly maxConsecutiveFailedDagRuns: number;
  readonly isPausedUponCreation: boolean;
  /** Its runs are sealed (I14). */
  readonly sealed?: true;
}

/** What is told of a run whose events and logs are in an archive, wherever that is read only for its own sake. */
export interface ArchivedRun {
  readonly runId: string;
  /** Hash of the blob that tells what the archive consists of. */
  readonly archive: string;
  /** Its stream begins at this revision from now on; the hash is that of the event before it (I13). */
  readonly before: number;
  readonly hash: string;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly tryNumber: number;
  readonly reason: string | null;
}

/** Events of `dag-{dagId}`. */
export type DagEvent =
  | {
      readonly type: 'DagVersionPublished';
      readonly data: {
        readonly version: string;
        readonly file: string;
        readonly bundle: string;
        readonly scheduling: DagScheduling;
        /** Of a DAG that waits for assets: where it begins to listen to those that it did not wait for before. */
        readonly watched?: AssetsWatched;
      };
    }
  | { readonly type: 'DagRetired'; readonly data: { readonly reason: string } }
  | { readonly type: 'DagPaused'; readonly data: { readonly reason?: string } }
  | { readonly type: 'DagUnpaused'; readonly data: Record<string, never> }
  | { readonly type: 'RunRequested'; readonly data: RunRequestedData }
  | { readonly type: 'RunAdmitted'; readonly data: { readonly runId: string; readonly version: string } }
  | {
      readonly type: 'RunReopened';
      readonly data: {
        readonly runId: string;
        /** A backfill runs it again: it is one of its runs from now on. */
        readonly backfill?: BackfillRef;
        /** The date that the backfill takes. */
        readonly logicalDate?: number;
      };
    }
  | {
      readonly type: 'RunClosed';
      readonly data: {
        readonly runId: string;
        readonly state: Extract<RunState, 'success' | 'failed'>;
        /** Of a run that ended before it started: its own stream tells the others'. */
        readonly reason?: string;
        /** Of a run that tasks of the next run look at. */
        readonly past?: RunSummary;
      };
    }
  /** Its tasks are not published, and it is not admitted, until it is released. */
  | { readonly type: 'RunHeld'; readonly data: { readonly runId: string } }
  | { readonly type: 'RunReleased'; readonly data: { readonly runId: string } }
  /** In place of its DAG's priority; null: the DAG's again. */
  | { readonly type: 'RunReprioritised'; readonly data: { readonly runId: string; readonly priority: number | null } }
  | {
      readonly type: 'RunNoted';
      readonly data: {
        readonly runId: string;
        /** Empty: the note is taken away. */
        readonly note: string;
        /** `user:ada`. */
        readonly by: string;
      };
    }
  /** The run goes on with this version; its own stream follows. */
  | { readonly type: 'RunVersionChanged'; readonly data: { readonly runId: string; readonly version: string } }
  /** Its tasks do not wait for their past any more. */
  | { readonly type: 'RunPastIgnored'; readonly data: { readonly runId: string } }
  /** The key of a sealed run is deleted, and with it all that the key has sealed, for good (I14). `by`: `user:ada`. */
  | { readonly type: 'RunErased'; readonly data: { readonly runId: string; readonly at: number; readonly by: string } }
  /** Nothing is decided about the run from now on, so that it can be archived. `by`: `user:ada`. */
  | {
      readonly type: 'RunArchiveBegun';
      readonly data: { readonly runId: string; readonly at: number; readonly by: string };
    }
  | { readonly type: 'RunArchived'; readonly data: ArchivedRun & { readonly at: number } }
  /** It is as if it had never been archived; its earlier events and logs are read from the archive. */
  | {
      readonly type: 'RunRestored';
      readonly data: { readonly runId: string; readonly at: number; readonly by: string };
    }
  /** Tasks of a closed run were marked. */
  | { readonly type: 'RunSummaryRevised'; readonly data: { readonly runId: string; readonly past: RunSummary } }
  | { readonly type: 'DagTaken'; readonly data: TakenData }
  | DagAssetsEvent
  | BackfillEvent
  /** The code of the timetable told of its next runs; what it had told before counts no more. */
  | {
      readonly type: 'TimetableTold';
      readonly data: { readonly version: string; readonly runs: readonly ToldRun[]; readonly isAtEnd: boolean };
    }
  | {
      readonly type: 'TimetableFailed';
      readonly data: { readonly version: string; readonly error: string; readonly at: number };
    };

/** What a DAG hears of the assets that it waits for. */
export type DagAssetsEvent =
  /** An alias or a URI of the schedule has come to stand for an asset. */
  | { readonly type: 'AssetsWatched'; readonly data: AssetsWatched }
  /** Events of assets that wait for a run of this DAG. */
  | { readonly type: 'AssetEventsQueued'; readonly data: { readonly events: readonly AssetEventRange[] } }
  /** Events of assets that count for no run of this DAG. */
  | {
      readonly type: 'AssetEventsPassed';
      readonly data: { readonly events: readonly AssetEventRange[]; readonly reason: string };
    }
  | {
      readonly type: 'AssetQueueDeleted';
      /** Without a partition: of all. */
      readonly data: { readonly names: readonly string[]; readonly partitionKey?: string };
    };

export interface RunRequestedData {
  readonly runId: string;
  readonly runType: RunType;
  /** Epoch milliseconds; null for a manual run without one. */
  readonly logicalDate: number | null;
  readonly dataInterval: Interval | null;
  readonly runAfter: number;
  readonly conf?: Json;
  /** `user`, `timetable`, `operator`, … */
  readonly triggeredBy: string;
  /** The Idempotency-Key of the command: a repeat with the same key is the same run. */
  readonly key?: string;
  readonly note?: string;
  readonly waiter?: RunWaiter;
  /** Its tasks do not wait for their past. */
  readonly ignoreDependsOnPast?: true;
  /** The part of its assets that the run is about. */
  readonly partitionKey?: string;
  /** The run consumes what waited (of its partition): so many events, the last at this position of the history. */
  readonly assetEvents?: { readonly count: number; readonly through: number };
  /** In place of its DAG's priority. */
  readonly priority?: number;
  readonly backfill?: BackfillRef;
  /** What people have put into it is sealed with a key of its own (I14). */
  readonly sealed?: true;
}
