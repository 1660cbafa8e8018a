import type { DagDefinition, DagScheduling, TaskDefinition } from '@rondo/domain';
import { schedulingOf } from '@rondo/domain';
import { aDefinition, aTask } from '../definition.ts';

/** A task as a test writes it: an id, and whatever differs from the defaults. */
export interface TaskSpec extends Partial<Omit<TaskDefinition, 'taskId'>> {
  readonly id: string;
}

export interface DagSpec extends Partial<Omit<DagDefinition, 'tasks'>> {
  readonly tasks: readonly TaskSpec[];
}

/**
 * A DAG with every default (`dag`, by hand only, no retries, 16 active tasks). A teardown gets the trigger rule of
 * teardowns, a group that a task names is declared, unless the test says otherwise.
 */
export function dagDefinition({ dagId = 'dag', tasks, ...change }: DagSpec): DagDefinition {
  const groups = [...new Set(tasks.flatMap((task) => task.group ?? []))].map((groupId) => ({ groupId }));
  return aDefinition(dagId, tasks.map(taskOf), { groups, ...change });
}

function taskOf({ id, ...change }: TaskSpec): TaskDefinition {
  const rule = change.teardown === true ? { triggerRule: 'all_done_setup_success' as const } : {};
  return aTask(id, { ...rule, ...change });
}

/** What a DAG's stream keeps of a version: by hand only, 16 active runs, unless the test says otherwise. */
export function dagScheduling(change: Partial<DagScheduling> = {}): DagScheduling {
  return { ...schedulingOf(dagDefinition({ tasks: [] })), ...change };
}
