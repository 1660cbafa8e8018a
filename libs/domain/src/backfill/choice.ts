import { assertNever, err, ok, type Result } from '@rondo/kernel';
import type { DagDefinition, Expansion, GroupDefinition, LengthExpr, TaskDefinition } from '../dag/definition.ts';
import { clearSelection, compileGraph } from '../graph/index.ts';

/** The tasks that a user names. */
export interface TaskChoice {
  readonly taskIds: readonly string[];
  /** Everything above them too. Default false. */
  readonly includeUpstream?: boolean;
}

/** Ids of a choice together stay under this many characters: they stand in the start of every run (I7). */
export const CHOICE_CHARS = 32_000;

/** The ids of the chosen tasks with their setups and teardowns, in order of declaration. A refusal names what is unknown. */
export function resolveChoice(definition: DagDefinition, choice: TaskChoice): Result<readonly string[]> {
  const graph = graphOf(definition);
  const ids = definition.tasks.map((task) => task.taskId);
  const known = `its tasks are ${ids.slice(0, 20).join(', ')}${ids.length > 20 ? ` and ${ids.length - 20} more` : ''}`;
  if (choice.taskIds.length === 0) return err(`no task is named; ${known}`);
  const unknown = choice.taskIds.filter((id) => !graph.indexOf.has(id));
  if (unknown.length > 0)
    return err(`DAG '${definition.dagId}' has no task ${unknown.map((id) => `'${id}'`).join(', ')}; ${known}`);
  const named = choice.taskIds.map((id) => graph.indexOf.get(id)!);
  const chosen = clearSelection(graph, named, { upstream: choice.includeUpstream === true }).map((at) => ids[at]!);
  if (chosen.join().length > CHOICE_CHARS)
    return err(`${chosen.length} tasks are too many to choose: leave the choice out`);
  return ok(chosen);
}

/**
 * The DAG with these tasks alone. Tasks that are left out are not there: they have no state and no rule waits for them. What was
 * ordered by way of them stays in that order. Ids that the DAG lacks are passed over.
 */
export function onlyTasks(definition: DagDefinition, only: readonly string[]): DagDefinition {
  const { tasks } = definition;
  const kept = new Set(only);
  const graph = graphOf(definition);
  // For each task, the nearest kept ones above it.
  const nearest: Set<number>[] = tasks.map(() => new Set());
  for (const index of graph.order)
    for (const up of graph.upstream[index]!)
      if (kept.has(tasks[up]!.taskId)) nearest[index]!.add(up);
      else for (const above of nearest[up]!) nearest[index]!.add(above);
  const left = tasks.flatMap((task, index): TaskDefinition[] => {
    if (!kept.has(task.taskId)) return [];
    const upstream = [...nearest[index]!].sort((a, b) => a - b).map((up) => tasks[up]!.taskId);
    return [{ ...task, upstream, inputs: task.inputs.filter((id) => kept.has(id)) }];
  });
  return withGroupsOf({ ...definition, tasks: left });
}

/** Without groups that have no task any more, and without fallbacks that are not there. */
function withGroupsOf({ tasks, groups, ...definition }: DagDefinition): DagDefinition {
  const parents = new Map(groups.map((group) => [group.groupId, group.parent]));
  const there = new Set<string>(tasks.map((task) => task.taskId));
  for (const task of tasks)
    for (let at = task.group; at !== undefined && !there.has(at); at = parents.get(at)) there.add(at);
  const bare = <T extends { readonly fallback?: string }>({ fallback, ...rest }: T) =>
    fallback === undefined || !there.has(fallback) ? rest : { ...rest, fallback };
  return {
    ...definition,
    tasks: tasks.map((task) => bare(task) as TaskDefinition),
    groups: groups.filter((group) => there.has(group.groupId)).map((group) => bare(group) as GroupDefinition),
  };
}

/** Tasks that are left out and whose values the others take: as arguments, or to be mapped over. */
export function valuesLeftOut(definition: DagDefinition, only: readonly string[]): readonly string[] {
  const kept = new Set(only);
  const groups = new Map(definition.groups.map((group) => [group.groupId, group]));
  const wanted = new Set<string>();
  for (const task of definition.tasks) {
    if (!kept.has(task.taskId)) continue;
    for (const id of [...task.inputs, ...sourcesOf(task.expand)]) wanted.add(id);
    for (let at = groups.get(task.group ?? ''); at !== undefined; at = groups.get(at.parent ?? ''))
      for (const id of sourcesOf(at.expand)) wanted.add(id);
  }
  return [...wanted].filter((id) => !kept.has(id));
}

function sourcesOf(expand: Expansion | undefined): readonly string[] {
  return expand === undefined ? [] : expand.over.flatMap(({ length }) => outputsIn(length));
}

function outputsIn(length: LengthExpr): readonly string[] {
  switch (length.kind) {
    case 'literal':
      return [];
    case 'output':
      return [length.taskId];
    case 'zip':
    case 'concat':
      return length.of.flatMap(outputsIn);
    default:
      return assertNever(length, 'length');
  }
}

function graphOf(definition: DagDefinition) {
  const compiled = compileGraph(definition.tasks, definition.groups);
  if (!compiled.ok) throw new Error(`DAG '${definition.dagId}': ${compiled.error.message}`);
  return compiled.value;
}
