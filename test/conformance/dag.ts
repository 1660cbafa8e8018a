import {
  compileGraph,
  countUpstream,
  newUpstreamCounts,
  type GraphNode,
  type UpstreamCounts,
  type TaskGraph,
  type TaskState,
  type TriggerRule,
  type WeightRule,
} from '@rondo/domain';
import { sourcesOf } from './expansion.ts';
import { fields, Inexpressible, list, text, type Fields } from './case.ts';
import { taskState } from './values.ts';

export interface CaseDag {
  readonly graph: TaskGraph;
  /** What the case says of each task, by index. */
  readonly tasks: readonly Fields[];
}

export function readDag(value: unknown): CaseDag {
  const tasks = list(fields(value, 'dag')['tasks'], 'dag.tasks').map((task) => fields(task, 'task'));
  const compiled = compileGraph(tasks.map(readNode), groupsOf(tasks));
  if (!compiled.ok) throw new Inexpressible(compiled.error.message);
  return { graph: compiled.value, tasks };
}

function readNode(task: Fields): GraphNode {
  const id = text(task['id'] ?? task['task_id'], 'task.id');
  const group = groupOf(task);
  return {
    taskId: id,
    upstream: [...new Set([...list(task['upstream'] ?? [], `upstream of ${id}`).map(String), ...sourcesOf(task)])],
    setup: task['setup'] === true,
    teardown: task['teardown'] === true,
    onFailureFailDagrun: task['on_failure_fail_dagrun'] === true,
    triggerRule: ruleOf(task),
    priorityWeight: typeof task['priority_weight'] === 'number' ? task['priority_weight'] : 1,
    ...(typeof task['weight_rule'] === 'string' ? { weightRule: task['weight_rule'] as WeightRule } : {}),
    ...(typeof group === 'string' ? { group } : {}),
  };
}

const groupOf = (task: Fields): unknown => task['group'] ?? task['task_group'] ?? task['mapped_group'];

/** Taken as it is: a rule that does not exist must be one that is never met. */
export function ruleOf(task: Fields): TriggerRule {
  const rule = task['trigger_rule'];
  if (typeof rule === 'string') return rule as TriggerRule;
  return task['teardown'] === true ? 'all_done_setup_success' : 'all_success';
}

/** `g1.g2` lies in `g1`. */
function groupsOf(tasks: readonly Fields[]): { groupId: string; parent?: string }[] {
  const ids = new Set<string>();
  for (const task of tasks) {
    const group = groupOf(task);
    if (typeof group !== 'string') continue;
    const parts = group.split('.');
    for (let depth = 1; depth <= parts.length; depth++) ids.add(parts.slice(0, depth).join('.'));
  }
  return [...ids].map((groupId) => {
    const dot = groupId.lastIndexOf('.');
    return dot < 0 ? { groupId } : { groupId, parent: groupId.slice(0, dot) };
  });
}

export function indexOf(graph: TaskGraph, id: string): number {
  const index = graph.indexOf.get(id);
  if (index === undefined) throw new Inexpressible(`the case names '${id}', which is not a task of its DAG`);
  return index;
}

/** States of a task's instances, by the task's index. */
export type StatesOf = (index: number) => readonly TaskState[];

/** States by task id, or by instance (`t[0]`); a task that is not named has no status. */
export function readStates(graph: TaskGraph, value: unknown): StatesOf {
  const states: TaskState[][] = graph.nodes.map(() => []);
  for (const [key, state] of Object.entries(fields(value ?? {}, 'states'))) {
    const index = indexOf(graph, key.replace(/\[\d+\]$/, ''));
    for (const one of Array.isArray(state) ? state : [state]) states[index]!.push(taskState(one, `state of ${key}`));
  }
  return (index) => (states[index]!.length === 0 ? NO_STATUS : states[index]!);
}

/** How many instances of some tasks are in which state. */
export function countStates(graph: TaskGraph, indexes: Iterable<number>, statesOf: StatesOf): UpstreamCounts {
  const counts = newUpstreamCounts();
  for (const index of indexes) {
    const isSetup = graph.nodes[index]!.setup === true;
    for (const state of statesOf(index)) {
      counts.total += 1;
      if (isSetup) counts.setupTotal += 1;
      countUpstream(counts, state, isSetup, 1);
    }
  }
  return counts;
}

const NO_STATUS: readonly TaskState[] = ['none'];
