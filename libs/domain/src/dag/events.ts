import type { Json } from '@rondo/kernel';
import type { RunState } from '../task-instance/index.ts';
import type { TimetableSpec } from '../schedule/index.ts';
import type { RunSummary } from '../past/index.ts';

export type RunType = 'scheduled' | 'manual' | 'backfill' | 'asset_triggered';
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
  readonly maxConsecutiveFailedDagRuns: number;
  readonly isPausedUponCreation: boolean;
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
      };
    }
  | { readonly type: 'DagRetired'; readonly data: { readonly reason: string } }
  | { readonly type: 'DagPaused'; readonly data: { readonly reason?: string } }
  | { readonly type: 'DagUnpaused'; readonly data: Record<string, never> }
  | { readonly type: 'RunRequested'; readonly data: RunRequestedData }
  | { readonly type: 'RunAdmitted'; readonly data: { readonly runId: string; readonly version: string } }
  | { readonly type: 'RunReopened'; readonly data: { readonly runId: string } }
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
  /** Tasks of a closed run were marked. */
  | { readonly type: 'RunSummaryRevised'; readonly data: { readonly runId: string; readonly past: RunSummary } };

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
}
