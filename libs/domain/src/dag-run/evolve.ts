import { assertNever } from '@rondo/kernel';
import { pathsOf, type InstanceRange, type SkipDecision } from '../task-instance/index.ts';
import { skipsOf } from '../graph/index.ts';
import type { AttemptKey, DagRunEvent } from './events.ts';
import { blocksMapped, foldGroupRetried, grantTries } from './block-fold.ts';
import { foldPastAnswers } from './past-answers.ts';
import { foldRunRetried } from './run-retry.ts';
import { grant } from './retry-policy.ts';
import { retriesOf, setHold, setRetries } from './hold.ts';
import { foldDeferred, foldRescheduled, foldResponse, foldResumed } from './waits-fold.ts';
import { sharedLevels } from './map-plan.ts';
import { evolveMapped } from './mapping.ts';
import { findInstance, leavesOf, look, type DagRunState, type InstanceState } from './state.ts';
import { setCallback, setOpen, transition } from './transitions.ts';
import { isNode, placeAt, type MapNode } from './tree.ts';

/**
 * Folds one event into the state, in place: the same function builds the state from history and moves it after a
 * decision, so that memory and replay cannot differ. An event that names a task which the plan lacks is an error (the
 * history and the version do not belong together), unless the run has been given another version since it started.
 */
export function evolveRun(run: DagRunState, event: DagRunEvent): void {
  switch (event.type) {
    case 'RunStarted':
      run.started = event.data;
      run.version = event.data.version;
      run.state = 'running';
      run.startedAt = event.data.at;
      run.deadline = event.data.deadline;
      return;
    case 'RunReopened':
      reopen(run, 'queued');
      if (event.data.backfill !== undefined && run.started !== undefined)
        run.started = { ...run.started, runType: 'backfill', triggeredBy: 'backfill', backfill: event.data.backfill };
      return;
    case 'RunResumed':
      // Also where its end is the last that was written: the DAG's stream says that it goes on (I4).
      reopen(run, 'running');
      run.startedAt = event.data.at;
      run.deadline = event.data.deadline;
      relook(run);
      return;
    case 'RunSucceeded':
    case 'RunFailed':
      run.state = event.type === 'RunSucceeded' ? 'success' : 'failed';
      run.endedAt = event.data.at;
      run.reason = event.data.reason;
      return;
    case 'CallbackReported':
      if (event.data.taskId === undefined) run.callbackReported = true;
      else callbackReported(run, findInstance(run, event.data.taskId, event.data.mapIndex ?? []), event.data.callback);
      return;
    case 'XComSet':
    case 'XComDeleted':
      changeOutput(run, event);
      return;
    case 'TaskSkipped':
      bulk(run, event.data.instances, (inst) => {
        if (event.data.attempt !== undefined) {
          inst.tryNumber = event.data.attempt.tryNumber;
          inst.leg = event.data.attempt.leg;
          setOpen(run, inst, false);
          setCallback(run, inst, event.data.callback);
        }
        transition(run, inst, 'skipped');
      });
      return;
    case 'TaskUpstreamFailed':
      bulk(run, event.data.instances, (inst) => transition(run, inst, 'upstream_failed'));
      return;
    case 'TaskRemoved':
      bulk(run, event.data.instances, (inst) => transition(run, inst, 'removed'));
      return;
    case 'TaskMapped':
      evolveMapped(run, event.data);
      bulk(run, event.data.removed ?? [], (inst) => transition(run, inst, 'removed'));
      bulk(run, event.data.restored ?? [], (inst) => transition(run, inst, inst.open ? 'restarting' : 'none'));
      blocksMapped(run, event.data.scope, event.data.mapIndex);
      return;
    case 'TaskCleared':
      bulk(run, event.data.instances, (inst) => {
        clear(run, inst);
        grantTries(run, inst);
      });
      run.failing = false;
      return;
    case 'GroupRetried':
      foldGroupRetried(run, event.data, instancesIn(run, event.data.instances), (inst) => clear(run, inst));
      return;
    case 'PastConditionsAnswered':
      foldPastAnswers(run, event.data);
      return;
    case 'RunRetried':
      foldRunRetried(run, event.data);
      for (const inst of instancesIn(run, event.data.instances)) {
        clear(run, inst);
        grantTries(run, inst);
        if (event.data.retryAt > event.data.at) inst.wakeAt = event.data.retryAt;
      }
      return;
    case 'TaskMarked':
      bulk(run, event.data.instances, (inst) => {
        inst.marked = event.data.reason === 'fail_fast' ? 'failFast' : 'byHand';
        transition(run, inst, event.data.state);
      });
      return;
    case 'TaskHeld':
    case 'TaskReleased':
      bulk(run, event.data.instances, (inst) => setHold(run, inst, event.type === 'TaskHeld'));
      return;
    case 'TaskReprioritised':
      run.ready.reorder(() =>
        bulk(run, event.data.instances, (inst) => {
          inst.priority = event.data.priority ?? undefined;
        }),
      );
      return;
    case 'TaskRetriesSet':
      bulk(run, event.data.instances, (inst) => setRetries(inst, event.data.retries));
      return;
    case 'TaskNoted':
    case 'RunTaken':
      return;
    case 'RunVersionChanged':
      run.version = event.data.version;
      return;
    default:
      evolveAttempt(run, event);
  }
}

