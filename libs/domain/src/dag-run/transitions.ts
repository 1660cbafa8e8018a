import { countUpstream, type UpstreamCounts } from '../trigger-rule/index.ts';
import { hasOpenAttempt, isTerminal, type TaskState } from '../task-instance/index.ts';
import { instanceMoved, isInBlocks, mayRecover, touchBlocks } from './blocks.ts';
import { sourceMoved } from './lengths.ts';
import { look, lookGate, type DagRunState, type InstanceState } from './state.ts';
import { gatesAt } from './tree.ts';

/**
 * Moves an instance to a state and every derived counter with it. The work is proportional to the edges of the instance:
 * nothing is ever recounted (a test compares the counters with a recount after each event).
 */
export function transition(run: DagRunState, inst: InstanceState, to: TaskState): void {
  const from = inst.state;
  if (from === to) return;
  inst.state = to;
  run.ready.drop(inst);
  run.past.drop(inst);
  countRun(run, inst, from, -1);
  countRun(run, inst, to, 1);
  run.tasks[inst.task.index]!.passed += (isPassed(to) ? 1 : 0) - (isPassed(from) ? 1 : 0);
  if (to === 'failed' && inst.task.def.teardown !== true && !mayRecover(run, inst)) run.failing = true;
  const was = isTerminal(from);
  const is = isTerminal(to);
  if (is) {
    inst.wakeAt = undefined;
    inst.waitFor = undefined;
    inst.deferral = undefined;
  }
  if (was || is) {
    if (isInBlocks(inst)) instanceMoved(run, inst, from);
    tallyUp(inst, was ? from : undefined, is ? to : undefined);
    tellNeighbours(run, inst, was ? from : undefined, is ? to : undefined);
    if (inst.task.mapsInto.length > 0) sourceMoved(run, inst);
  }
  look(run, inst);
}

/** The places above the instance count it, so that whatever is mapped later can be counted without a walk. */
function tallyUp(inst: InstanceState, from: TaskState | undefined, to: TaskState | undefined): void {
  const outputs = inst.pushed ? (to === 'success' ? 1 : 0) - (from === 'success' ? 1 : 0) : 0;
  for (let at = inst.parent; at !== undefined; at = at.parent) {
    if (from !== undefined) countUpstream(at.tally, from, false, -1);
    if (to !== undefined) countUpstream(at.tally, to, false, 1);
    at.outputs += outputs;
  }
}

/** What the next run's past counts as done well. */
const isPassed = (state: TaskState): boolean => state === 'success' || state === 'skipped';

function countRun(run: DagRunState, inst: InstanceState, state: TaskState, by: 1 | -1): void {
  if (!isTerminal(state)) {
    run.unfinished += by;
    if (inst.onHold) run.holds += by;
  }
  if (hasOpenAttempt(state)) run.active += by;
  if (state === 'scheduled') {
    run.scheduled += by;
    run.ready.countScheduled(inst, by);
  }
  if (state === 'up_for_retry' || state === 'up_for_reschedule' || state === 'deferred') run.waiting += by;
  if (inst.task.leaf && (state === 'failed' || state === 'upstream_failed')) run.failedLeaves += by;
}

function tellNeighbours(
  run: DagRunState,
  inst: InstanceState,
  from: TaskState | undefined,
  to: TaskState | undefined,
): void {
  const { task, mapIndex } = inst;
  const setup = task.def.setup === true;
  const tell = (index: number, shared: number, counts: 'counts' | 'setups'): void => {
    for (const gate of gatesAt(run.tasks[index]!, mapIndex, Math.min(shared, mapIndex.length))) {
      move(gate[counts], counts === 'counts' && setup, from, to);
      lookGate(run, gate);
    }
  };
  for (const [at, down] of task.downstream.entries()) tell(down, task.shared.downstream[at]!, 'counts');
  for (const [at, work] of task.indirectWork.entries()) tell(work, task.shared.work[at]!, 'setups');
}

function move(counts: UpstreamCounts, setup: boolean, from: TaskState | undefined, to: TaskState | undefined): void {
  if (from !== undefined) countUpstream(counts, from, setup, -1);
  if (to !== undefined) countUpstream(counts, to, setup, 1);
}

/** An attempt was published for the instance, or its attempt has ended. */
export function setOpen(run: DagRunState, inst: InstanceState, open: boolean): void {
  if (inst.open === open) return;
  inst.open = open;
  run.open += open ? 1 : -1;
  if (!open && isInBlocks(inst)) touchBlocks(run, inst);
}

export function setCallback(run: DagRunState, inst: InstanceState, callback: InstanceState['callback']): void {
  if ((inst.callback === undefined) !== (callback === undefined)) run.callbacks += callback === undefined ? -1 : 1;
  inst.callback = callback;
}
