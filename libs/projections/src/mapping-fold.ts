import {
  compileMapping,
  pathsOf,
  type DagDefinition,
  type DagRunEvent,
  type InstanceRange,
  type MapIndex,
  type TaskDefinition,
} from '@rondo/domain';
import { keyOf, newInstance, resetTry, type InstanceFoldRow, type RunModel, type RunSink } from './run-model.ts';

type Mapped = Extract<DagRunEvent, { type: 'TaskMapped' }>['data'];

interface MappedTask {
  readonly task: TaskDefinition;
  readonly ordinal: number;
  /** Elements of the map index of an instance of it. */
  readonly depth: number;
}

/** For each version the tasks that each scope maps. */
const scopes = new WeakMap<DagDefinition, ReadonlyMap<string, readonly MappedTask[]>>();

function tasksOf(definition: DagDefinition, scopeId: string): readonly MappedTask[] {
  let known = scopes.get(definition);
  if (known === undefined) {
    const { tasks } = definition;
    const plan = compileMapping(definition, new Map(tasks.map((task, index) => [task.taskId, index])));
    known = new Map(
      plan.scopes.map((scope) => [
        scope.id,
        scope.tasks.map((index) => ({ task: tasks[index]!, ordinal: index, depth: plan.levels[index]!.length })),
      ]),
    );
    scopes.set(definition, known);
  }
  return known.get(scopeId) ?? [];
}

/** Rows of the instances that there are now; those that stood for them go, and those that are too many are removed. */
export function applyMapped(
  model: RunModel,
  definition: DagDefinition | undefined,
  event: Mapped,
  sink: RunSink,
): void {
  const { scope, mapIndex, length, removed = [], restored = [], at } = event;
  const version = (model.definition ??= definition);
  for (const mapped of version === undefined ? [] : tasksOf(version, scope)) {
    const { taskId } = mapped.task;
    const placeholder = model.instances.get(keyOf(taskId, mapIndex.join('.')));
    if (placeholder !== undefined && (placeholder.state !== 'none' || length === 0)) continue;
    const from = placeholder === undefined ? mappedLength(model, mapped, mapIndex) : 0;
    if (placeholder === undefined && from === 0) continue;
    if (placeholder !== undefined) {
      model.instances.delete(keyOf(taskId, placeholder.mapIndex));
      sink.drop(placeholder);
    }
    for (let index = from; index < length; index++)
      sink.touch(addRow(model, mapped, [...mapIndex, index], placeholder));
  }
  each(model, removed, (row) => {
    row.state = 'removed';
    row.endedAt = at;
    row.retryAt = null;
    row.reason = 'mapped over fewer';
    sink.touch(row);
  });
  each(model, restored, (row) => {
    resetTry(row);
    row.state = row.open ? 'restarting' : 'none';
    sink.touch(row);
  });
}

function each(model: RunModel, ranges: readonly InstanceRange[], change: (row: InstanceFoldRow) => void): void {
  for (const range of ranges) for (const path of pathsOf(range)) change(model.instance(range.taskId, path));
}

function addRow(
  model: RunModel,
  { task, ordinal }: MappedTask,
  path: MapIndex,
  placeholder: InstanceFoldRow | undefined,
): InstanceFoldRow {
  const row = newInstance(model.run, task.taskId, path.join('.'), ordinal, task);
  if (placeholder !== undefined) inherit(row, placeholder);
  model.instances.set(keyOf(task.taskId, row.mapIndex), row);
  return row;
}

/** What people set about the instances before there were any. */
function inherit(row: InstanceFoldRow, { held, priority, retries, maxTries }: InstanceFoldRow): void {
  Object.assign(row, { held, priority, retries, maxTries });
}

/** How many elements there are under a path, removed ones with them. */
function mappedLength(model: RunModel, { task: { taskId }, depth }: MappedTask, path: MapIndex): number {
  const has = (index: number): boolean => model.instances.has(keyOf(taskId, [...path, index].join('.')));
  if (path.length + 1 === depth) {
    let length = 0;
    while (has(length)) length++;
    return length;
  }
  const prefix = path.length === 0 ? `${taskId}[` : `${taskId}[${path.join('.')}.`;
  let length = 0;
  for (const [key, row] of model.instances)
    if (key.startsWith(prefix)) length = Math.max(length, Number(row.mapIndex.split('.')[path.length]) + 1);
  return length;
}
