import type { DagDefinition, GroupDefinition } from '../dag/definition.ts';
import { groupMembers, type TaskGraph } from '../graph/index.ts';
import { TASK_DEFAULTS } from '../dag/definition.ts';

/** What stands for a block that has failed. */
export interface FallbackPlan {
  readonly id: string;
  /** Ascending. */
  readonly tasks: readonly number[];
  /** Its own block, where it is retried as a whole or has a fallback itself. */
  readonly block: number | undefined;
  /** For tasks of the main whose value others may go on with: the task whose value that is. */
  readonly values: ReadonlyMap<number, number>;
}

/**
 * A task or group that comes to one end, as far as others are concerned: a group that is retried as a whole, or what has a
 * fallback. Who is outside looks at nothing inside before that end.
 */
export interface Block {
  readonly index: number;
  /** Of the task or the group. */
  readonly id: string;
  readonly isGroup: boolean;
  /** Tries of the whole after the first. */
  readonly retries: number;
  readonly retryDelayMs: number;
  /** Ascending. */
  readonly tasks: readonly number[];
  /** Elements of the map index that tell its instances apart. */
  readonly depth: number;
  readonly fallback: FallbackPlan | undefined;
  /** Tasks outside that look at what is inside, the fallback's left out. */
  readonly outside: readonly number[];
}

export interface BlockPlan {
  readonly blocks: readonly Block[];
  /** For each task the blocks that it is in, innermost first. */
  readonly around: readonly (readonly Block[])[];
  /** For each task the outermost blocks that it looks at from outside. */
  readonly before: readonly (readonly Block[])[];
  /** For each task the blocks for which it stands, with others. */
  readonly standsFor: readonly (readonly Block[])[];
}

const NONE: readonly Block[] = [];

/** Work proportional to tasks and the edges of what is in blocks; next to none for a DAG without. */
export function compileBlocks(
  definition: DagDefinition,
  graph: TaskGraph,
  indirect: readonly (readonly number[])[],
): BlockPlan {
  const { tasks, groups } = definition;
  const ids = [
    ...outermostFirst(groups)
      .filter((g) => (g.retries ?? 0) > 0 || g.fallback !== undefined)
      .map((g) => g.groupId),
    ...tasks.filter((t) => t.fallback !== undefined).map((t) => t.taskId),
  ];
  if (ids.length === 0)
    return {
      blocks: [],
      around: tasks.map(() => NONE),
      before: tasks.map(() => NONE),
      standsFor: tasks.map(() => NONE),
    };
  const byGroup = new Map(groups.map((group) => [group.groupId, group]));
  const indexOf = new Map(ids.map((id, index) => [id, index]));
  const below = indirect.flatMap((setups, task) => (setups.length === 0 ? [] : [task]));
  const blocks = ids.map((id, index): Block => {
    const group = byGroup.get(id);
    const own = membersOf(graph, id);
    const { fallback: fallbackId } = group ?? tasks[own[0]!]!;
    const fallback =
      fallbackId === undefined ? undefined : fallbackOf(graph, own, id, fallbackId, indexOf.get(fallbackId));
    return {
      index,
      id,
      isGroup: group !== undefined,
      retries: group?.retries ?? 0,
      retryDelayMs: group?.retryDelayMs ?? TASK_DEFAULTS.retryDelayMs,
      tasks: own,
      depth: depthOf(byGroup, group ?? byGroup.get(tasks[own[0]!]!.group ?? '')),
      fallback,
      outside: outsideOf(graph, indirect, below, own, fallback?.tasks ?? []),
    };
  });
  const around = byTask(tasks.length, blocks, ({ tasks: own }) => own);
  for (const each of around) each.sort(byDepth);
  const before = byTask(tasks.length, blocks, ({ outside }) => outside).map((seen) =>
    seen.filter((block) => !seen.some((other) => other !== block && contains(other, block))),
  );
  const standsFor = byTask(tasks.length, blocks, ({ fallback }) => fallback?.tasks ?? []);
  return { blocks, around, before, standsFor };
}

