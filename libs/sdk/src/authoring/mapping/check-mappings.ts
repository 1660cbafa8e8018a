import type { Dag } from '../dag.ts';
import { SOURCE, sourcesIn, type Expression } from '../source.ts';
import type { Task } from '../task.ts';
import type { TaskGroup } from '../task-group.ts';
import { mappedGroupsAround, outputsIn, sharedLevels, type Mapping } from './mapping.ts';

interface Mapped {
  readonly id: string;
  readonly at: Task['at'];
  readonly mapping: Mapping;
  /** The group in which it is mapped. */
  readonly scope: TaskGroup | undefined;
}

type Refuse = (reason: string, taskId?: string, at?: Task['at']) => void;

/** Tells each task what is mapped over its output, and refuses what cannot be mapped over, or is not there to be used. */
export function checkMappings(dag: Dag, refuse: Refuse): void {
  for (const task of dag.tasks) task.feeds.clear();
  const groups = dag.groups.map(({ groupId: id, at, mapping, parent }) => ({ id, at, mapping, scope: parent }));
  const tasks = dag.tasks.map(({ taskId: id, at, mapping, group }) => ({ id, at, mapping, scope: group }));
  for (const { mapping, ...each } of [...groups, ...tasks])
    if (mapping !== undefined) feed({ ...each, mapping }, refuse);
  for (const { taskId, at, given, mapping, group } of dag.tasks)
    checkArguments([given, mapping?.over.map(({ list }) => list)], group, (reason) => refuse(reason, taskId, at));
  for (const { mapping, parent, at } of dag.groups)
    checkArguments(
      mapping?.over.map(({ list }) => list),
      parent,
      (reason) => refuse(reason, undefined, at),
    );
}

function feed({ id, at, mapping, scope }: Mapped, refuse: Refuse): void {
  for (const { list } of mapping.over)
    for (const ref of outputsIn(list)) {
      if (ref.kind === 'argument') {
        refuse(
          `'${id}' is mapped over the argument '${ref.name}' of the group around it, whose length is known to no task; allowed: the output of a task of the group that returns it`,
          id,
          at,
        );
        continue;
      }
      const { task: source, path } = ref;
      const levels = mappedGroupsAround(source.group).length + (source.mapping === undefined ? 0 : 1);
      if (levels > sharedLevels(source.group, scope)) {
        if (path.length > 0)
          refuse(
            `'${id}' is mapped over a part of what the instances of '${source.taskId}' return together; allowed: the whole, or .map() of it`,
            id,
            at,
          );
        continue;
      }
      if (source.attributes.pushXcom === false)
        refuse(
          `'${id}' is mapped over the output of '${source.taskId}', which has pushXcom: false; allowed: true`,
          id,
          at,
        );
      source.feeds.set(JSON.stringify(path), { path, by: id });
    }
}

/** Arguments of a mapped group exist in its instances. */
function checkArguments(value: unknown, scope: TaskGroup | undefined, refuse: (reason: string) => void): void {
  const around = mappedGroupsAround(scope);
  const walk = (at: unknown): void => {
    for (const source of sourcesIn(at)) {
      const ref: Expression = source[SOURCE];
      if (ref.kind === 'argument' && !around.includes(ref.group))
        refuse(
          `the argument '${ref.name}' of group '${ref.group.groupId}' is used outside of it; allowed: in tasks of the group`,
        );
      else if (ref.kind === 'map' || ref.kind === 'zip' || ref.kind === 'concat') walk(ref.of);
    }
  };
  walk(value);
}
