import { assertNever, err, ok, type Result } from '@rondo/kernel';
import type { SkipDecision } from '../task-instance/index.ts';
import { closure, taskIds, type TaskGraph } from './graph.ts';

/**
 * The task ids that a branch decision follows, from what the branch returned: null or nothing, a task id, a group id (its
 * roots), or several of them. Ids anywhere in the DAG will do. The refusal says what is wrong.
 */
export function branchTargets(graph: TaskGraph, returned: unknown): Result<string[]> {
  const listed = listOf(returned);
  if (listed === undefined)
    return err(`a branch must be either None, a task ID, or an Iterable of IDs, but got ${kindOf(returned)}`);
  const targets: string[] = [];
  const invalid: string[] = [];
  for (const id of listed) {
    if (typeof id !== 'string')
      return err(`a branch must be either None, a task ID, or an Iterable of IDs, but got one of ${kindOf(id)}`);
    if (graph.indexOf.has(id)) targets.push(id);
    else if (graph.groups.has(id)) targets.push(...taskIds(graph, groupRoots(graph, id)));
    else invalid.push(id);
  }
  if (invalid.length > 0)
    return err(`a branch must contain only valid task_ids. Invalid tasks found: ${invalid.join(', ')}`);
  return ok([...new Set(targets)]);
}

function listOf(returned: unknown): unknown[] | undefined {
  if (returned === null || returned === undefined) return [];
  if (typeof returned === 'string') return [returned];
  if (typeof returned === 'object' && Symbol.iterator in returned) return [...(returned as Iterable<unknown>)];
  return undefined;
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : `${typeof value} ${JSON.stringify(value) ?? ''}`.trim();
}

/** Tasks of a group, those of its inner groups included, ascending. */
export function groupMembers(graph: TaskGraph, groupId: string): number[] {
  const isInside = (group: string | undefined): boolean => {
    const seen = new Set<string>();
    for (let at = group; at !== undefined && !seen.has(at); at = graph.groups.get(at)) {
      if (at === groupId) return true;
      seen.add(at);
    }
    return false;
  };
  return graph.nodes.flatMap((node, index) => (isInside(node.group) ? [index] : []));
}

/** Tasks of a group without an upstream in it. */
export function groupRoots(graph: TaskGraph, groupId: string): number[] {
  const members = new Set(groupMembers(graph, groupId));
  return [...members].filter((index) => !graph.upstream[index]!.some((source) => members.has(source)));
}

/** Direct downstream tasks that a branch skips: those neither followed nor downstream of one that is. Ascending. */
export function branchSkips(graph: TaskGraph, index: number, follow: readonly string[]): number[] {
  const followed = follow.flatMap((id) => graph.indexOf.get(id) ?? []);
  const kept = closure(graph, followed, 'downstream');
  for (const target of followed) kept.add(target);
  return Array.from(graph.downstream[index]!).filter((target) => !kept.has(target));
}

/** What a short circuit skips: everything downstream, or only what is directly downstream; never a teardown. Ascending. */
export function shortCircuitSkips(graph: TaskGraph, index: number, ignoreDownstreamTriggerRules = true): number[] {
  const after = ignoreDownstreamTriggerRules ? closure(graph, [index], 'downstream') : graph.downstream[index]!;
  return Array.from(after)
    .filter((target) => graph.nodes[target]!.teardown !== true)
    .sort((a, b) => a - b);
}

/** The tasks that a decision of a task skips, now and whenever they are cleared without it. */
export function skipsOf(graph: TaskGraph, index: number, decision: SkipDecision): number[] {
  switch (decision.kind) {
    case 'branch':
      return branchSkips(graph, index, decision.follow);
    case 'shortCircuit':
      return shortCircuitSkips(graph, index, decision.ignoreDownstreamTriggerRules);
    default:
      return assertNever(decision, 'skip decision');
  }
}