function byTask(count: number, blocks: readonly Block[], tasksOf: (block: Block) => readonly number[]): Block[][] {
  const lists = Array.from({ length: count }, (): Block[] => []);
  for (const block of blocks) for (const task of tasksOf(block)) lists[task]!.push(block);
  return lists;
}

function outermostFirst(groups: readonly GroupDefinition[]): GroupDefinition[] {
  const byId = new Map(groups.map((group) => [group.groupId, group]));
  const depth = (group: GroupDefinition | undefined): number =>
    group === undefined ? 0 : 1 + depth(byId.get(group.parent ?? ''));
  return groups.toSorted((a, b) => depth(a) - depth(b));
}

/** Of two with the same tasks the one with the lower index is around the other: the outer groups come first. */
export const contains = (outer: Block, inner: Block): boolean =>
  (outer.tasks.length > inner.tasks.length ||
    (outer.tasks.length === inner.tasks.length && outer.index < inner.index)) &&
  inner.tasks.every((task) => outer.tasks.includes(task));

/** Innermost first. */
export const byDepth = (a: Block, b: Block): number => a.tasks.length - b.tasks.length || b.index - a.index;

/** A task, or all that is in a group; empty for an id that is neither. */
export function membersOf(graph: TaskGraph, id: string): readonly number[] {
  const task = graph.indexOf.get(id);
  return task === undefined ? groupMembers(graph, id) : [task];
}

/** How many mapped groups there are from a group outwards. */
function depthOf(byId: ReadonlyMap<string, GroupDefinition>, group: GroupDefinition | undefined): number {
  let depth = 0;
  for (let at = group; at !== undefined; at = byId.get(at.parent ?? '')) if (at.expand !== undefined) depth++;
  return depth;
}

function outsideOf(
  graph: TaskGraph,
  indirect: readonly (readonly number[])[],
  below: readonly number[],
  own: readonly number[],
  fallback: readonly number[],
): number[] {
  const inside = new Set([...own, ...fallback]);
  const members = new Set(own);
  const found = new Set<number>();
  for (const index of own) for (const down of graph.downstream[index]!) if (!inside.has(down)) found.add(down);
  for (const task of below)
    if (!inside.has(task) && indirect[task]!.some((setup) => members.has(setup))) found.add(task);
  return [...found].sort((a, b) => a - b);
}

/** The value of a task in the main is that of the task of the same name in the fallback, else of the fallback's one leaf. */
function fallbackOf(
  graph: TaskGraph,
  main: readonly number[],
  mainId: string,
  id: string,
  block: number | undefined,
): FallbackPlan {
  const tasks = membersOf(graph, id);
  const inside = new Set(tasks);
  const leaves = tasks.filter(
    (task) =>
      graph.nodes[task]!.teardown !== true &&
      !graph.downstream[task]!.some((down) => inside.has(down) && graph.nodes[down]!.teardown !== true),
  );
  const values = new Map<number, number>();
  for (const task of main) {
    const name = graph.nodes[task]!.taskId.slice(mainId.length);
    const same = graph.indexOf.get(`${id}${name}`);
    const value = same !== undefined && inside.has(same) ? same : leaves.length === 1 ? leaves[0] : undefined;
    if (value !== undefined) values.set(task, value);
  }
  return { id, tasks, block, values };
}

/** The graph without the arrows from a main to its fallback: the fallback's end counts as the main's. */
export function withoutFallbacks(definition: DagDefinition, graph: TaskGraph): TaskGraph {
  const mains = [
    ...definition.groups.map((g) => [g.groupId, g.fallback] as const),
    ...definition.tasks.map((t) => [t.taskId, t.fallback] as const),
  ];
  const cut = new Map<number, Set<number>>();
  for (const [id, fallback] of mains) {
    if (fallback === undefined) continue;
    const main = membersOf(graph, id);
    for (const task of membersOf(graph, fallback)) cut.set(task, new Set([...(cut.get(task) ?? []), ...main]));
  }
  if (cut.size === 0) return graph;
  const upstream = graph.upstream.map((ups, task) => ups.filter((up) => cut.get(task)?.has(up) !== true));
  const downstream = graph.downstream.map((downs, task) => downs.filter((down) => cut.get(down)?.has(task) !== true));
  return { ...graph, upstream, downstream };
}
