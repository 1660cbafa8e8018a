import type { DagDefinition, Expansion, LengthExpr } from '../dag/definition.ts';

/** What is mapped: a task by itself, or a group with all that is in it. */
export interface MapScope {
  readonly index: number;
  readonly id: string;
  /** Scopes around it, outermost first: the path of what it maps has one element for each, before it is mapped. */
  readonly outer: readonly number[];
  readonly expansion: Expansion;
  /** Tasks that it maps, ascending; one for a task. */
  readonly tasks: readonly number[];
  /** Tasks whose outputs say how often, with how many scopes they share with it. */
  readonly sources: readonly { readonly task: number; readonly shared: number }[];
}

export interface MapPlan {
  readonly scopes: readonly MapScope[];
  /** For each task the scopes that map it, outermost first; its own is the last. */
  readonly levels: readonly (readonly number[])[];
  /** For each task the scopes that it is a source of. */
  readonly feeds: readonly (readonly number[])[];
}

const NONE: readonly number[] = [];

/** Which scopes there are, and what lies in them. Work proportional to tasks, groups and the depth of groups. */
export function compileMapping(definition: DagDefinition, indexOf: ReadonlyMap<string, number>): MapPlan {
  const { tasks, groups } = definition;
  const isMapped =
    groups.some((group) => group.expand !== undefined) || tasks.some((task) => task.expand !== undefined);
  if (!isMapped) return { scopes: [], levels: tasks.map(() => NONE), feeds: tasks.map(() => NONE) };
  const byGroup = new Map(groups.map((group) => [group.groupId, group]));
  const drafts: { id: string; outer: readonly number[]; expansion: Expansion; tasks: number[] }[] = [];
  const ofGroup = new Map<string, readonly number[]>();
  const levelsOf = (groupId: string | undefined): readonly number[] => {
    if (groupId === undefined) return NONE;
    const known = ofGroup.get(groupId);
    if (known !== undefined) return known;
    const group = byGroup.get(groupId);
    const outer = levelsOf(group?.parent);
    const levels = group?.expand === undefined ? outer : [...outer, drafts.length];
    if (group?.expand !== undefined) drafts.push({ id: groupId, outer, expansion: group.expand, tasks: [] });
    ofGroup.set(groupId, levels);
    return levels;
  };
  const levels = tasks.map((task, index): readonly number[] => {
    const outer = levelsOf(task.group);
    for (const scope of outer) drafts[scope]!.tasks.push(index);
    if (task.expand === undefined) return outer;
    drafts.push({ id: task.taskId, outer, expansion: task.expand, tasks: [index] });
    return [...outer, drafts.length - 1];
  });
  const feeds: number[][] = tasks.map(() => []);
  const scopes = drafts.map((draft, index): MapScope => {
    const ids = new Set(draft.expansion.over.flatMap(({ length }) => sourceIds(length)));
    const sources = Array.from(ids, (id) => {
      const task = indexOf.get(id);
      if (task === undefined) throw new Error(`'${draft.id}' is mapped over '${id}', which is no task of the DAG`);
      feeds[task]!.push(index);
      return { task, shared: sharedLevels(levels[task]!, draft.outer) };
    });
    return { ...draft, index, sources };
  });
  return { scopes, levels, feeds };
}

function sourceIds(length: LengthExpr): string[] {
  switch (length.kind) {
    case 'literal':
      return [];
    case 'output':
      return [length.taskId];
    default:
      return length.of.flatMap(sourceIds);
  }
}

/** How many of the outermost scopes two places have in common. */
export function sharedLevels(a: readonly number[], b: readonly number[]): number {
  let shared = 0;
  while (shared < a.length && shared < b.length && a[shared] === b[shared]) shared++;
  return shared;
}
