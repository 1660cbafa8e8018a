import type { DagRunEvent } from './dag-run/events.ts';
import type { DagEvent } from './dag/events.ts';

/** Events that this release folds, by the streams that hold them: the compiler keeps them whole. */
const DAG_EVENTS: Readonly<Record<DagEvent['type'], true>> = {
  DagVersionPublished: true,
  DagPaused: true,
  DagUnpaused: true,
  DagRetired: true,
  RunRequested: true,
  RunAdmitted: true,
  RunReopened: true,
  RunClosed: true,
  RunHeld: true,
  RunReleased: true,
  RunReprioritised: true,
  RunNoted: true,
  RunErased: true,
  RunArchiveBegun: true,
  RunArchived: true,
  RunRestored: true,
  RunVersionChanged: true,
  RunPastIgnored: true,
  AssetsWatched: true,
  AssetEventsQueued: true,
  AssetEventsPassed: true,
  AssetQueueDeleted: true,
  BackfillCreated: true,
  BackfillDatesPassed: true,
  BackfillPaused: true,
  BackfillResumed: true,
  BackfillCancelled: true,
  BackfillCompleted: true,
  TimetableTold: true,
  TimetableFailed: true,
  DagTaken: true,
  RunSummaryRevised: true,
};

export const DAG_RUN_EVENTS: Readonly<Record<DagRunEvent['type'], true>> = {
  RunStarted: true,
  PastConditionsAnswered: true,
  TaskScheduled: true,
  TaskQueued: true,
  TaskStarted: true,
  TaskDeferred: true,
  TaskResumed: true,
  ApprovalResponded: true,
  TaskRescheduled: true,
  TaskSucceeded: true,
  TaskFailed: true,
  TaskRetryScheduled: true,
  TaskLost: true,
  TaskSkipped: true,
  TaskUpstreamFailed: true,
  TaskRemoved: true,
  TaskMapped: true,
  TaskCleared: true,
  GroupRetried: true,
  RunRetried: true,
  TaskMarked: true,
  TaskAttemptClosed: true,
  TaskHeld: true,
  TaskReleased: true,
  TaskWithdrawn: true,
  TaskReprioritised: true,
  TaskRetriesSet: true,
  TaskNoted: true,
  RunVersionChanged: true,
  CallbackReported: true,
  XComSet: true,
  XComDeleted: true,
  RunReopened: true,
  RunResumed: true,
  RunTaken: true,
  RunSucceeded: true,
  RunFailed: true,
};

/**
 * Throws for an event of a DAG or a run that a later release has written: to fold the stream without it would give another state than
 * the history has.
 */
export function needKnownEvent(stream: string, revision: number, type: string): void {
  const known = stream.startsWith('dagRun-') ? DAG_RUN_EVENTS : DAG_EVENTS;
  if (Object.hasOwn(known, type)) return;
  throw new Error(
    `event ${revision} of '${stream}' is of type '${type}', which this release does not know: start a newer release`,
  );
}
