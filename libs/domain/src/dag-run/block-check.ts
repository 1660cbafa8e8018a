import type { DagDefinition, LengthExpr } from '../dag/definition.ts';
import { compileGraph, indirectSetups, teardownsOf, type GraphProblem, type TaskGraph } from '../graph/index.ts';
import { compileBlocks, membersOf, type Block } from './block-plan.ts';

/** What is wrong with groups that are retried as a whole and with fallbacks. Empty: nothing. `definition` has no cycle. */
export function blockProblems(definition: DagDefinition): GraphProblem[] {
  const isPlain =
    definition.groups.every((g) => (g.retries ?? 0) === 0 && g.fallback === undefined) &&
    definition.tasks.every((t) => t.fallback === undefined);
  if (isPlain) return [];
  const compiled = compileGraph(definition.tasks, definition.groups);
  if (!compiled.ok) return [];
  const graph = compiled.value;
  const wrong = fallbackProblems(definition, graph);
  if (wrong.length > 0) return wrong;
  const { blocks } = compileBlocks(definition, graph, indirectSetups(graph));
  return [...blocks.flatMap((block) => sideProblems(graph, block)), ...waitProblems(definition, blocks)];
}

interface Main {
  readonly id: string;
  readonly isGroup: boolean;
  readonly parent: string | undefined;
  readonly fallback: string;
}

function mainsOf({ tasks, groups }: DagDefinition): Main[] {
  return [
    ...groups.map((g) => ({ id: g.groupId, isGroup: true, parent: g.parent, fallback: g.fallback })),
    ...tasks.map((t) => ({ id: t.taskId, isGroup: false, parent: t.group, fallback: t.fallback })),
  ].filter((main): main is Main => main.fallback !== undefined);
}

const nameOf = ({ isGroup, id }: { readonly isGroup: boolean; readonly id: string }): string =>
  `${isGroup ? 'group' : 'task'} '${id}'`;

function fallbackProblems(definition: DagDefinition, graph: TaskGraph): GraphProblem[] {
  const problems: GraphProblem[] = [];
  const mains = mainsOf(definition);
  for (const main of mains) {
    const { id, fallback } = main;
    const tell = (message: string): unknown => problems.push({ taskId: id, message });
    const say = (what: string, allowed: string): unknown =>
      tell(`the fallback '${fallback}' of ${nameOf(main)} ${what}; allowed: ${allowed}`);
    const task = definition.tasks.find((each) => each.taskId === fallback);
    const group = definition.groups.find((each) => each.groupId === fallback);
    const own = definition.tasks.find((each) => each.taskId === id);
    const ownGroup = definition.groups.find((each) => each.groupId === id);
    if (task === undefined && group === undefined) say('is no task or group of the DAG', 'the id of one');
    else if (fallback === id || (task?.group ?? group?.parent) !== main.parent)
      say('is not beside it', 'a task or group in the same group');
    else if (mains.some((other) => other !== main && other.fallback === fallback))
      say('stands for another one already', 'a fallback for each');
    else if ((own ?? ownGroup)?.expand !== undefined || (task ?? group)?.expand !== undefined)
      tell(
        `${nameOf(main)} or its fallback '${fallback}' is mapped by itself; allowed: both together in a mapped group`,
      );
    else if ([own, task].some((each) => each?.setup === true || each?.teardown === true))
      tell(`${nameOf(main)} or its fallback '${fallback}' is a setup or teardown; allowed: neither of them`);
    else {
      const inside = new Set(membersOf(graph, id).map((index) => graph.nodes[index]!.taskId));
      const mapped = [...definition.groups, ...definition.tasks].find((each) => {
        const name = 'taskId' in each ? each.taskId : each.groupId;
        return (
          !inside.has(name) &&
          (each.expand?.over ?? []).some(({ length }) => sourcesOf(length).some((s) => inside.has(s)))
        );
      });
      if (mapped !== undefined)
        say(
          `cannot say how often '${'taskId' in mapped ? mapped.taskId : mapped.groupId}' is mapped`,
          'a task between them',
        );
    }
  }
  return problems;
}

function sourcesOf(length: LengthExpr): string[] {
  if (length.kind === 'literal') return [];
  return length.kind === 'output' ? [length.taskId] : length.of.flatMap(sourcesOf);
}

/** A setup and its teardown are tried again together, or neither is. */
function sideProblems(graph: TaskGraph, block: Block): GraphProblem[] {
  if (block.retries === 0) return [];
  const inside = new Set(block.tasks);
  return graph.nodes.flatMap(({ setup, taskId }, index) => {
    if (setup !== true) return [];
    const other = teardownsOf(graph, index).find((teardown) => inside.has(teardown) !== inside.has(index));
    if (other === undefined) return [];
    const message = `${nameOf(block)} is retried as a whole, and of the setup '${taskId}' and its teardown '${graph.nodes[other]!.taskId}' one is in it and one is not; allowed: both or neither`;
    return [{ taskId, message }];
  });
}

/** Who is outside of a block waits for all of it: nothing inside may wait for them. */
function waitProblems(definition: DagDefinition, blocks: readonly Block[]): GraphProblem[] {
  const { tasks } = definition;
  const waits = tasks.map((task) => new Set(task.upstream));
  for (const { tasks: inside, fallback, outside } of blocks) {
    for (const after of fallback?.tasks ?? []) for (const member of inside) waits[after]!.add(tasks[member]!.taskId);
    for (const after of outside)
      for (const member of [...inside, ...(fallback?.tasks ?? [])]) waits[after]!.add(tasks[member]!.taskId);
  }
  const graph = compileGraph(tasks.map((task, at) => ({ ...task, upstream: [...waits[at]!] })));
  if (graph.ok || graph.error.kind !== 'cycle') return [];
  const names = blocks.map(nameOf).join(', ');
  return [
    {
      taskId: graph.error.path[0]!,
      message: `what comes after a group that is retried as a whole, or after something with a fallback (${names}), waits for all of it, and here in a circle: ${graph.error.path.join(' → ')}; allowed: nothing outside between two tasks of such a group, or between a task and its fallback`,
    },
  ];
}
