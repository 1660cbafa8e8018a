import { err, ok, type Result } from '@rondo/kernel';
import type { TriggerRule, WeightRule } from '../task-instance/index.ts';

/** What the graph needs of a task; the definition of a task fits. */
export interface GraphNode {
  readonly taskId: string;
  /** Direct upstream task ids. */
  readonly upstream: readonly string[];
  readonly setup?: boolean;
  readonly teardown?: boolean;
  readonly onFailureFailDagrun?: boolean;
  /** Default `all_success`. */
  readonly triggerRule?: TriggerRule;
  /** Default 1. */
  readonly priorityWeight?: number;
  /** Default `downstream`. */
  readonly weightRule?: WeightRule;
  /** The innermost group. */
  readonly group?: string;
}

export interface GraphGroup {
  readonly groupId: string;
  readonly parent?: string;
}

/** Tasks by index, in the order in which they were given. Immutable. */
export interface TaskGraph {
  readonly nodes: readonly GraphNode[];
  readonly indexOf: ReadonlyMap<string, number>;
  /** Direct neighbours of each task, without repeats, ascending. */
  readonly upstream: readonly Int32Array[];
  readonly downstream: readonly Int32Array[];
  /** Every task after all of its upstream. */
  readonly order: Int32Array;
  /** Parent of each group; undefined for a group at the top. */
  readonly groups: ReadonlyMap<string, string | undefined>;
}

export type GraphError =
  | { readonly kind: 'duplicate_task'; readonly taskId: string; readonly message: string }
  | { readonly kind: 'unknown_upstream'; readonly taskId: string; readonly upstream: string; readonly message: string }
  | { readonly kind: 'cycle'; readonly path: readonly string[]; readonly message: string };

/** Compiles tasks to a graph, or refuses: an id given twice, an upstream that does not exist, a cycle (as a closed path). */
export function compileGraph(
  nodes: readonly GraphNode[],
  groups: readonly GraphGroup[] = [],
): Result<TaskGraph, GraphError> {
  const indexOf = new Map<string, number>();
  for (const [index, { taskId }] of nodes.entries()) {
    if (indexOf.has(taskId))
      return err({ kind: 'duplicate_task', taskId, message: `task '${taskId}' is defined twice` });
    indexOf.set(taskId, index);
  }
  const upstream: Int32Array[] = [];
  for (const node of nodes) {
    const indexes = new Set<number>();
    for (const id of node.upstream) {
      const index = indexOf.get(id);
      if (index === undefined) return err(unknownUpstream(node.taskId, id));
      indexes.add(index);
    }
    upstream.push(Int32Array.from(indexes).sort());
  }
  const downstream = invert(upstream);
  const order = topologicalOrder(upstream, downstream);
  if (order.length < nodes.length) return err(cycleError(nodes, upstream, order));
  const parents = new Map<string, string | undefined>();
  for (const { group } of nodes) if (group !== undefined) parents.set(group, undefined);
  for (const { groupId, parent } of groups) parents.set(groupId, parent);
  return ok({ nodes, indexOf, upstream, downstream, order, groups: parents });
}

function unknownUpstream(taskId: string, upstream: string): GraphError {
  const message = `task '${taskId}' comes after '${upstream}', which is not a task of this DAG`;
  return { kind: 'unknown_upstream', taskId, upstream, message };
}

function invert(upstream: readonly Int32Array[]): Int32Array[] {
  const lists: number[][] = upstream.map(() => []);
  for (const [index, sources] of upstream.entries()) for (const source of sources) lists[source]!.push(index);
  return lists.map((list) => Int32Array.from(list));
}

/** Shorter than the graph if there is a cycle: then it holds the tasks that no cycle is upstream of. */
function topologicalOrder(upstream: readonly Int32Array[], downstream: readonly Int32Array[]): Int32Array {
  const waiting = upstream.map((sources) => sources.length);
  const order = new Int32Array(upstream.length);
  let filled = 0;
  for (const [index, count] of waiting.entries()) if (count === 0) order[filled++] = index;
  for (let read = 0; read < filled; read++)
    for (const target of downstream[order[read]!]!) if ((waiting[target]! -= 1) === 0) order[filled++] = target;
  return order.subarray(0, filled);
}

/** Every task left out of the order has an upstream that is left out too: walking up must come back to where it was. */
function cycleError(nodes: readonly GraphNode[], upstream: readonly Int32Array[], order: Int32Array): GraphError {
  const sorted = new Set(order);
  const isLeftOut = (index: number): boolean => !sorted.has(index);
  const path: number[] = [];
  const seenAt = new Map<number, number>();
  let at = nodes.findIndex((_, index) => isLeftOut(index));
  while (!seenAt.has(at)) {
    seenAt.set(at, path.length);
    path.push(at);
    at = upstream[at]!.find(isLeftOut)!;
  }
  const ids = [at, ...path.slice(seenAt.get(at)! + 1).reverse(), at].map((index) => nodes[index]!.taskId);
  return { kind: 'cycle', path: ids, message: `the tasks form a cycle: ${ids.join(' -> ')}` };
}

/** All tasks before (`upstream`) or after (`downstream`) the given ones, without them unless a path leads back to one. */
export function closure(graph: TaskGraph, starts: Iterable<number>, direction: 'upstream' | 'downstream'): Set<number> {
  const edges = graph[direction];
  const found = new Set<number>();
  const stack = [...starts];
  for (let index = stack.pop(); index !== undefined; index = stack.pop())
    for (const next of edges[index]!) {
      if (found.has(next)) continue;
      found.add(next);
      stack.push(next);
    }
  return found;
}

export function taskIds(graph: TaskGraph, indexes: Iterable<number>): string[] {
  return Array.from(indexes, (index) => graph.nodes[index]!.taskId);
}
