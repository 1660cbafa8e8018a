import { leavesOf, type DagRunState, type InstanceState } from '@rondo/domain';

const nameOf = (inst: InstanceState): string =>
  inst.mapIndex.length === 0 ? inst.task.def.taskId : `${inst.task.def.taskId}[${inst.mapIndex.join('.')}]`;

function instanceView(inst: InstanceState) {
  const {
    task: _task,
    mapIndex: _mapIndex,
    parent: _parent,
    gate: _gate,
    gone: _gone,
    lane: _lane,
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
  const {
    plan: _plan,
    tasks,
    dirty: _dirty,
    held: _held,
    ready: _ready,
    wake: _wake,
    past: _past,
    remap: _remap,
    ...fields
  } = run;
  const instances = tasks.flatMap((task) => [...leavesOf(task)]);
  return {
    ...fields,
    counts: Object.fromEntries(
      instances.map((i) => [nameOf(i), { direct: { ...i.gate.counts }, setups: { ...i.gate.setups } }]),
    ),
    sizes: Object.fromEntries(tasks.map((task) => [task.plan.def.taskId, [task.size, task.passed]])),
    instances: Object.fromEntries(instances.map((i) => [nameOf(i), instanceView(i)])),
  };
}

export type RunView = ReturnType<typeof viewOf>;

/** Task instances that wait for nothing but a slot, by name, sorted. */
export function readyOf(run: DagRunState): string[] {
  return run.tasks
    .flatMap((task) => [...leavesOf(task)].filter((i) => i.ready))
    .map(nameOf)
    .sort();
}

/** State of each instance by name: what most tests ask for. */
export function statesOf(run: DagRunState): Record<string, string> {
  return Object.fromEntries(run.tasks.flatMap((task) => [...leavesOf(task)].map((i) => [nameOf(i), i.state])));
}
