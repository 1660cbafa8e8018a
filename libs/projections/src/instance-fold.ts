import {
  describeWait,
  pathsOf,
  type AttemptKey,
  type AttemptOverrides,
  type DecidingRule,
  type DagDefinition,
  type DagRunEvent,
  type InstanceRange,
  type XComValue,
} from '@rondo/domain';
import { assertNever, type JsonObject } from '@rondo/kernel';
import { resetTry, tryOf, type InstanceFoldRow, type RunModel, type RunSink } from './run-model.ts';

type AttemptEvent = Extract<DagRunEvent, { data: AttemptKey }>;
type BulkEvent = Extract<DagRunEvent, { data: { readonly instances: readonly InstanceRange[] } }>;

/** What happens to many instances at once. */
export function applyBulkEvent(model: RunModel, event: BulkEvent, sink: RunSink): void {
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
        row.mapIndexName = event.data.name ?? row.mapIndexName;
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
    case 'RunRetried':
      row.maxTries = row.tryNumber + row.retries;
      if (row.open) row.state = 'restarting';
      else closeTry(row, at, sink);
      row.retryAt = event.data.retryAt;
      row.reason = `the run is tried again, try ${event.data.tryNumber}`;
      return;
    case 'GroupRetried':
      row.maxTries = row.tryNumber + row.retries;
      closeTry(row, at, sink);
      row.retryAt = event.data.retryAt;
      row.reason = `group '${event.data.groupId}' is tried again, try ${event.data.tryNumber}`;
      return;
    case 'TaskHeld':
    case 'TaskReleased':
      row.held = event.type === 'TaskHeld';
      return;
    case 'TaskReprioritised':
      row.priority = event.data.priority;
      return;
    case 'TaskRetriesSet':
      row.maxTries += event.data.retries - row.retries;
      row.retries = event.data.retries;
      return;
    case 'TaskNoted':
      row.note = event.data.note === '' ? null : event.data.note;
      row.noteBy = event.data.note === '' ? null : event.data.by;
      return;
    default:
      assertNever(event, 'event of many instances');
  }
}

/** The run has the tasks of another version now: what left is removed, what is new has no status. */
export function applyVersion(model: RunModel, at: number, definition: DagDefinition, sink: RunSink): void {
  const { kept, gone } = model.adjust(definition);
  for (const row of gone) {
    end(row, 'removed', at, 'version');
    sink.touch(row);
  }
  for (const row of kept) sink.touch(row);
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

/** What happens to one attempt of one instance. */
export function applyAttemptEvent(row: InstanceFoldRow, event: AttemptEvent, sink: RunSink): void {
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
    default:
      row.open = false;
      leave(row, event.data, sink);
      endAttempt(row, event, sink);
  }
}

type EndEvent = Exclude<AttemptEvent, { type: 'TaskScheduled' | 'TaskQueued' | 'TaskStarted' }>;

function endAttempt(row: InstanceFoldRow, event: EndEvent, sink: RunSink): void {
  const { at } = event.data;
  switch (event.type) {
    case 'TaskSucceeded':
      // One that is decided without a child was never started: it took no time.
      row.startedAt ??= at;
      return end(row, 'success', at, null);
    case 'TaskFailed':
      end(row, 'failed', at, ruleText(event.data));
      row.error = event.data.error;
      return;
    case 'TaskRetryScheduled':
      end(row, 'failed', at, ruleText(event.data));
      row.error = event.data.error;
      sink.keepTry(tryOf(row, at));
      row.state = 'up_for_retry';
      row.retryAt = event.data.retryAt;
      return;
    case 'TaskRescheduled':
      row.state = 'up_for_reschedule';
      row.retryAt = event.data.until;
      return;
    case 'TaskDeferred':
      row.state = 'deferred';
      row.reason = describeWait(event.data.waitFor);
      if (event.data.waitFor.kind === 'approval') {
        const { waitFor: wait, deadline = null } = event.data;
        sink.setApproval({ ...attemptOf(row), asked: { wait, at, deadline } });
      }
      return;
    case 'ApprovalResponded':
      sink.setApproval({ ...attemptOf(row), response: event.data.response });
      return;
    case 'TaskResumed':
      row.state = 'none';
      row.reason = null;
      return;
    case 'TaskLost':
      row.state = 'none';
      row.reason = event.data.reason;
      return;
    case 'TaskWithdrawn':
      row.state = 'none';
      row.reason = event.data.reason;
      return;
    case 'TaskAttemptClosed':
      if (row.state !== 'restarting') return;
      row.reason = event.data.reason;
      return closeTry(row, at, sink);
    default:
      assertNever(event, 'event of an attempt');
  }
}

/** An XCom that was changed by hand. */
export function applyXComEvent(
  { run: { dagId, runId } }: RunModel,
  event: Extract<DagRunEvent, { type: 'XComSet' | 'XComDeleted' }>,
  sink: RunSink,
): void {
  const { taskId, key } = event.data;
  const mapIndex = event.data.mapIndex.join('.');
  if (event.type === 'XComDeleted') sink.deleteXCom(taskId, mapIndex, key);
  else sink.setXCom({ dagId, runId, taskId, mapIndex, key, ...stored(event.data.value) });
}

const stored = (xcom: XComValue) =>
  'value' in xcom ? { value: xcom.value, blob: null } : { value: null, blob: xcom.blob };

const attemptOf = ({ taskId, mapIndex, tryNumber, leg }: InstanceFoldRow) => ({ taskId, mapIndex, tryNumber, leg });

/** The rule of the retry policy that decided, and what it gives the next try. */
function ruleText({ rule, overrides }: { readonly rule?: DecidingRule; readonly overrides?: AttemptOverrides }) {
  if (rule === undefined) return null;
  const given = overrides === undefined ? '' : `, next try with ${JSON.stringify(overrides).slice(0, 1_000)}`;
  return `retry policy: ${rule.name === undefined ? `rule ${rule.index + 1}` : `rule '${rule.name}'`}${given}`;
}

interface Leavings {
  readonly xcoms?: Readonly<Record<string, XComValue>>;
  readonly rendered?: JsonObject;
  readonly name?: string;
}

/** What an attempt that has ended leaves behind. */
function leave(row: InstanceFoldRow, left: Leavings & AttemptKey, sink: RunSink): void {
  const { dagId, runId, taskId, mapIndex } = row;
  row.mapIndexName = left.name ?? row.mapIndexName;
  if (left.xcoms !== undefined)
    for (const [key, xcom] of Object.entries(left.xcoms))
      sink.setXCom({ dagId, runId, taskId, mapIndex, key, ...stored(xcom) });
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
