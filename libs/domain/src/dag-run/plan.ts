import type { DagDefinition, TaskDefinition } from '../dag/definition.ts';
import { compileGraph, effectiveLeaves, indirectSetups, priorityWeights, type TaskGraph } from '../graph/index.ts';

/** One task of a plan, with its edges as indexes into `RunPlan.tasks`. */
export interface TaskPlan {
  readonly index: number;
  /** Place in an order in which every task comes after all of its upstream. */
  readonly rank: number;
  readonly def: TaskDefinition;
  readonly upstream: Int32Array;
  readonly downstream: Int32Array;
  /** Setups further up that must have succeeded, and the tasks further down that this setup holds. */
  readonly indirectSetups: readonly number[];
  readonly indirectWork: readonly number[];
  /** The run's outcome is read from the effective leaves. */
  readonly leaf: boolean;
  /** Effective priority weight by the task's weight rule. */
  readonly weight: number;
  /** Another task takes this task's return value as an input. */
  readonly feeds: boolean;
  /** Its instances look at the previous run before they start. */
  readonly asksPast: boolean;
}

/** A DAG version made ready for deciding: compiled once, shared by all of its runs. */
export interface RunPlan {
  readonly version: string;
  readonly definition: DagDefinition;
  readonly graph: TaskGraph;
  readonly tasks: readonly TaskPlan[];
  readonly indexOf: ReadonlyMap<string, number>;
  /** A task looks at the previous run. */
  readonly asksPast: boolean;
}

/** Work proportional to the number of edges. Throws for a definition that a parse should have refused (a cycle, an unknown id). */
export function compilePlan(version: string, definition: DagDefinition): RunPlan {
  const compiled = compileGraph(definition.tasks, definition.groups);
  if (!compiled.ok) throw new Error(`DAG '${definition.dagId}': ${compiled.error.message}`);
  const graph = compiled.value;
  const leaves = new Set(effectiveLeaves(graph));
  const weights = priorityWeights(graph);
  const setupsOf = indirectSetups(graph);
  const workOf: number[][] = definition.tasks.map(() => []);
  for (const [work, setups] of setupsOf.entries()) for (const setup of setups) workOf[setup]!.push(work);
  const ranks = new Int32Array(graph.order.length);
  for (const [rank, index] of graph.order.entries()) ranks[index] = rank;
  const feeding = new Set(definition.tasks.flatMap((t) => t.inputs));
  const tasks = definition.tasks.map((def, index): TaskPlan => ({
    index,
    rank: ranks[index]!,
    def,
    upstream: graph.upstream[index]!,
    downstream: graph.downstream[index]!,
    indirectSetups: setupsOf[index]!,
    indirectWork: workOf[index]!,
    leaf: leaves.has(index),
    weight: weights[index]!,
    feeds: feeding.has(def.taskId),
    asksPast: def.dependsOnPast || def.waitForDownstream,
  }));
  return { version, definition, graph, tasks, indexOf: graph.indexOf, asksPast: tasks.some((task) => task.asksPast) };
}
