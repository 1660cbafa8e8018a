import { oneNode, type Node } from './relations.ts';
import type { Dag } from './dag.ts';
import type { Task } from './task.ts';
import type { TaskGroup } from './task-group.ts';

const idOf = (node: Node | string): string => {
  if (typeof node === 'string') return node;
  return 'taskId' in node ? (node as Task).taskId : (node as TaskGroup).groupId;
};

/** The id of what stands for a task or group that has failed. To be asked once the DAG is complete. */
export function fallbackId({ fallback }: Task | TaskGroup): string | undefined {
  return fallback === undefined ? undefined : idOf(oneNode(fallback, 'fallback'));
}

/** What has a fallback, with that; one that is not there is left to the check of the whole. */
export function* fallbacksOf(
  dag: Dag,
): Generator<{ readonly main: Task | TaskGroup; readonly fallback: Task | TaskGroup }> {
  for (const main of [...dag.tasks, ...dag.groups]) {
    const id = fallbackId(main);
    const fallback = id === undefined ? undefined : dag.whoHas(id);
    if (fallback !== undefined && fallback !== main) yield { main, fallback };
  }
}
