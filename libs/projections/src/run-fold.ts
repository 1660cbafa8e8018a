import {
  pathsOf,
  type AttemptKey,
  type DagDefinition,
  type DagEvent,
  type DagRunEvent,
  type InstanceRange,
  type RunRequestedData,
  type XComValue,
} from '@rondo/domain';
import { assertNever, type JsonObject } from '@rondo/kernel';
import { resetTry, tryOf, type InstanceFoldRow, type RunFoldRow, type RunModel, type RunSink } from './run-model.ts';

type AttemptEvent = Extract<DagRunEvent, { data: AttemptKey }>;
export type DagRunsEvent = Extract<DagEvent, { data: { readonly runId: string } }>;

/** Does the event of a DAG's stream speak of one of its runs, or of the DAG itself? */
export function isAboutRun(event: DagEvent): event is DagRunsEvent {
  return 'runId' in event.data;
}

/** The row of a run that has just been asked for. */
export function requestedRun(dagId: string, data: RunRequestedData, at: number, runNo: number): RunFoldRow {
  return {
    dagId,
    runId: data.runId,
    runType: data.runType,
    state: 'queued',
    version: null,
    logicalDate: data.logicalDate,
    dataIntervalStart: data.dataInterval?.[0] ?? null,
    dataIntervalEnd: data.dataInterval?.[1] ?? null,
    runAfter: data.runAfter,
    conf: data.conf ?? {},
    triggeredBy: data.triggeredBy,
    note: data.note ?? null,
    queuedAt: at,
    startedAt: null,
    endedAt: null,
    reason: null,
    runNo,
    dagRevisions: [],
  };
}

/** An event of `dag-{dagId}` that speaks of this run; `at` is when it occurred. */
export function applyDagEvent(model: RunModel, event: DagRunsEvent, at: number, revision: number, sink: RunSink): void {
  const { run } = model;
  run.dagRevisions = [...run.dagRevisions, revision];
  sink.touchRun(run);
  switch (event.type) {
    case 'RunRequested':
      return;
    case 'RunAdmitted':
      run.version = event.data.version;
      return;
    case 'RunReopened':
      reopen(model, at);
      return;
    case 'RunClosed':
      if (model.ended) return;
      run.state = event.data.state;
      run.endedAt = at;
      return;
    default:
      assertNever(event, 'event of a DAG about a run');
  }
}

function reopen({ run }: RunModel, at: number): void {
  run.state = 'queued';
  run.queuedAt = at;
  run.startedAt = null;
  run.endedAt = null;
  run.reason = null;
}

/** An event of the run's own stream. Mirrors what the domain folds, with the times and texts that people want to see. */
export function applyRunEvent(
  model: RunModel,
  event: DagRunEvent,
  definition: DagDefinition | undefined,
  sink: RunSink,
): void {
  const { run } = model;
  switch (event.type) {
    case 'RunStarted':
      run.version = event.data.version;
      run.state = 'running';
      run.startedAt = event.data.at;
      if (definition !== undefined && model.instances.size === 0) model.expand(definition);
      for (const instance of model.instances.values()) sink.touch(instance);
      sink.touchRun(run);
      return;
    case 'RunReopened':
      reopen(model, event.data.at);
      sink.touchRun(run);
      return;
    case 'RunResumed':
      run.state = 'running';
      run.startedAt = event.data.at;
      sink.touchRun(run);
      return;
    case 'RunSucceeded':
    case 'RunFailed':
      run.state = event.type === 'RunSucceeded' ? 'success' : 'failed';
      run.endedAt = event.data.at;
      run.reason = event.data.reason;
      sink.touchRun(run);
      return;
    case 'CallbackReported':
      return;
    case 'TaskSkipped':
    case 'TaskUpstreamFailed':
    case 'TaskRemoved':
    case 'TaskMarked':
    case 'TaskCleared':
      applyBulkEvent(model, event, sink);
      return;
    default:
      applyAttemptEvent(model.instance(event.data.taskId, event.data.mapIndex), event, sink);
  }
}

type BulkEvent = Extract<DagRunEvent, { data: { readonly instances: readonly InstanceRange[] } }>;

function applyBulkEvent(model: RunModel, event: BulkEvent, sink: RunSink): void {
  for (const range of event.data.instances)
    for (const path of pathsOf(range)) {
      const row = model.instance(range.taskId, path);
      sink.touch(row);
      applyToInstance(row, event, sink);
    }
}

