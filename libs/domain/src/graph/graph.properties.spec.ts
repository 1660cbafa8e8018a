import fc from 'fast-check';
import { closure, compileGraph, taskIds, type GraphNode, type TaskGraph } from './graph.ts';
import { indirectSetups, relevantSetups } from './setups.ts';
import { priorityWeights } from './weights.ts';

function graphOf(nodes: readonly GraphNode[]): TaskGraph {
  const compiled = compileGraph(nodes);
  if (!compiled.ok) throw new Error(compiled.error.message);
  return compiled.value;
}

const ids = (graph: TaskGraph, indexes: Iterable<number>): string[] => taskIds(graph, indexes).sort();

const randomGraphs = fc
  .array(
    fc.tuple(
      fc.array(fc.nat(59), { maxLength: 4 }),
      fc.integer({ min: -3, max: 9 }),
      fc.constantFrom('downstream' as const, 'upstream' as const, 'absolute' as const),
    ),
    { minLength: 1, maxLength: 60 },
  )
  .map((rows) =>
    rows.map(([edges, priorityWeight, weightRule], index): GraphNode => ({
      taskId: `t${index}`,
      upstream: index === 0 ? [] : edges.map((edge) => `t${edge % index}`),
      priorityWeight,
      weightRule,
    })),
  );

/** Everything that a task can be reached from, by looking it up again and again. */
function naiveUpstream(nodes: readonly GraphNode[], id: string): Set<string> {
  const found = new Set<string>();
  for (const source of nodes.find((node) => node.taskId === id)!.upstream) {
    found.add(source);
    for (const further of naiveUpstream(
      nodes.slice(
        0,
        nodes.findIndex((node) => node.taskId === id),
      ),
      source,
    ))
      found.add(further);
  }
  return found;
}

describe('properties of graphs', () => {
  it('closures and weights are those of a naive walk, in any order of the tasks', () => {
    fc.assert(
      fc.property(randomGraphs, fc.infiniteStream(fc.nat()), (nodes, dice) => {
        const before = new Map(nodes.map((node) => [node.taskId, naiveUpstream(nodes, node.taskId)]));
        const shuffled = nodes
          .map((node) => ({ node, key: dice.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .map(({ node }) => node);
        const graph = graphOf(shuffled);
        const weights = priorityWeights(graph);
        const own = new Map(nodes.map((node) => [node.taskId, node.priorityWeight!]));
        const sum = (set: Iterable<string>): number => [...set].reduce((total, id) => total + own.get(id)!, 0);
        for (const [index, node] of shuffled.entries()) {
          const upstream = before.get(node.taskId)!;
          const downstream = nodes
            .filter((other) => before.get(other.taskId)!.has(node.taskId))
            .map((other) => other.taskId);
          expect(ids(graph, closure(graph, [index], 'upstream'))).toEqual([...upstream].sort());
          expect(ids(graph, closure(graph, [index], 'downstream'))).toEqual(downstream.toSorted());
          const reach =
            node.weightRule === 'absolute' ? 0 : sum(node.weightRule === 'upstream' ? upstream : downstream);
          expect(weights[index]).toBe(node.priorityWeight! + reach);
        }
        const position = new Map(Array.from(graph.order, (index, i) => [index, i]));
        for (const [index, sources] of graph.upstream.entries())
          for (const source of sources) expect(position.get(source)).toBeLessThan(position.get(index)!);
      }),
      { numRuns: 40 },
    );
  });

  it('weights count across blocks of a wide graph', () => {
    const wide = Array.from({ length: 2_500 }, (_, i): GraphNode => ({ taskId: `w${i}`, upstream: ['first'] }));
    const graph = graphOf([
      { taskId: 'first', upstream: [] },
      ...wide,
      { taskId: 'last', upstream: wide.map((node) => node.taskId), priorityWeight: 5 },
    ]);
    const weights = priorityWeights(graph);
    expect([weights[0], weights[1], weights[weights.length - 1]]).toEqual([2_506, 6, 5]);
  });

  it('indirect setups are the relevant ones that are not directly upstream', () => {
    fc.assert(
      fc.property(randomGraphs, fc.infiniteStream(fc.nat(5)), (nodes, dice) => {
        const graph = graphOf(
          nodes.map((node) => {
            const kind = dice.next().value as number;
            return { ...node, setup: kind === 0, teardown: kind === 1 };
          }),
        );
        const indirect = indirectSetups(graph);
        for (const [index, node] of graph.nodes.entries()) {
          const expected =
            node.teardown === true
              ? []
              : relevantSetups(graph, index).filter((setup) => !graph.upstream[index]!.includes(setup));
          expect(indirect[index]!.toSorted((a, b) => a - b)).toEqual(expected);
        }
      }),
      { numRuns: 40 },
    );
  });
});