type AttemptEvent = Extract<DagRunEvent, { readonly data: AttemptKey }>;

function evolveAttempt(run: DagRunState, event: AttemptEvent): void {
  const inst = need(run, event.data.taskId, event.data.mapIndex);
  if (inst === undefined) return;
  inst.tryNumber = event.data.tryNumber;
  inst.leg = event.data.leg;
  switch (event.type) {
    case 'TaskScheduled':
      if (!inst.sameTry) {
        inst.lost = 0;
        inst.reschedules = 0;
        inst.deferral = undefined;
        inst.tryStartedAt = undefined;
      }
      inst.sameTry = false;
      inst.wakeAt = undefined;
      inst.waitFor = undefined;
      inst.output = undefined;
      setOpen(run, inst, true);
      transition(run, inst, 'scheduled');
      return;
    case 'TaskQueued':
      transition(run, inst, 'queued');
      return;
    case 'TaskStarted':
      inst.tryStartedAt ??= event.data.at;
      transition(run, inst, 'running');
      return;
    case 'TaskSucceeded':
      setOpen(run, inst, false);
      keepOutput(inst, event.data);
      setCallback(run, inst, event.data.callback);
      forgetSkips(run, inst);
      if (event.data.skip !== undefined) rememberSkips(run, inst, event.data.skip);
      transition(run, inst, 'success');
      return;
    case 'TaskFailed':
      setOpen(run, inst, false);
      setCallback(run, inst, event.data.callback);
      transition(run, inst, 'failed');
      return;
    case 'TaskRetryScheduled':
      setOpen(run, inst, false);
      setCallback(run, inst, event.data.callback);
      inst.wakeAt = event.data.retryAt;
      inst.waitFor = undefined;
      grant(inst, event.data);
      transition(run, inst, 'up_for_retry');
      return;
    case 'TaskRescheduled':
      setOpen(run, inst, false);
      foldRescheduled(inst, event.data);
      transition(run, inst, 'up_for_reschedule');
      return;
    case 'TaskDeferred':
      setOpen(run, inst, false);
      foldDeferred(run, inst, event.data);
      transition(run, inst, 'deferred');
      return;
    case 'ApprovalResponded':
      foldResponse(run, inst, event.data);
      return;
    case 'TaskResumed':
      foldResumed(inst, event.data);
      transition(run, inst, 'none');
      return;
    case 'TaskLost':
      setOpen(run, inst, false);
      inst.lost++;
      inst.sameTry = true;
      transition(run, inst, 'none');
      return;
    case 'TaskWithdrawn':
      setOpen(run, inst, false);
      inst.sameTry = true;
      transition(run, inst, 'none');
      return;
    case 'TaskAttemptClosed':
      setOpen(run, inst, false);
      if (inst.state === 'restarting') restart(run, inst);
      return;
    default:
      assertNever(event, 'event of a run');
  }
}

/** Of the XComs a run keeps only what others take as their input. */
function changeOutput(run: DagRunState, event: Extract<DagRunEvent, { type: 'XComSet' | 'XComDeleted' }>): void {
  const inst = need(run, event.data.taskId, event.data.mapIndex);
  if (inst === undefined || !inst.task.feeds || event.data.key !== 'return_value') return;
  inst.output = event.type === 'XComSet' ? event.data.value : undefined;
}