function applyToInstance(row: InstanceFoldRow, event: BulkEvent, sink: RunSink): void {
  const { at } = event.data;
  switch (event.type) {
    case 'TaskSkipped':
      if (event.data.attempt !== undefined) {
        row.tryNumber = event.data.attempt.tryNumber;
        row.leg = event.data.attempt.leg;
        row.open = false;
      }
      return end(row, 'skipped', at, event.data.reason);
    case 'TaskUpstreamFailed':
      return end(row, 'upstream_failed', at, event.data.reason);
    case 'TaskRemoved':
      return end(row, 'removed', at, event.data.reason);
    case 'TaskMarked':
      return end(row, event.data.state, at, event.data.reason ?? 'marked');
    case 'TaskCleared':
      row.maxTries = row.tryNumber + row.retries;
      // I3: an instance whose attempt is still open waits for its end; only then is its try over.
      if (row.open) row.state = 'restarting';
      else closeTry(row, at, sink);
      return;
    default:
      assertNever(event, 'event of many instances');
  }
}

function end(
  row: InstanceFoldRow,
  state: 'success' | 'failed' | 'skipped' | 'upstream_failed' | 'removed',
  at: number,
  reason: string | null,
): void {
  row.state = state;
  row.endedAt = at;
  row.retryAt = null;
  row.reason = reason;
}

/** Back to no status. A try is kept unless there was none, or it was kept when its retry was scheduled. */
function closeTry(row: InstanceFoldRow, at: number, sink: RunSink): void {
  const tried = row.scheduledAt !== null || row.startedAt !== null;
  if (tried && row.state !== 'up_for_retry') sink.keepTry(tryOf(row, at));
  row.state = 'none';
  resetTry(row);
}

function applyAttemptEvent(row: InstanceFoldRow, event: AttemptEvent, sink: RunSink): void {
  const nextTry = event.data.tryNumber > row.tryNumber;
  row.tryNumber = event.data.tryNumber;
  row.leg = event.data.leg;
  sink.touch(row);
  const { at } = event.data;
  switch (event.type) {
    case 'TaskScheduled':
      resetTry(row);
      row.state = 'scheduled';
      row.scheduledAt = at;
      row.open = true;
      if (nextTry && row.tryNumber > 1) sink.forgetXComs(row.taskId, row.mapIndex);
      return;
    case 'TaskQueued':
      row.state = 'queued';
      row.queuedAt = at;
      row.worker = event.data.worker;
      return;
    case 'TaskStarted':
      row.state = 'running';
      row.startedAt = at;
      row.pid = event.data.pid ?? null;
      return;
    case 'TaskSucceeded':
      // One that is decided without a child was never started: it took no time.
      row.startedAt ??= at;
      leave(row, event.data, sink);
      return end(row, 'success', at, null);
    case 'TaskFailed':
      leave(row, event.data, sink);
      end(row, 'failed', at, null);
      row.error = event.data.error;
      return;
    case 'TaskRetryScheduled':
      leave(row, event.data, sink);
      end(row, 'failed', at, null);
      row.error = event.data.error;
      sink.keepTry(tryOf(row, at));
      row.state = 'up_for_retry';
      row.retryAt = event.data.retryAt;
      return;
    case 'TaskRescheduled':
      leave(row, event.data, sink);
      row.state = 'up_for_reschedule';
      row.retryAt = event.data.until;
      return;
    case 'TaskDeferred':
      leave(row, event.data, sink);
      row.state = 'deferred';
      row.reason = `waits for run '${event.data.waitFor.request.runId}' of DAG '${event.data.waitFor.request.dagId}'`;
      return;
    case 'TaskLost':
      leave(row, event.data, sink);
      row.state = 'none';
      row.reason = event.data.reason;
      return;
    case 'TaskAttemptClosed':
      leave(row, event.data, sink);
      if (row.state === 'restarting') {
        row.reason = event.data.reason;
        closeTry(row, at, sink);
      }
      return;
    default:
      assertNever(event, 'event of an attempt');
  }
}

interface Leavings {
  readonly xcoms?: Readonly<Record<string, XComValue>>;
  readonly rendered?: JsonObject;
}

/** The attempt has ended: it holds nothing any more, and leaves its XComs and rendered fields. */
function leave(row: InstanceFoldRow, left: Leavings & AttemptKey, sink: RunSink): void {
  row.open = false;
  const { dagId, runId, taskId, mapIndex } = row;
  if (left.xcoms !== undefined)
    for (const [key, xcom] of Object.entries(left.xcoms)) {
      const value = 'value' in xcom ? { value: xcom.value, blob: null } : { value: null, blob: xcom.blob };
      sink.setXCom({ dagId, runId, taskId, mapIndex, key, ...value });
    }
  if (left.rendered !== undefined)
    sink.setRendered({
      dagId,
      runId,
      taskId,
      mapIndex: left.mapIndex,
      tryNumber: left.tryNumber,
      fields: left.rendered,
    });
}
