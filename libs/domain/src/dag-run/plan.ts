import type { DagDefinition, TaskDefinition } from '../dag/definition.ts';
import { compileGraph, effectiveLeaves, indirectSetups, priorityWeights, type TaskGraph } from '../graph/index.ts';
import { compileBlocks, membersOf, withoutFallbacks, type Block } from './block-plan.ts';
import { laneKey } from './ready-queue.ts';
import { compileMapping, sharedLevels, type MapPlan, type MapScope } from './map-plan.ts';

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
  /** The scopes that map it, outermost first: what each element of a map index counts. */
  readonly levels: readonly number[];
  /** The scopes that its outputs map. */
  readonly mapsInto: readonly number[];
  /** Its instances that share so many elements of their map index have the same upstream. */
  readonly gateDepth: number;
  /**
   * Elements of the map index that an instance shares with each of `upstream`, `downstream`, `indirectSetups` and
   * `indirectWork`: it depends on those instances, and no others.
   */
  readonly shared: {
    readonly upstream: readonly number[];
    readonly downstream: readonly number[];
    readonly setups: readonly number[];
    readonly work: readonly number[];
  };
  /** The run's outcome is read from the effective leaves. */
  readonly leaf: boolean;
  /** Effective priority weight by the task's weight rule. */
  readonly weight: number;
  /** Tasks with the same lane are alike to pools, workers and their own limits. */
  readonly lane: string;
  /** Another task takes the return value of one instance of this task as an input. */
  readonly feeds: boolean;
  /** Its instances look at the previous run before they start. */
  readonly asksPast: boolean;
  /** Blocks that it is in, innermost first. */
  readonly blocks: readonly Block[];
  /** Blocks that it looks at from outside, and waits for. */
  readonly blocksBefore: readonly Block[];
  /** Blocks for which it stands, with others, when they fail. */
  readonly standsFor: readonly Block[];
}

/** A DAG version made ready for deciding: compiled once, shared by all of its runs. */
export interface RunPlan {
  readonly version: string;
  readonly definition: DagDefinition;
  readonly graph: TaskGraph;
  readonly tasks: readonly TaskPlan[];
  readonly indexOf: ReadonlyMap<string, number>;
  /** What is mapped. */
  readonly scopes: readonly MapScope[];
  /** Groups that are retried as a whole, and whatever has a fallback. */
  readonly blocks: readonly Block[];
  /** A task looks at the previous run. */
  readonly asksPast: boolean;
  /** A task does so only if a function says that it should. */
  readonly asksConditions: boolean;
}

/** Work proportional to the number of edges. Throws for a definition that a parse should have refused (a cycle, an unknown id). */
export function compilePlan(version: string, definition: DagDefinition): RunPlan {
  const compiled = compileGraph(definition.tasks, definition.groups);
  if (!compiled.ok) throw new Error(`DAG '${definition.dagId}': ${compiled.error.message}`);
  const graph = compiled.value;
  const leaves = leavesOf(definition, graph);
  const weights = priorityWeights(graph);
  const setupsOf = indirectSetups(graph);
  const workOf: number[][] = definition.tasks.map(() => []);
  for (const [work, setups] of setupsOf.entries()) for (const setup of setups) workOf[setup]!.push(work);
  const ranks = new Int32Array(graph.order.length);
  for (const [rank, index] of graph.order.entries()) ranks[index] = rank;
  const mapping = compileMapping(definition, graph.indexOf);
  const { blocks, around, before, standsFor } = compileBlocks(definition, graph, setupsOf);
  const feeding = feedingTasks(definition, graph, mapping);
  const sharedBy = sharing(definition, mapping);
  const tasks = definition.tasks.map((def, index): TaskPlan => {
    const upstream = graph.upstream[index]!;
    const downstream = graph.downstream[index]!;
    const shared = {
      upstream: Array.from(upstream, (up) => sharedBy(up, index)),
      downstream: Array.from(downstream, (down) => sharedBy(index, down)),
      setups: setupsOf[index]!.map((setup) => sharedBy(setup, index)),
      work: workOf[index]!.map((work) => sharedBy(index, work)),
    };
    return {
      index,
      rank: ranks[index]!,
      def,
      upstream,
      downstream,
      indirectSetups: setupsOf[index]!,
      indirectWork: workOf[index]!,
      levels: mapping.levels[index]!,
      mapsInto: mapping.feeds[index]!,
      gateDepth: Math.max(0, ...shared.upstream, ...shared.setups),
      shared,
      leaf: leaves.has(index),
      weight: weights[index]!,
      lane: laneKey(def),
      feeds: feeding.has(index),
      asksPast: def.dependsOnPast || def.waitForDownstream,
      blocks: around[index]!,
      blocksBefore: before[index]!,
      standsFor: standsFor[index]!,
    };
  });
  const asksPast = tasks.some((task) => task.asksPast);
  const asksConditions = tasks.some((task) => task.def.pastCondition === true);
  return {
    version,
    definition,
    graph,
    tasks,
    indexOf: graph.indexOf,
    scopes: mapping.scopes,
    blocks,
    asksPast,
    asksConditions,
  };
}

/** The end of a fallback counts as that of what it stands for: it is no leaf itself. */
function leavesOf(definition: DagDefinition, graph: TaskGraph): ReadonlySet<number> {
  const leaves = new Set(effectiveLeaves(withoutFallbacks(definition, graph)));
  for (const { fallback } of [...definition.groups, ...definition.tasks])
    if (fallback !== undefined) for (const task of membersOf(graph, fallback)) leaves.delete(task);
  return leaves;
}

/** Of what a task takes from all instances of another nothing is kept: it asks for them. */
function feedingTasks({ tasks }: DagDefinition, graph: TaskGraph, { levels }: MapPlan): ReadonlySet<number> {
  const feeding = new Set<number>();
  for (const [index, { inputs }] of tasks.entries())
    for (const input of inputs) {
      const source = graph.indexOf.get(input);
      if (source === undefined) continue;
      if (sharedLevels(levels[source]!, levels[index]!) === levels[source]!.length) feeding.add(source);
    }
  return feeding;
}

const FAST_RULES: ReadonlySet<string> = new Set(['one_success', 'one_failed', 'one_done']);

/**
 * §2, relevance: inside of a mapped group an instance depends on what has its own index. The rules that do not wait for the
 * rest look at every index of the group that the task is directly in.
 */
function sharing(definition: DagDefinition, { scopes, levels }: MapPlan): (up: number, down: number) => number {
  const depths = new Map(scopes.map((scope) => [scope.id, scope.outer.length]));
  return (up, down) => {
    const shared = sharedLevels(levels[up]!, levels[down]!);
    const { group, triggerRule } = definition.tasks[down]!;
    if (shared === 0 || group === undefined || !FAST_RULES.has(triggerRule)) return shared;
    return Math.min(shared, depths.get(group) ?? shared);
  };
}
