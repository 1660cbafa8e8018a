import { closure, type TaskGraph } from './graph.ts';
import { relevantSetups, teardownsOf } from './setups.ts';

export interface ClearScope {
  /** Default false. */
  readonly upstream?: boolean;
  /** Default false. */
  readonly downstream?: boolean;
}

/**
 * All tasks that clearing the given ones clears, ascending by index. A task comes with the setups that it works under and
 * their teardowns, a setup with its teardowns, a teardown alone.
 */
export function clearSelection(graph: TaskGraph, matched: readonly number[], scope: ClearScope = {}): number[] {
  const chosen = new Set(matched);
  const cleared = new Set(matched);
  const add = (indexes: Iterable<number>): void => {
    for (const index of indexes) cleared.add(index);
  };
  const isWork = (index: number): boolean =>
    graph.nodes[index]!.setup !== true && graph.nodes[index]!.teardown !== true;
  const scopeOf = new Map<number, number[]>();
  const addScope = (index: number): void => {
    if (!scopeOf.has(index)) scopeOf.set(index, setupsAndTeardowns(graph, index));
    add(scopeOf.get(index)!);
  };
  for (const index of matched) {
    if (scope.downstream === true)
      for (const after of closure(graph, [index], 'downstream')) {
        cleared.add(after);
        if (!chosen.has(after) && isWork(after)) addScope(after);
      }
    if (scope.upstream === true) add(upstreamWithTeardowns(graph, index));
    else if (isWork(index)) addScope(index);
    if (graph.nodes[index]!.setup === true && scope.downstream !== true) add(teardownsOf(graph, index));
  }
  return [...cleared].sort((a, b) => a - b);
}

/** The setups that a task works under, and their teardowns. */
function setupsAndTeardowns(graph: TaskGraph, index: number): number[] {
  return relevantSetups(graph, index).flatMap((setup) => [
    setup,
    ...teardownsOf(graph, setup).filter((at) => at !== index),
  ]);
}

function upstreamWithTeardowns(graph: TaskGraph, index: number): number[] {
  return [...closure(graph, [index], 'upstream')].flatMap((before) =>
    graph.nodes[before]!.setup === true ? [before, ...teardownsOf(graph, before)] : [before],
  );
}
