import { attemptId, leavesOf, type DagEvent, type DagState, type InstanceState } from '@rondo/domain';
import type { ReadyRank } from '@rondo/contracts';
import type { DagActor, RunActor } from './actors.ts';
import { dagPriorityOf, demandOf, poolOf } from './demand.ts';
import { refOf, withdrawOf, type Effects } from './effects.ts';

/** What follows where a DAG, a run or a task is held, or gets another priority: for attempts that wait at the gateway. */
export function followControl(dag: DagActor, event: DagEvent, effects: Effects): void {
  switch (event.type) {
    case 'DagPaused':
      for (const run of dag.runs.values()) withdrawAll(dag.state, run, effects);
      return;
    case 'RunHeld': {
      const run = dag.runs.get(event.data.runId);
      if (run !== undefined) withdrawAll(dag.state, run, effects);
      return;
    }
    case 'RunReprioritised': {
      const run = dag.runs.get(event.data.runId);
      if (run !== undefined) reorder(dag.state, run, scheduledOf(run), effects);
      return;
    }
    case 'DagVersionPublished':
      for (const run of dag.runs.values()) reorder(dag.state, run, scheduledOf(run), effects);
      return;
    default:
  }
}

/** An attempt that must not begin now is taken back, if no worker has it. */
export function withdrawHeld(dag: DagState, run: RunActor, inst: InstanceState, effects: Effects): void {
  if (!inst.open || inst.state !== 'scheduled') return;
  const reason = inst.onHold
    ? 'the task is held'
    : dag.held.has(run.runId)
      ? 'the run is held'
      : dag.paused
        ? 'the DAG is paused'
        : undefined;
  if (reason !== undefined) effects.ready.push(withdrawOf(run, inst, reason));
}

export function reorder(dag: DagState, run: RunActor, instances: Iterable<InstanceState>, effects: Effects): void {
  const byPool = new Map<string, ReadyRank[]>();
  const dagPriority = dagPriorityOf(dag, run.runId);
  for (const inst of instances) {
    if (!inst.open || inst.state !== 'scheduled') continue;
    const rank = { id: attemptId(refOf(run, inst)), dagPriority, priority: demandOf(dag, run, inst).priority };
    const ranks = byPool.get(poolOf(inst));
    if (ranks === undefined) byPool.set(poolOf(inst), [rank]);
    else ranks.push(rank);
  }
  for (const [pool, ranks] of byPool) effects.ready.push({ pool, message: { kind: 'reorder', ranks } });
}

function withdrawAll(dag: DagState, run: RunActor, effects: Effects): void {
  for (const inst of scheduledOf(run)) withdrawHeld(dag, run, inst, effects);
}

function* scheduledOf(run: RunActor): Generator<InstanceState> {
  if (run.state.scheduled === 0) return;
  for (const task of run.state.tasks) for (const inst of leavesOf(task)) if (inst.state === 'scheduled') yield inst;
}
