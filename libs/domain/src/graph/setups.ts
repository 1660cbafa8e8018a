import { closure, type TaskGraph } from './graph.ts';

const NONE: readonly number[] = Object.freeze([]);

/** Direct downstream teardowns of a task. */
export function teardownsOf(graph: TaskGraph, index: number): number[] {
  return Array.from(graph.downstream[index]!).filter((target) => graph.nodes[target]!.teardown === true);
}

/**
 * Setups that a task works under: those upstream of it that have no teardown, or one that is downstream of the task.
 * Ascending by index.
 */
export function relevantSetups(graph: TaskGraph, index: number): number[] {
  const before = [...closure(graph, [index], 'upstream')].filter((at) => graph.nodes[at]!.setup === true);
  if (before.length === 0) return [];
  const after = closure(graph, [index], 'downstream');
  return before
    .filter((setup) => {
      const teardowns = teardownsOf(graph, setup);
      return teardowns.length === 0 || teardowns.some((teardown) => after.has(teardown));
    })
    .sort((a, b) => a - b);
}

/** For each task its relevant setups that are not directly upstream; none for a teardown. One walk for each setup. */
export function indirectSetups(graph: TaskGraph): readonly (readonly number[])[] {
  const found: (readonly number[] | number[])[] = graph.nodes.map(() => NONE);
  for (const [setup, node] of graph.nodes.entries()) {
    if (node.setup !== true) continue;
    const teardowns = teardownsOf(graph, setup);
    const scope = teardowns.length === 0 ? undefined : closure(graph, teardowns, 'upstream');
    for (const index of closure(graph, [setup], 'downstream')) {
      if (scope?.has(index) === false || graph.nodes[index]!.teardown === true) continue;
      if (graph.upstream[index]!.includes(setup)) continue;
      found[index] = [...found[index]!, setup];
    }
  }
  return found;
}

/**
 * The tasks whose states decide the run: all of whose downstream are teardowns that may fail, and that are no such teardown
 * themselves; if there are none, the tasks without downstream. Ascending.
 */
export function effectiveLeaves(graph: TaskGraph): number[] {
  const mayFail = (index: number): boolean => {
    const node = graph.nodes[index]!;
    return node.teardown === true && node.onFailureFailDagrun !== true;
  };
  const indexes = graph.nodes.map((_, index) => index);
  const leaves = indexes.filter((index) => !mayFail(index) && graph.downstream[index]!.every(mayFail));
  return leaves.length > 0 ? leaves : indexes.filter((index) => graph.downstream[index]!.length === 0);
}
