import type { DagRunState, InstanceState } from '@rondo/domain';

const nameOf = (inst: InstanceState): string =>
  inst.mapIndex.length === 0 ? inst.task.def.taskId : `${inst.task.def.taskId}[${inst.mapIndex.join('.')}]`;

function instanceView(inst: InstanceState) {
  const {
    task: _task,
    mapIndex: _mapIndex,
    slot: _slot,
    ready: _ready,
    inHeap: _inHeap,
    dirty: _dirty,
    ...view
  } = inst;
  return view;
}

/**
 * Everything of a run that its history determines, as plain data: fields and counters of the run, of each task and of each
 * instance. Two runs with equal views decide alike. Left out is what the next decision makes anew: the list of
 * instances to look at, and the queues.
 */
export function viewOf(run: DagRunState) {
  const { plan: _plan, tasks, dirty: _dirty, held: _held, ready: _ready, wake: _wake, past: _past, ...fields } = run;
  return {
    ...fields,
    counts: Object.fromEntries(
      tasks.map((task) => [task.plan.def.taskId, { direct: { ...task.counts }, setups: { ...task.setups } }]),
    ),
    instances: Object.fromEntries(tasks.flatMap((task) => task.instances.map((i) => [nameOf(i), instanceView(i)]))),
  };
}

export type RunView = ReturnType<typeof viewOf>;

/** Task instances that wait for nothing but a slot, by name, sorted. */
export function readyOf(run: DagRunState): string[] {
  return run.tasks
    .flatMap((task) => task.instances.filter((i) => i.ready))
    .map(nameOf)
    .sort();
}

/** State of each instance by name: what most tests ask for. */
export function statesOf(run: DagRunState): Record<string, string> {
  return Object.fromEntries(run.tasks.flatMap((task) => task.instances.map((i) => [nameOf(i), i.state])));
}
