import { assertNever, ok, type JsonObject, type Result } from '@rondo/kernel';
import type { AssetUpdate } from '../asset/events.ts';
import { branchTargets } from '../graph/index.ts';
import { mayRetry, retryDelayMs, type RetryAnswer } from '../retry/index.ts';
import type { AttemptOutcome, AttemptRef, SkipDecision, TaskError, XComValue } from '../task-instance/index.ts';
import type { Decision } from './decision.ts';
import { deferred } from './defer.ts';
import type { AttemptKey } from './events.ts';
import { grantOf, judgeTry } from './retry-policy.ts';
import { DEFAULT_MAX_MAP_LENGTH } from './lengths.ts';
import { findInstance, type InstanceState } from './state.ts';

/** What a gateway or worker says of an attempt; each is complete in itself, so that one may stand for the earlier ones. */
export type RunReport =
  | {
      readonly kind: 'queued';
      readonly attempt: AttemptRef;
      readonly at: number;
      readonly executor: string;
      readonly worker: string;
    }
  | {
      readonly kind: 'started';
      readonly attempt: AttemptRef;
      readonly at: number;
      readonly queuedAt: number;
      readonly executor: string;
      readonly worker: string;
      readonly pid?: number;
    }
  | {
      readonly kind: 'finished';
      readonly attempt: AttemptRef;
      readonly queuedAt: number;
      readonly startedAt: number;
      readonly at: number;
      readonly executor: string;
      readonly worker: string;
      readonly pid?: number;
      readonly outcome: AttemptOutcome;
      readonly rendered?: JsonObject;
      /** What names the instance beside its map index. */
      readonly mapIndexName?: string;
    }
  /** Taken back from the gateway before any worker had it. */
  | { readonly kind: 'withdrawn'; readonly attempt: AttemptRef; readonly at: number; readonly reason: string }
  | { readonly kind: 'lost'; readonly attempt: AttemptRef; readonly at: number; readonly reason: string };

/** True when the report changed something; false for one of an attempt that is no longer the instance's own (I1). */
export function decideReport(d: Decision, report: RunReport): boolean {
  const { attempt } = report;
  const inst = findInstance(d.run, attempt.taskId, attempt.mapIndex);
  if (inst === undefined || !inst.open || inst.tryNumber !== attempt.tryNumber || inst.leg !== attempt.leg)
    return false;
  const expected = inst.state === 'scheduled' || inst.state === 'queued' || inst.state === 'running';
  if (!expected) return closeSuperseded(d, inst, report);
  switch (report.kind) {
    case 'queued':
      return queued(d, inst, report.at, report);
    case 'started':
      return started(d, inst, report);
    case 'finished':
      finished(d, inst, report);
      return true;
    case 'withdrawn':
      // Its gateway did not know that it was begun: that has come by another.
      if (inst.state !== 'scheduled') lost(d, inst, report.at, report.reason);
      else d.emit({ type: 'TaskWithdrawn', data: { ...keyOf(inst), at: report.at, reason: report.reason } });
      return true;
    case 'lost':
      lost(d, inst, report.at, report.reason);
      return true;
    default:
      return assertNever(report, 'report');
  }
}

export function keyOf(inst: InstanceState): AttemptKey {
  return { taskId: inst.task.def.taskId, mapIndex: inst.mapIndex, tryNumber: inst.tryNumber, leg: inst.leg };
}

/** The instance was cleared or marked while the attempt ran: its end frees the instance and changes nothing else (I3). */
function closeSuperseded(d: Decision, inst: InstanceState, report: RunReport): boolean {
  if (report.kind === 'queued' || report.kind === 'started') return false;
  const reason =
    report.kind === 'lost' || report.kind === 'withdrawn'
      ? report.reason
      : `the attempt ended (${report.outcome.kind}) after its instance was ${inst.state === 'restarting' ? 'cleared' : 'marked'}`;
  d.emit({ type: 'TaskAttemptClosed', data: { ...keyOf(inst), at: report.at, reason } });
  return true;
}

function queued(
  d: Decision,
  inst: InstanceState,
  at: number,
  by: { readonly executor: string; readonly worker: string },
): boolean {
  if (inst.state !== 'scheduled') return false;
  d.emit({ type: 'TaskQueued', data: { ...keyOf(inst), at, executor: by.executor, worker: by.worker } });
  return true;
}

function started(
  d: Decision,
  inst: InstanceState,
  report: Extract<RunReport, { kind: 'started' | 'finished' }>,
): boolean {
  queued(d, inst, report.queuedAt, report);
  if (inst.state !== 'queued') return false;
  const at = report.kind === 'started' ? report.at : report.startedAt;
  d.emit({
    type: 'TaskStarted',
    data: { ...keyOf(inst), at, ...(report.pid === undefined ? {} : { pid: report.pid }) },
  });
  return true;
}

