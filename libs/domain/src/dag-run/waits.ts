import { assertNever, type Result } from '@rondo/kernel';
import type { ApprovalResponse, AttemptRef, WaitAnswer, WaitFor } from '../task-instance/index.ts';
import { responseAtTimeout, responseOf, type ApprovalAnswer, type ApprovalRefusal } from './approval.ts';
import type { Decision } from './decision.ts';
import { measured } from './measured.ts';
import { fail, keyOf, outletsOf, updatesOf } from './report.ts';
import { findInstance, type InstanceState } from './state.ts';

/** The instance that waits with this attempt; undefined when it waits no longer, or for something else (I1). */
export function waitingOf(d: Decision, attempt: AttemptRef): (InstanceState & { waitFor: WaitFor }) | undefined {
  const inst = findInstance(d.run, attempt.taskId, attempt.mapIndex);
  if (inst?.state !== 'deferred' || inst.waitFor === undefined) return undefined;
  if (inst.tryNumber !== attempt.tryNumber || inst.leg !== attempt.leg) return undefined;
  return inst as InstanceState & { waitFor: WaitFor };
}

/** True when the answer changed something; false for one to a wait that is over (I1). */
export function decideWaited(d: Decision, attempt: AttemptRef, answer: WaitAnswer): boolean {
  const inst = waitingOf(d, attempt);
  if (inst === undefined) return false;
  answerWait(d, inst, answer);
  return true;
}

/** The time that a waiting instance was to be looked at has come. */
export function wakeWait(d: Decision, inst: InstanceState): void {
  const { waitFor: wait, deferral } = inst;
  if (inst.state !== 'deferred' || wait === undefined) return;
  const isOver = deferral?.deadline !== undefined && deferral.deadline <= d.now;
  if (deferral?.response !== undefined) answerWait(d, inst, accepted(deferral.response));
  else if (wait.kind === 'time' && wait.until <= d.now) answerWait(d, inst, { kind: 'met' });
  else if (isOver && wait.kind === 'approval' && wait.defaults !== undefined)
    respond(d, inst, responseAtTimeout(wait, wait.defaults, d.now));
  else if (isOver) answerWait(d, inst, { kind: 'timeout' });
}

/** Somebody has answered the question that the instance asks. */
export function decideApproval(d: Decision, answer: ApprovalAnswer): Result<ApprovalResponse, ApprovalRefusal> {
  const inst = findInstance(d.run, answer.taskId, answer.mapIndex);
  const response = responseOf(inst, answer, d.now);
  if (response.ok) respond(d, inst!, response.value);
  return response;
}

function respond(d: Decision, inst: InstanceState, response: ApprovalResponse): void {
  d.emit({ type: 'ApprovalResponded', data: { ...keyOf(inst), at: d.now, response } });
  answerWait(d, inst, accepted(response));
}

const accepted = (response: ApprovalResponse): WaitAnswer => ({ kind: 'met', payload: { value: { ...response } } });

function answerWait(d: Decision, inst: InstanceState, answer: WaitAnswer): void {
  const { deferral } = inst;
  switch (answer.kind) {
    case 'met':
      meet(d, inst, answer);
      return;
    case 'failed':
      if (deferral?.onFailed === 'skip') skip(d, inst, answer.error.message);
      else fail(d, inst, d.now, answer.error, { retryable: answer.retryable, callbacksRan: false });
      return;
    case 'timeout':
      giveUp(d, inst);
      return;
    case 'skipped':
      skip(d, inst, answer.reason);
      return;
    default:
      assertNever(answer, 'answer to a wait');
  }
}

function meet(d: Decision, inst: InstanceState, answer: Extract<WaitAnswer, { kind: 'met' }>): void {
  const { payload, consumed, ends = false } = answer;
  const base = { ...keyOf(inst), at: d.now, ...(consumed === undefined ? {} : { consumed }) };
  if (inst.deferral?.resume !== undefined && !ends) {
    d.emit({ type: 'TaskResumed', data: { ...base, ...(payload === undefined ? {} : { payload }) } });
    return;
  }
  const xcoms = { ...answer.xcoms, ...(payload === undefined ? {} : { return_value: payload }) };
  const lengths = measured(d.run, inst, xcoms['return_value']);
  if (!lengths.ok) {
    fail(d, inst, d.now, { kind: 'mapping', message: lengths.error }, { retryable: true, callbacksRan: false });
    return;
  }
  d.emit({
    type: 'TaskSucceeded',
    data: {
      ...base,
      ...(Object.keys(xcoms).length === 0 ? {} : { xcoms }),
      ...(lengths.value === undefined ? {} : { lengths: lengths.value }),
      ...updatesOf(d, outletsOf(inst)),
      ...(inst.task.def.callbacks.includes('onSuccess') ? { callback: 'onSuccess' as const } : {}),
    },
  });
}

/** The deadline has come. A sensor's timeout is never retried. */
function giveUp(d: Decision, inst: InstanceState): void {
  const { deferral } = inst;
  const message = `waited in vain${deferral?.deadline === undefined ? '' : ` until ${new Date(deferral.deadline).toISOString()}`}`;
  if (deferral?.onTimeout === 'skip') skip(d, inst, message);
  else {
    const type = deferral?.onTimeout === 'retry' ? 'DeferralTimeout' : 'SensorTimeout';
    const retryable = deferral?.onTimeout === 'retry';
    fail(d, inst, d.now, { kind: 'timeout', type, message }, { retryable, callbacksRan: false });
  }
}

function skip(d: Decision, inst: InstanceState, reason: string): void {
  d.emit({
    type: 'TaskSkipped',
    data: {
      at: d.now,
      instances: [{ taskId: inst.task.def.taskId, mapIndex: inst.mapIndex }],
      reason,
      attempt: keyOf(inst),
      ...(inst.task.def.callbacks.includes('onSkipped') ? { callback: 'onSkipped' as const } : {}),
    },
  });
}
