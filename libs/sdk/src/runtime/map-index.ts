import type { TaskGroup } from '../authoring/task-group.ts';
import type { Task } from '../authoring/task.ts';
import { renderWith, type Session } from './attempt-context.ts';
import { itemsOf } from './lists.ts';
import { kindOf, partOf } from './values.ts';

const NAME = 250;

/** A task returned what cannot be mapped over, although something is. */
export class UnmappableReturnValue extends Error {
  override readonly name = 'UnmappableReturnValue';
}

/** How many items there are of each thing that something is mapped over; undefined: nothing is. Throws for what has none. */
export function lengthsOf({ feeds }: Task, value: unknown): Readonly<Record<string, number>> | undefined {
  if (feeds.size === 0) return undefined;
  const lengths: Record<string, number> = {};
  for (const [key, { path, by }] of feeds) {
    const part = partOf(value, path);
    const items = itemsOf(part);
    if (items === undefined)
      throw new UnmappableReturnValue(
        `'${by}' is mapped over ${path.length === 0 ? 'what this task returns' : `${path.join('.')} of what this task returns`}, which is ${kindOf(part)}; allowed: a list or an object`,
      );
    lengths[key] = items.length;
  }
  return lengths;
}

/** The mapped arguments by their names, for the template of an instance's name. */
export function argumentNames(task: Task, args: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const [first] = Array.isArray(args['args']) ? (args['args'] as readonly unknown[]) : [];
  const named = typeof first === 'object' && first !== null && !Array.isArray(first) ? first : {};
  return { ...args, ...(task.templateFields.includes('args') ? named : {}) };
}

/** The name of the instance beside its map index; undefined: it has none. */
export async function mapIndexNameOf(
  session: Session,
  names: Readonly<Record<string, unknown>>,
): Promise<string | undefined> {
  const { task, attempt, host } = session;
  const template = templateOf(task);
  if (template === undefined || attempt.mapIndex.length === 0) return undefined;
  const all = { ...(await session.values.groupArguments()), ...names };
  const name = String(await renderWith(session, template, { field: 'mapIndexTemplate', native: false, names: all }));
  return (host.mask?.(name) ?? name).slice(0, NAME);
}

/** The task's own, or that of the innermost mapped group that has one. */
export function templateOf(task: Task | undefined): string | undefined {
  if (task?.attributes.mapIndexTemplate !== undefined) return task.attributes.mapIndexTemplate;
  for (let group: TaskGroup | undefined = task?.group; group !== undefined; group = group.parent)
    if (group.mapIndexTemplate !== undefined) return group.mapIndexTemplate;
  return undefined;
}

/** Undefined where it fails: a name is not worth an attempt that has not begun or has failed. */
export async function quietly<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch {
    return undefined;
  }
}