type Finished = Extract<RunReport, { kind: 'finished' }>;

function finished(d: Decision, inst: InstanceState, report: Finished): void {
  started(d, inst, report);
  const { outcome, at } = report;
  const name = report.mapIndexName === undefined ? {} : { name: report.mapIndexName };
  const shown = { ...name, ...(report.rendered === undefined ? {} : { rendered: report.rendered }) };
  switch (outcome.kind) {
    case 'success': {
      const skip = resolveSkip(d, outcome.skip);
      if (!skip.ok) {
        fail(d, inst, at, { kind: 'branch', message: skip.error }, { retryable: true, shown, callbacksRan: false });
        return;
      }
      const tooLong = overLimit(d, outcome.lengths);
      if (tooLong !== undefined) {
        fail(d, inst, at, { kind: 'mapping', message: tooLong }, { retryable: true, shown, callbacksRan: false });
        return;
      }
      const decided = skip.value === undefined ? {} : { skip: skip.value };
      const lengths = outcome.lengths === undefined ? {} : { lengths: outcome.lengths };
      d.emit({
        type: 'TaskSucceeded',
        data: {
          ...keyOf(inst),
          at,
          ...xcomsOf(outcome.xcoms),
          ...decided,
          ...lengths,
          ...shown,
          ...updatesOf(d, outcome.assets),
        },
      });
      return;
    }
    case 'skipped':
      d.emit({
        type: 'TaskSkipped',
        data: {
          at,
          instances: [{ taskId: inst.task.def.taskId, mapIndex: inst.mapIndex }],
          reason: outcome.reason,
          attempt: keyOf(inst),
          ...name,
        },
      });
      return;
    case 'failed':
      fail(d, inst, at, outcome.error, {
        retryable: outcome.retryable,
        shown,
        callbacksRan: outcome.callbacksRan ?? true,
        policy: outcome.policy,
        xcoms: outcome.xcoms,
      });
      return;
    case 'trigger': {
      const runId = outcome.request.runId ?? triggeredRunId(d, inst);
      const wait = { kind: 'dagRun', request: { ...outcome.request, runId } } as const;
      const { onTimeout } = inst.deferral ?? {};
      const limit = onTimeout === undefined ? {} : { onTimeout };
      d.emit(deferred(inst, keyOf(inst), at, { kind: 'defer', wait, ...limit, ...xcomsOf(outcome.xcoms) }));
      return;
    }
    case 'defer':
      d.emit(deferred(inst, keyOf(inst), at, outcome));
      return;
    case 'reschedule':
      d.emit({ type: 'TaskRescheduled', data: { ...keyOf(inst), at, until: outcome.until } });
      return;
    default:
      assertNever(outcome, 'outcome');
  }
}

/** A value that is too long to be mapped over is the fault of the task that returned it (§7). */
function overLimit({ context }: Decision, lengths: Readonly<Record<string, number>> | undefined): string | undefined {
  const limit = context.maxMapLength ?? DEFAULT_MAX_MAP_LENGTH;
  for (const [path, length] of Object.entries(lengths ?? {}))
    if (length > limit)
      return `the task returned ${length} elements to be mapped over${path === '[]' ? '' : ` at ${path}`}; allowed are ${limit} (maxMapLength)`;
  return undefined;
}

/** Groups become their roots; an id that the DAG does not have is a failure of the task. */
function resolveSkip(d: Decision, skip: SkipDecision | undefined): Result<SkipDecision | undefined> {
  if (skip?.kind !== 'branch') return ok(skip);
  const targets = branchTargets(d.run.plan.graph, skip.follow);
  return targets.ok ? ok({ kind: 'branch', follow: targets.value }) : targets;
}

/** Named after the instance, not the attempt: a redispatch asks for the same run (I1). */
function triggeredRunId(d: Decision, inst: InstanceState): string {
  const map = inst.mapIndex.length === 0 ? '' : `.${inst.mapIndex.join('.')}`;
  return `triggered__${d.run.started?.dagId ?? ''}.${d.run.started?.runId ?? ''}.${inst.task.def.taskId}${map}.${inst.tryNumber}`;
}

/** What the task updates by succeeding: no child is there to say more of it. */
export function outletsOf({ task }: InstanceState): readonly AssetUpdate[] {
  return (task.def.outlets ?? []).flatMap((outlet) => {
    if (outlet.kind !== 'asset') return [];
    const { kind: _kind, extra: _extra, ...update } = outlet;
    return [update];
  });
}

/** What a run of a partition updates is of its partition, unless the task says otherwise. */
export function updatesOf(d: Decision, assets: readonly AssetUpdate[] | undefined) {
  if (assets === undefined || assets.length === 0) return {};
  const partitionKey = d.run.started?.partitionKey;
  return { assets: partitionKey === undefined ? assets : assets.map((each) => ({ partitionKey, ...each })) };
}

