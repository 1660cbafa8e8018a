import { countUpstream } from '../trigger-rule/index.ts';
import { hasOpenAttempt, isTerminal, type TaskState } from '../task-instance/index.ts';
import { look, type DagRunState, type InstanceState } from './state.ts';

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
  if (to === 'failed' && inst.task.def.teardown !== true) run.failing = true;
  const was = isTerminal(from);
  const is = isTerminal(to);
  if (is) {
    inst.wakeAt = undefined;
    inst.waitFor = undefined;
    inst.deferral = undefined;
  }
  if (was || is) tellNeighbours(run, inst, was ? from : undefined, is ? to : undefined);
  look(run, inst);
}

/** What the next run's past counts as done well. */
const isPassed = (state: TaskState): boolean => state === 'success' || state === 'skipped';

function countRun(run: DagRunState, inst: InstanceState, state: TaskState, by: 1 | -1): void {
  if (!isTerminal(state)) {
    run.unfinished += by;
    if (inst.onHold) run.holds += by;
  }
  if (hasOpenAttempt(state)) run.active += by;
  if (state === 'scheduled') run.scheduled += by;
  if (state === 'up_for_retry' || state === 'up_for_reschedule' || state === 'deferred') run.waiting += by;
  if (inst.task.leaf && (state === 'failed' || state === 'upstream_failed')) run.failedLeaves += by;
}

function tellNeighbours(
  run: DagRunState,
  inst: InstanceState,
  from: TaskState | undefined,
  to: TaskState | undefined,
): void {
  const setup = inst.task.def.setup === true;
  for (const down of inst.task.downstream) {
    const task = run.tasks[down]!;
    if (from !== undefined) countUpstream(task.counts, from, setup, -1);
    if (to !== undefined) countUpstream(task.counts, to, setup, 1);
    for (const below of task.instances) look(run, below);
  }
  for (const work of inst.task.indirectWork) {
    const task = run.tasks[work]!;
    if (from !== undefined) countUpstream(task.setups, from, false, -1);
    if (to !== undefined) countUpstream(task.setups, to, false, 1);
    for (const below of task.instances) look(run, below);
  }
}

/** An attempt was published for the instance, or its attempt has ended. */
export function setOpen(run: DagRunState, inst: InstanceState, open: boolean): void {
  if (inst.open === open) return;
  inst.open = open;
  run.open += open ? 1 : -1;
}

export function setCallback(run: DagRunState, inst: InstanceState, callback: InstanceState['callback']): void {
  if ((inst.callback === undefined) !== (callback === undefined)) run.callbacks += callback === undefined ? -1 : 1;
  inst.callback = callback;
}