function reopen(run: DagRunState, to: 'queued' | 'running'): void {
  run.state = to;
  run.endedAt = undefined;
  run.reason = undefined;
  run.deadline = undefined;
  run.callbackReported = false;
  run.maxTries = run.tryNumber - 1 + (run.plan.definition.runRetries ?? 0);
}

/** A report of another callback than the one asked for is late: that of an earlier try. */
function callbackReported(run: DagRunState, inst: InstanceState | undefined, callback: string): void {
  if (inst !== undefined && inst.callback === callback) setCallback(run, inst, undefined);
}

function clear(run: DagRunState, inst: InstanceState): void {
  inst.maxTries = inst.tryNumber + retriesOf(inst);
  inst.lost = 0;
  inst.sameTry = false;
  inst.wakeAt = undefined;
  inst.waitFor = undefined;
  inst.deferral = undefined;
  inst.output = undefined;
  inst.ruleUses = undefined;
  inst.marked = undefined;
  // The attempt that is still open was published with them.
  if (!inst.open) inst.overrides = undefined;
  setCallback(run, inst, undefined);
  forgetSkips(run, inst);
  // I3: an instance whose attempt is still open waits for its end.
  transition(run, inst, inst.open ? 'restarting' : 'none');
  inst.pushed = false;
  inst.lengths = undefined;
}

/** What of a success others go on with: the value, if it is one that an assignment carries, and how long it is. */
function keepOutput(inst: InstanceState, data: Extract<AttemptEvent, { type: 'TaskSucceeded' }>['data']): void {
  const value = data.xcoms?.['return_value'];
  inst.pushed = value !== undefined;
  inst.lengths = data.lengths;
  if (inst.task.feeds) inst.output = value;
}

function restart(run: DagRunState, inst: InstanceState): void {
  inst.overrides = undefined;
  transition(run, inst, 'none');
}

/** The decision of a branch or short-circuit holds until the task that made it is cleared. */
function rememberSkips(run: DagRunState, inst: InstanceState, skip: SkipDecision): void {
  inst.skips = skipsOf(run.plan.graph, inst.task.index, skip);
  vote(run, inst, inst.skips, 1);
}

function forgetSkips(run: DagRunState, inst: InstanceState): void {
  if (inst.skips === undefined) return;
  vote(run, inst, inst.skips, -1);
  inst.skips = undefined;
}

/** Of a mapped group, only what has the index of the instance that decided. */
function vote(run: DagRunState, by: InstanceState, tasks: readonly number[], vote: 1 | -1): void {
  const count = (at: MapNode | InstanceState): void => {
    at.skipVotes += vote;
    if (isNode(at)) at.children.forEach(count);
    else look(run, at);
  };
  for (const index of tasks) {
    const shared = sharedLevels(by.task.levels, run.plan.tasks[index]!.levels);
    const place = placeAt(run.tasks[index]!, by.mapIndex, Math.min(shared, by.mapIndex.length));
    if (place !== undefined) count(place);
  }
}

/** After a pause of the whole run everything without a status is looked at again. */
function relook(run: DagRunState): void {
  for (const task of run.tasks) for (const inst of leavesOf(task)) look(run, inst);
}

function bulk(run: DagRunState, ranges: readonly InstanceRange[], each: (inst: InstanceState) => void): void {
  for (const inst of instancesIn(run, ranges)) each(inst);
}

function* instancesIn(run: DagRunState, ranges: readonly InstanceRange[]): Generator<InstanceState> {
  for (const range of ranges)
    for (const path of pathsOf(range)) {
      const inst = need(run, range.taskId, path);
      if (inst !== undefined) yield inst;
    }
}

/** Undefined: an instance of an earlier version of the run, which the present one does not have. */
function need(run: DagRunState, taskId: string, mapIndex: readonly number[]): InstanceState | undefined {
  const inst = findInstance(run, taskId, mapIndex);
  if (inst === undefined && (run.started === undefined || run.started.version === run.plan.version))
    throw new Error(
      `run '${run.started?.runId ?? '?'}' has no task instance '${taskId}' [${mapIndex.join('.')}]: version ${run.plan.version} does not fit its history`,
    );
  return inst;
}
