import type { Json } from '@rondo/kernel';
import type { TimetableSpec } from '../schedule/index.ts';

/** What becomes of a date that has a run already: nothing, run again if it failed, run again if it has ended. */
export const REPROCESS = ['none', 'failed', 'completed'] as const;
export type Reprocess = (typeof REPROCESS)[number];

/** Why a date got no run of the backfill. */
export const PASS_REASONS = [
  'in flight',
  'already exists',
  'needs upstream',
  'quarantined',
  'erased',
  'archived',
] as const;
export type PassReason = (typeof PASS_REASONS)[number];

/** A run's backfill, and the place of its date in it, from 1. */
export interface BackfillRef {
  readonly backfillId: number;
  readonly ordinal: number;
}

export interface PassedDate {
  readonly ordinal: number;
  readonly logicalDate: number;
  readonly reason: PassReason;
  /** The run that is there. */
  readonly runId?: string;
}

export interface BackfillCreatedData {
  /** From 1 in its DAG. */
  readonly backfillId: number;
  /** Epoch milliseconds. Intervals that had not ended by then are no part of it. */
  readonly at: number;
  /** Bounds of the logical dates, both inclusive. */
  readonly from: number;
  readonly to: number;
  /** As it was then: a later version of the DAG changes no date of it. */
  readonly timetable: TimetableSpec;
  /** How many dates there are. */
  readonly dates: number;
  readonly maxActiveRuns: number;
  readonly reprocess: Reprocess;
  /** The newest date first. */
  readonly reverse?: true;
  readonly conf?: Json;
  readonly runOnLatestVersion?: true;
  /** Its runs consist of these tasks, setups and teardowns included. */
  readonly only?: readonly string[];
  /** A chosen task takes values of one that is not chosen: a date without a run cannot have any. */
  readonly needsUpstream?: true;
  /** The Idempotency-Key of the command. */
  readonly key?: string;
}

interface About {
  readonly backfillId: number;
}

/** Events of `dag-{dagId}` about a backfill. What it makes are `RunRequested` and `RunReopened` that name it. */
export type BackfillEvent =
  | { readonly type: 'BackfillCreated'; readonly data: BackfillCreatedData }
  /** Dates that get no run, one event for many. */
  | { readonly type: 'BackfillDatesPassed'; readonly data: About & { readonly dates: readonly PassedDate[] } }
  | { readonly type: 'BackfillPaused'; readonly data: About }
  | { readonly type: 'BackfillResumed'; readonly data: About }
  | { readonly type: 'BackfillCancelled'; readonly data: About }
  /** Every date has been taken and no run of it is open. */
  | { readonly type: 'BackfillCompleted'; readonly data: About };
