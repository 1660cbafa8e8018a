import {
  attemptId,
  grantedTo,
  inputOf,
  type Assignment,
  type AttemptRunContext,
  type CallbackAssignment,
  type DagEvent,
  type DagState,
  type DagRunWait,
  type InstanceState,
  type RunWaiter,
} from '@rondo/domain';
import type { CommandAnswer, CommandMessage, ReadyMessage, RunsWanted, SchedulerMessage } from '@rondo/contracts';
import type { RunActor } from './actors.ts';
import type { ErasedRun } from '../erasure/eraser.ts';
import type { StatedWait } from '../waits/router.ts';
import { demandOf, poolOf } from './demand.ts';
import { traceparentOf } from './envelope.ts';

/** What the router is told: a wait, or that it is over. */
export type WaitChange = StatedWait | { readonly ended: string };

/** What must follow from a batch once its events are durable: told from state and events, so that it can be told again. */
export interface Effects {
  readonly ready: { readonly pool: string; readonly message: ReadyMessage }[];
  readonly inbox: SchedulerMessage[];
  readonly waits: WaitChange[];
  readonly timetables: RunsWanted[];
  /** Runs whose erasure is in the history: what it says is to be done (I14). */
  readonly erasures: ErasedRun[];
  readonly answers: { readonly commandId: string; readonly answer: CommandAnswer }[];
}

export const noEffects = (): Effects => ({
  ...{ ready: [], inbox: [], waits: [], timetables: [] },
  ...{ erasures: [], answers: [] },
});

export function runContextOf(run: RunActor): AttemptRunContext {
  const started = run.state.started!;
  const { runType, logicalDate, dataInterval, runAfter, triggeredBy, partitionKey } = started;
  return {
    runType,
    logicalDate,
    dataInterval,
    runAfter,
    startedAt: run.state.startedAt,
    conf: started.conf ?? null,
    triggeredBy,
    ...(partitionKey === undefined ? {} : { partitionKey }),
    ...(started.sealed === true ? { sealed: true as const } : {}),
  };
}

export function refOf(run: RunActor, inst: InstanceState) {
  return {
    dagId: run.state.plan.definition.dagId,
    runId: run.runId,
    taskId: inst.task.def.taskId,
    mapIndex: inst.mapIndex,
    tryNumber: inst.tryNumber,
    leg: inst.leg,
  };
}

/** The order for the open attempt of an instance. `position`: the history up to here holds every XCom it may look up. */
export function orderOf(
  dag: DagState,
  run: RunActor,
  inst: InstanceState,
  position: number,
  acknowledged?: boolean,
): { readonly pool: string; readonly message: ReadyMessage } {
  const demand = demandOf(dag, run, inst);
  const assignment = assignmentOf(run, inst, position);
  const restated = acknowledged === undefined ? {} : { restated: { acknowledged } };
  return { pool: demand.pool, message: { kind: 'order', assignment, ...demand, ...restated } };
}

/** Attempts that nobody has begun are taken back. */
export function withdrawOf(
  run: RunActor,
  inst: InstanceState,
  reason: string,
): { readonly pool: string; readonly message: ReadyMessage } {
  return { pool: poolOf(inst), message: { kind: 'withdraw', ids: [attemptId(refOf(run, inst))], reason } };
}

/** What the attempt of an instance, or the triggerer that waits for it, is to know. */
export function assignmentOf(run: RunActor, inst: InstanceState, position: number): Assignment {
  const attempt = refOf(run, inst);
  const id = attemptId(attempt);
  return {
    id,
    attempt,
    bundle: run.version.version.bundle,
    run: runContextOf(run),
    maxTries: inst.maxTries + 1,
    ...grantedTo(run.state, inst),
    inputs: inputsOf(run, inst),
    position,
    traceparent: traceparentOf(run.trace, id),
    ...(inst.mapIndex.length === 0 ? {} : { instances: run.state.tasks[inst.task.index]!.size }),
    ...(inst.reschedules === 0 ? {} : { reschedules: inst.reschedules }),
    ...resumeOf(inst),
    ...(inst.tryStartedAt === undefined ? {} : { tryStartedAt: inst.tryStartedAt }),
  };
}

function resumeOf({ state, deferral }: InstanceState): Pick<Assignment, 'resume'> {
  const method = deferral?.resume;
  if (method === undefined || state === 'deferred') return {};
  return { resume: { method, ...(deferral?.payload === undefined ? {} : { payload: deferral.payload }) } };
}

function inputsOf(run: RunActor, inst: InstanceState): Assignment['inputs'] {
  if (inst.task.def.inputs.length === 0) return NO_INPUTS;
  const inputs: Record<string, Assignment['inputs'][string]> = {};
  for (const taskId of inst.task.def.inputs) {
    const input = inputOf(run.state, inst, taskId);
    if (input !== undefined) inputs[taskId] = input;
  }
  return inputs;
}

