import {
  compileMapping,
  type DagDefinition,
  type DagRunEvent,
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
  { scope, mapIndex, length, at }: Mapped,
  sink: RunSink,
): void {
  const version = (model.definition ??= definition);
  if (version === undefined) return;
  for (const mapped of tasksOf(version, scope)) {
    const { taskId } = mapped.task;
    const placeholder = model.instances.get(keyOf(taskId, mapIndex.join('.')));
    if (placeholder !== undefined && placeholder.state !== 'none') continue;
    if (placeholder !== undefined) {
      model.instances.delete(keyOf(taskId, placeholder.mapIndex));
      sink.drop(placeholder);
    } else if (!isMapped(model, mapped, mapIndex)) continue;
    else removeBeyond(model, mapped, mapIndex, Math.max(length, 1), at, sink);
    for (let index = 0; index < length; index++) {
      const path = [...mapIndex, index];
      const rows = placeholder === undefined ? rowsUnder(model, mapped, path) : [];
      if (rows.length === 0) sink.touch(addRow(model, mapped, path));
      for (const row of rows) if (row.state === 'removed') restore(row, sink);
    }
  }
}

const isMapped = (model: RunModel, mapped: MappedTask, path: MapIndex): boolean =>
  rowsUnder(model, mapped, [...path, 0]).length > 0;

function addRow(model: RunModel, { task, ordinal }: MappedTask, path: MapIndex): InstanceFoldRow {
  const row = newInstance(model.run, task.taskId, path.join('.'), ordinal, task);
  model.instances.set(keyOf(task.taskId, row.mapIndex), row);
  return row;
}

/** Rows at a path, or deeper where it was mapped further. */
function rowsUnder(model: RunModel, { task: { taskId }, depth }: MappedTask, path: MapIndex): InstanceFoldRow[] {
  const at = model.instances.get(keyOf(taskId, path.join('.')));
  if (at !== undefined) return [at];
  if (path.length >= depth) return [];
  const prefix = `${taskId}[${path.join('.')}.`;
  const rows: InstanceFoldRow[] = [];
  for (const [key, row] of model.instances) if (key.startsWith(prefix)) rows.push(row);
  return rows;
}

function removeBeyond(
  model: RunModel,
  mapped: MappedTask,
  path: MapIndex,
  keep: number,
  at: number,
  sink: RunSink,
): void {
  for (let index = keep; ; index++) {
    const rows = rowsUnder(model, mapped, [...path, index]);
    if (rows.length === 0) return;
    for (const row of rows) {
      if (row.state === 'removed') continue;
      row.state = 'removed';
      row.endedAt = at;
      row.retryAt = null;
      row.reason = 'mapped over fewer';
      sink.touch(row);
    }
  }
}

function restore(row: InstanceFoldRow, sink: RunSink): void {
  resetTry(row);
  row.state = row.open ? 'restarting' : 'none';
  sink.touch(row);
}
