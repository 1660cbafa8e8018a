import { SOURCE, type Expression, type Source } from '../authoring/source.ts';
import { Task } from '../authoring/task.ts';
import type { Session } from './attempt-context.ts';
import type { XComQuery } from './contract.ts';
import type { PullOptions, TaskContext } from './task-context.ts';
import { partOf } from './values.ts';

/** `isMany`: the list of what several instances have. */
export interface Pulled {
  readonly value: unknown;
  readonly isMany?: true;
}

type From = string | Source<unknown>;

export function xcomAccess(session: Session): TaskContext['xcom'] {
  const pull = async (from: From | readonly From[] = session.attempt.taskId, options: PullOptions = {}) => {
    if (!Array.isArray(from)) return (await pullFrom(session, from as From, options))?.value;
    const found = await Promise.all((from as readonly From[]).map((each) => pullFrom(session, each, options)));
    return found.flatMap((each) => (each?.isMany === true ? (each.value as unknown[]) : [each?.value]));
  };
  return { pull: pull as TaskContext['xcom']['pull'], push: (key, value) => session.xcoms.push(key, value) };
}

async function pullFrom(session: Session, from: From, options: PullOptions): Promise<Pulled | undefined> {
  const { key = 'return_value', mapIndex, mapIndexes, ...where } = options;
  const ref = typeof from === 'string' ? { kind: 'output', task: undefined, path: [] } : (from[SOURCE] as Expression);
  if (ref.kind !== 'output') return { value: await session.values.of(from as Source<unknown>) };
  const taskId = typeof from === 'string' ? from : ref.task!.taskId;
  const one = async (index: PullOptions['mapIndex']): Promise<Pulled | undefined> => {
    const at = index === undefined ? {} : { mapIndex: typeof index === 'object' ? index.join('.') : String(index) };
    const found = await pullXCom(session, { taskId, key, ...at, ...where });
    return found === undefined || ref.path.length === 0 ? found : { ...found, value: partOf(found.value, ref.path) };
  };
  if (mapIndexes === undefined) return one(mapIndex);
  const found = await Promise.all(mapIndexes.map(one));
  return { value: found.map((each) => each?.value), isMany: true };
}

/** Without a map index: of a task with many instances the list of all that this attempt sees. */
export async function pullXCom(session: Session, query: XComQuery): Promise<Pulled | undefined> {
  const { host, lookups, values, attempt, xcoms } = session;
  const { taskId, key, mapIndex, dagId, runId } = query;
  const isOwnRun = (dagId ?? attempt.dagId) === attempt.dagId && (runId ?? attempt.runId) === attempt.runId;
  if (isOwnRun && taskId === attempt.taskId && (mapIndex ?? '') === attempt.mapIndex.join('.')) {
    // What this attempt has pushed is not stored before it has ended.
    const pushed = xcoms.pushed(key);
    if (pushed !== undefined) return { value: pushed.value };
  }
  const task = host.dag.whoHas(taskId);
  if (mapIndex !== undefined || query.includePriorDates === true) return lookups.xcom(query);
  if (!isOwnRun) return elsewhere(session, query);
  if (!(task instanceof Task)) return lookups.xcom(query);
  const { under, isOne } = values.placeOf(task);
  if (!isOne) return { value: await values.all(taskId, under, key), isMany: true };
  return lookups.xcom(under.length === 0 ? query : { ...query, mapIndex: under.join('.') });
}

/** In another run it is not known what is mapped: what has values under map indexes is. */
async function elsewhere({ lookups }: Session, query: XComQuery): Promise<Pulled | undefined> {
  const single = await lookups.xcom(query);
  if (single !== undefined) return single;
  const { taskId, key, dagId, runId } = query;
  const all: unknown[] = [];
  const where = { ...(dagId === undefined ? {} : { dagId }), ...(runId === undefined ? {} : { runId }) };
  for await (const page of lookups.pages({ taskId, key, under: '', ...where })) all.push(...page);
  return all.length === 0 ? undefined : { value: all, isMany: true };
}