const xcomsOf = (xcoms: Readonly<Record<string, XComValue>> | undefined) => (xcoms === undefined ? {} : { xcoms });

interface FailOptions {
  readonly retryable: boolean;
  readonly callbacksRan: boolean;
  readonly policy?: RetryAnswer | undefined;
  readonly shown?: { readonly rendered?: JsonObject; readonly name?: string };
  readonly xcoms?: Readonly<Record<string, XComValue>> | undefined;
}

/** One failed try: another try when it may have one, else the end. A callback that the child could not run is asked for. */
export function fail(d: Decision, inst: InstanceState, at: number, error: TaskError, options: FailOptions): void {
  const { def } = inst.task;
  const verdict = judgeTry(inst, error, options.policy);
  const retry = options.retryable && mayRetry(inst) && verdict?.action !== 'fail';
  const wanted = retry ? ('onRetry' as const) : ('onFailure' as const);
  const asks = !options.callbacksRan && def.callbacks.includes(wanted);
  const base = { ...keyOf(inst), at, error, ...options.shown };
  if (!retry) {
    const rule = verdict?.action === 'fail' ? { rule: verdict.rule } : {};
    d.emit({
      type: 'TaskFailed',
      data: { ...base, ...rule, ...xcomsOf(options.xcoms), ...(asks ? { callback: 'onFailure' as const } : {}) },
    });
    return;
  }
  const { dagId } = d.run.plan.definition;
  const logicalDate = d.run.started?.logicalDate ?? null;
  const delay =
    verdict?.delayMs ?? retryDelayMs(def, { dagId, taskId: def.taskId, logicalDate, tryNumber: inst.tryNumber });
  const granted = grantOf(inst, verdict);
  d.emit({
    type: 'TaskRetryScheduled',
    data: {
      ...base,
      ...xcomsOf(options.xcoms),
      retryAt: at + delay,
      ...granted,
      ...(asks ? { callback: 'onRetry' as const } : {}),
    },
  });
}

/** I19: a lost attempt is tried again on a budget of its own; past the budget it is a failed try. */
function lost(d: Decision, inst: InstanceState, at: number, reason: string): void {
  const budget = inst.task.def.maxLostAttempts;
  if (inst.lost < budget) {
    d.emit({ type: 'TaskLost', data: { ...keyOf(inst), at, reason } });
    return;
  }
  const message = `attempt lost (${reason}) for the ${inst.lost + 1}th time in try ${inst.tryNumber}; allowed are ${budget} (maxLostAttempts)`;
  fail(d, inst, at, { kind: 'lost', message }, { retryable: true, callbacksRan: false });
}

/** The run that a deferred task waits for was refused, exists, or has ended. */
export function decideTriggered(d: Decision, attempt: AttemptRef, answer: TriggerAnswer): boolean {
  const inst = findInstance(d.run, attempt.taskId, attempt.mapIndex);
  if (
    inst === undefined ||
    inst.state !== 'deferred' ||
    inst.waitFor?.kind !== 'dagRun' ||
    inst.tryNumber !== attempt.tryNumber
  )
    return false;
  const { request } = inst.waitFor;
  const succeed = () =>
    d.emit({
      type: 'TaskSucceeded',
      data: {
        ...keyOf(inst),
        at: d.now,
        xcoms: { trigger_run_id: { value: request.runId } },
        ...updatesOf(d, outletsOf(inst)),
        ...(inst.task.def.callbacks.includes('onSuccess') ? { callback: 'onSuccess' as const } : {}),
      },
    });
  const refuse = (message: string) =>
    fail(d, inst, d.now, { kind: 'trigger', message }, { retryable: true, callbacksRan: false });
  switch (answer.kind) {
    case 'accepted':
      if (request.wait) return false;
      succeed();
      return true;
    case 'refused':
      if (answer.alreadyExists && request.skipWhenAlreadyExists)
        d.emit({
          type: 'TaskSkipped',
          data: {
            at: d.now,
            instances: [{ taskId: attempt.taskId, mapIndex: attempt.mapIndex }],
            reason: answer.message,
            attempt: keyOf(inst),
          },
        });
      else refuse(`run '${request.runId}' of DAG '${request.dagId}' was refused: ${answer.message}`);
      return true;
    case 'ended':
      if (request.allowedStates.includes(answer.state)) succeed();
      else
        refuse(
          `run '${request.runId}' of DAG '${request.dagId}' ended as ${answer.state}; allowed: ${request.allowedStates.join(', ')}`,
        );
      return true;
    default:
      return assertNever(answer, 'answer');
  }
}

export type TriggerAnswer =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused'; readonly message: string; readonly alreadyExists: boolean }
  | { readonly kind: 'ended'; readonly state: 'success' | 'failed' };
