import { blockProblems, compileGraph, validateGraph } from '@rondo/domain';
import { serialiseDag } from '../runtime/serialise.ts';
import { suggestion } from './attributes.ts';
import type { Dag } from './dag.ts';
import { DagError } from './error.ts';
import { checkMappings } from './mapping/check-mappings.ts';
import { fallbacksOf } from './fallbacks.ts';
import type { Node, Relation } from './relations.ts';
import { Task } from './task.ts';
import type { TaskGroup } from './task-group.ts';

/** Draws every arrow of a DAG and checks the whole; each task's `upstream` is right afterwards. */
export function completeDag(dag: Dag): DagError[] {
  const errors: DagError[] = [];
  const refuse = (reason: string, taskId?: string, at = dag.at): void =>
    void errors.push(new DagError(reason, { dagId: dag.dagId, taskId, at }));
  const byId = new Map(dag.tasks.map((task) => [task.taskId, task]));
  for (const task of dag.tasks) {
    task.upstream.clear();
    for (const input of task.inputs) task.upstream.add(input);
  }
  for (const relation of ordered(dag)) {
    const from = find(dag, relation.from, relation, refuse);
    const to = find(dag, relation.to, relation, refuse);
    if (from === undefined || to === undefined) continue;
    for (const after of from instanceof Task ? [from] : leaves(members(dag, from), byId))
      for (const before of to instanceof Task ? [to] : roots(members(dag, to))) before.upstream.add(after.taskId);
  }
  for (const { main, fallback } of fallbacksOf(dag))
    for (const after of main instanceof Task ? [main] : leaves(members(dag, main), byId))
      for (const before of fallback instanceof Task ? [fallback] : roots(members(dag, fallback)))
        before.upstream.add(after.taskId);
  for (const { teardown, inside } of dag.surrounds) surround(teardown, inside, byId);
  for (const task of dag.tasks)
    for (const id of task.namedIds())
      if (dag.whoHas(id) === undefined)
        refuse(`'${id}' is no task or group of the DAG; ${suggestion(id, known(dag))}`, task.taskId, task.at);
  checkMappings(dag, refuse);
  if (errors.length > 0) return errors;
  const nodes = dag.tasks.map((task) => ({
    taskId: task.taskId,
    upstream: [...task.upstream],
    triggerRule: task.triggerRule,
    setup: task.setup,
    teardown: task.teardown !== undefined,
  }));
  const graph = compileGraph(nodes);
  if (graph.ok) {
    const problems = [
      ...validateGraph(graph.value, { failFast: dag.options.failFast ?? false }),
      ...blockProblems(serialiseDag(dag)),
    ];
    for (const { message, taskId } of problems) refuse(message, taskId, dag.whoHas(taskId)?.at);
  } else if (graph.error.kind === 'cycle')
    refuse(
      `the arrows go in a circle: ${graph.error.path.join(' → ')}; allowed: an order in which each task comes after its upstream`,
      undefined,
      byId.get(graph.error.path[0] ?? '')?.at,
    );
  else refuse(graph.error.message, graph.error.taskId, byId.get(graph.error.taskId)?.at);
  return errors;
}

const known = (dag: Dag): string[] => [
  ...dag.tasks.map((task) => task.taskId),
  ...dag.groups.map((group) => group.groupId),
];

function find(
  dag: Dag,
  end: Node | string,
  { at }: Relation,
  refuse: (reason: string, taskId?: string, at?: Relation['at']) => void,
): Task | TaskGroup | undefined {
  if (typeof end !== 'string') return end as Task | TaskGroup;
  const found = dag.whoHas(end);
  if (found === undefined)
    refuse(
      `an arrow leads to or from '${end}', which is no task or group of the DAG; ${suggestion(end, known(dag))}`,
      undefined,
      at,
    );
  return found;
}

/** Arrows inside of a group come first: they decide which tasks an arrow to the group from outside meets. */
function ordered(dag: Dag): readonly Relation[] {
  const pathOf = (end: Node | string): readonly TaskGroup[] => {
    const node = typeof end === 'string' ? dag.whoHas(end) : (end as Task | TaskGroup);
    const path: TaskGroup[] = [];
    for (
      let group = node === undefined ? undefined : node instanceof Task ? node.group : node.parent;
      group !== undefined;
      group = group.parent
    )
      path.unshift(group);
    return path;
  };
  const depth = ({ from, to }: Relation): number => {
    const [a, b] = [pathOf(from), pathOf(to)];
    const apart = a.findIndex((group, i) => group !== b[i]);
    return apart === -1 ? a.length : apart;
  };
  if (dag.groups.length === 0) return dag.relations;
  return [...dag.relations].sort((a, b) => depth(b) - depth(a));
}

function members(dag: Dag, group: TaskGroup): Task[] {
  const isInside = (task: Task): boolean => {
    for (let at = task.group; at !== undefined; at = at.parent) if (at === group) return true;
    return false;
  };
  return dag.tasks.filter(isInside);
}

function roots(tasks: readonly Task[]): Task[] {
  const ids = new Set(tasks.map((task) => task.taskId));
  return tasks.filter((task) => ids.isDisjointFrom(task.upstream));
}

/** Tasks that nothing inside comes after; in a teardown's place the work before it. */
function leaves(tasks: readonly Task[], byId: ReadonlyMap<string, Task>): Task[] {
  const inside = new Set(tasks.map((task) => task.taskId));
  const followed = new Set(tasks.flatMap((task) => [...task.upstream]));
  const found = new Set<Task>();
  const beforeTeardown = (task: Task): void => {
    for (const id of task.upstream) {
      const source = byId.get(id);
      if (source === undefined || !inside.has(id)) continue;
      if (source.teardown !== undefined) beforeTeardown(source);
      else if (!source.setup) found.add(source);
    }
  };
  for (const task of tasks) {
    if (followed.has(task.taskId)) continue;
    if (task.teardown === undefined) found.add(task);
    else beforeTeardown(task);
  }
  return [...found];
}

function surround(teardown: Task, inside: readonly Task[], byId: ReadonlyMap<string, Task>): void {
  const setups = [...teardown.upstream].filter((id) => byId.get(id)?.setup === true);
  for (const task of roots(inside)) for (const setup of setups) if (task.taskId !== setup) task.upstream.add(setup);
  const followed = new Set(inside.flatMap((task) => [...task.upstream]));
  for (const task of inside) if (!followed.has(task.taskId)) teardown.upstream.add(task.taskId);
}
