import {
  findInstance,
  leavesAt,
  leavesOf,
  pathsOf,
  type DagRunEvent,
  type DagState,
  type InstanceRange,
  type InstanceState,
  type MapIndex,
} from '@rondo/domain';
import type { Position } from '@rondo/ports';
import type { DagActor, RunActor } from './actors.ts';
import type { DagBatch } from './batch.ts';
import { cancelOf, dagCallbackOf, endedOf, orderOf, pastQuestionOf, taskCallbackOf, type Effects } from './effects.ts';
import { followControl, reorder, withdrawHeld } from './control-effects.ts';
import { endDeferrals, stateDeferral } from './deferrals.ts';
import { endWaits, stateWait } from './waiting.ts';

/**
 * Adds what follows from the events of a batch that is durable now. `passing`: the gateway of a pool may not have passed on the
 * reports of its attempts, and so does not know what they came to.
 */
export function consequencesOf(batch: DagBatch, position: Position, effects: Effects, passing = false): void {
  const dag = batch.actor.state;
  for (const { run, event } of batch.runEvents) followRun(dag, run, event, position, effects, passing);
  for (const { run, event } of batch.runEvents) {
    endWaits(run, event, effects);
    endDeferrals(run, event, effects);
  }
  for (const event of batch.dagEvents) {
    followControl(batch.actor, event, effects);
    if (event.type === 'RunErased') effects.erasures.push({ dagId: dag.dagId, runId: event.data.runId });
  }
  effects.inbox.push(...endedOf(batch.dagEvents, batch.actor.state.waiters));
}

function followRun(
  dag: DagState,
  run: RunActor,
  event: DagRunEvent,
  position: Position,
  effects: Effects,
  passing: boolean,
): void {
  switch (event.type) {
    case 'TaskScheduled': {
      const inst = findInstance(run.state, event.data.taskId, event.data.mapIndex);
      if (inst === undefined || !inst.open || inst.leg !== event.data.leg || inst.tryNumber !== event.data.tryNumber)
        return;
      effects.ready.push(orderOf(dag, run, inst, position));
      return;
    }
    case 'TaskMarked':
      cancelOpen(run, event.data.instances, event.data.reason ?? `marked ${event.data.state}`, effects);
      return;
    case 'TaskMapped':
      cancelRemoved(run, event.data.scope, event.data.mapIndex, effects);
      return;
    case 'TaskCleared':
      cancelOpen(run, event.data.instances, 'cleared', effects);
      return;
    case 'RunVersionChanged':
      // Whoever answers the waits of the run knows them by instances of the earlier version.
      for (const task of run.state.tasks)
        for (const inst of leavesOf(task)) {
          stateDeferral(dag, run, inst, effects, true);
          outstandingOf(run, inst, position, effects);
        }
      return;
    case 'TaskHeld':
      for (const inst of chosenOf(run, event.data.instances)) withdrawHeld(dag, run, inst, effects);
      return;
    case 'TaskReprioritised':
      reorder(dag, run, chosenOf(run, event.data.instances), effects);
      return;
    case 'RunStarted':
    case 'RunResumed': {
      const question = pastQuestionOf(run, position);
      if (question !== undefined) effects.ready.push(question);
      return;
    }
    case 'RunRetried':
      cancelOpen(run, event.data.instances, 'the run is tried again', effects);
      return;
    case 'TaskSucceeded':
      if (event.data.callback === undefined) return;
      outstandingOf(run, findInstance(run.state, event.data.taskId, event.data.mapIndex), position, effects);
      return;
    case 'TaskSkipped':
      if (event.data.callback === undefined) return;
      for (const inst of chosenOf(run, event.data.instances)) outstandingOf(run, inst, position, effects);
      return;
    case 'TaskDeferred':
    case 'TaskFailed':
    case 'TaskRetryScheduled': {
      const inst = findInstance(run.state, event.data.taskId, event.data.mapIndex);
      if (inst !== undefined) stateDeferral(dag, run, inst, effects, passing);
      outstandingOf(run, inst, position, effects);
      return;
    }
    case 'RunSucceeded':
    case 'RunFailed': {
      const callback = dagCallbackOf(run, position);
      if (callback !== undefined) effects.ready.push(callback);
      return;
    }
    default:
  }
}

function* chosenOf(run: RunActor, ranges: readonly InstanceRange[]): Generator<InstanceState> {
  for (const range of ranges)
    for (const path of pathsOf(range)) {
      const inst = findInstance(run.state, range.taskId, path);
      if (inst !== undefined) yield inst;
    }
}

function cancelOpen(run: RunActor, ranges: readonly InstanceRange[], reason: string, effects: Effects): void {
  for (const inst of chosenOf(run, ranges)) if (inst.open) effects.ready.push(cancelOf(run, inst, reason));
}

/** Attempts of instances that a shorter mapping took away. */
function cancelRemoved(run: RunActor, scopeId: string, path: MapIndex, effects: Effects): void {
  const { plan, tasks } = run.state;
  for (const index of plan.scopes.find((scope) => scope.id === scopeId)?.tasks ?? [])
    for (const inst of leavesAt(tasks[index]!, path))
      if (inst.open && inst.state === 'removed') effects.ready.push(cancelOf(run, inst, 'removed'));
}

function outstandingOf(run: RunActor, inst: InstanceState | undefined, position: Position, effects: Effects): void {
  if (inst === undefined) return;
  stateWait(run, inst, position, effects);
  if (inst.callback !== undefined) effects.ready.push(taskCallbackOf(run, inst, position));
}

/** After a DAG was loaded: states every open attempt, wait and callback again, so that nothing depends on what was sent before. */
export function restate(dag: DagActor, position: Position, effects: Effects): void {
  const open: { readonly run: RunActor; readonly inst: InstanceState }[] = [];
  for (const run of dag.runs.values()) {
    for (const task of run.state.tasks)
      for (const inst of leavesOf(task)) {
        if (inst.open) open.push({ run, inst });
        outstandingOf(run, inst, position, effects);
        stateDeferral(dag.state, run, inst, effects, true);
      }
    for (const each of [dagCallbackOf(run, position), pastQuestionOf(run, position)])
      if (each !== undefined) effects.ready.push(each);
  }
  // What was lost before comes after what was not: a crash that comes again soon must not always meet the same attempts.
  open.sort((a, b) => a.inst.lost - b.inst.lost);
  for (const { run, inst } of open) {
    effects.ready.push(orderOf(dag.state, run, inst, position, inst.state !== 'scheduled'));
    if (inst.state !== 'scheduled' && inst.state !== 'queued' && inst.state !== 'running')
      effects.ready.push(cancelOf(run, inst, inst.state));
    else withdrawHeld(dag.state, run, inst, effects);
  }
}