const NO_INPUTS: Assignment['inputs'] = {};

export function cancelOf(
  run: RunActor,
  inst: InstanceState,
  reason: string,
): { readonly pool: string; readonly message: ReadyMessage } {
  return { pool: poolOf(inst), message: { kind: 'cancel', ids: [attemptId(refOf(run, inst))], reason } };
}

/** A callback of a task whose attempt's child is gone. */
export function taskCallbackOf(
  run: RunActor,
  inst: InstanceState,
  position: number,
): { readonly pool: string; readonly message: ReadyMessage } {
  const attempt = refOf(run, inst);
  const callback: CallbackAssignment = {
    id: `${attemptId(attempt)}:${inst.callback!}`,
    bundle: run.version.version.bundle,
    dagId: attempt.dagId,
    runId: run.runId,
    callback: inst.callback!,
    attempt,
    reason: 'the attempt ended without it',
    run: runContextOf(run),
    position,
  };
  return { pool: inst.task.def.pool, message: { kind: 'callback', callback } };
}

/** The question which tasks of a run depend on their past; undefined when nobody asks it, or it was answered. */
export function pastQuestionOf(
  run: RunActor,
  position: number,
): { readonly pool: string; readonly message: ReadyMessage } | undefined {
  const { state, version } = run;
  if (!version.plan.asksConditions || state.started === undefined || state.pastAnswers !== undefined) return undefined;
  if (state.state !== 'running') return undefined;
  const { dagId } = version.plan.definition;
  const callback: CallbackAssignment = {
    id: `${dagId}:${run.runId}::dependsOnPast`,
    bundle: version.version.bundle,
    dagId,
    runId: run.runId,
    callback: 'dependsOnPast',
    reason: '',
    run: runContextOf(run),
    position,
  };
  return { pool: 'default_pool', message: { kind: 'callback', callback } };
}

/** The DAG's own callback at the end of a run; undefined when it has none for this end, or it was reported. */
export function dagCallbackOf(
  run: RunActor,
  position: number,
): { readonly pool: string; readonly message: ReadyMessage } | undefined {
  const { state, version } = run;
  if (state.callbackReported || (state.state !== 'success' && state.state !== 'failed')) return undefined;
  const callback = state.state === 'success' ? ('onSuccess' as const) : ('onFailure' as const);
  const { definition } = version.plan;
  if (!definition.callbacks.includes(callback)) return undefined;
  const assignment: CallbackAssignment = {
    id: `${definition.dagId}:${run.runId}::${callback}.${state.endedAt ?? 0}`,
    bundle: version.version.bundle,
    dagId: definition.dagId,
    runId: run.runId,
    callback,
    reason: state.reason ?? '',
    run: runContextOf(run),
    position,
  };
  return { pool: 'default_pool', message: { kind: 'callback', callback: assignment } };
}

/** The command that asks another DAG for the run that a deferred task waits for; repeats ask for the same run. */
export function triggerOf(run: RunActor, inst: InstanceState, { request }: DagRunWait): CommandMessage {
  const id = attemptId(refOf(run, inst));
  return {
    kind: 'command',
    commandId: `trigger:${id}`,
    dagId: request.dagId,
    actor: { kind: 'service', name: 'scheduler' },
    command: {
      type: 'triggerRun',
      runId: request.runId,
      runType: 'manual',
      ...(request.logicalDate === undefined ? {} : { logicalDate: request.logicalDate }),
      ...(request.conf === undefined ? {} : { conf: request.conf }),
      triggeredBy: 'operator',
      ...(run.state.started?.sealed === true ? { sealed: true } : {}),
      key: `trigger:${run.state.plan.definition.dagId}:${run.runId}:${inst.task.def.taskId}:${inst.mapIndex.join('.')}:${inst.tryNumber}`,
      waiter: { dagId: run.state.plan.definition.dagId, runId: run.runId, attempt: id },
    },
  };
}

/** Tells the tasks that wait for runs which these events close. */
export function endedOf(events: readonly DagEvent[], waiters: ReadonlyMap<string, RunWaiter>): SchedulerMessage[] {
  const messages: SchedulerMessage[] = [];
  for (const event of events) {
    if (event.type !== 'RunClosed') continue;
    const waiter = waiters.get(event.data.runId);
    if (waiter !== undefined)
      messages.push({
        kind: 'triggerAnswered',
        dagId: waiter.dagId,
        waiter,
        answer: { kind: 'ended', state: event.data.state },
      });
  }
  return messages;
}
