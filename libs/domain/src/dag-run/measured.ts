import { err, ok, type Json, type Result } from '@rondo/kernel';
import type { LengthExpr } from '../dag/definition.ts';
import type { XComValue } from '../task-instance/index.ts';
import type { MapScope } from './map-plan.ts';
import type { DagRunState, InstanceState } from './state.ts';

/** The lengths that others are mapped over, of a value that no child has measured; undefined where nobody is. */
export function measured(
  run: DagRunState,
  inst: InstanceState,
  payload: XComValue | undefined,
): Result<Readonly<Record<string, number>> | undefined> {
  const { mapsInto, def } = inst.task;
  const scopes = mapsInto.map((index) => run.plan.scopes[index]!).filter((scope) => readsOne(scope, inst));
  if (scopes.length === 0) return ok(undefined);
  const paths = scopes
    .flatMap((scope) => scope.expansion.over)
    .flatMap(({ length }) => [...pathsIn(length, def.taskId)]);
  const lengths: Record<string, number> = {};
  for (const path of paths) {
    const value = payload === undefined || 'blob' in payload ? undefined : valueAt(payload.value, path);
    if (typeof value !== 'object' || value === null)
      return err(
        `what the task returns is mapped over, and this is no list and no object in line${path.length === 0 ? '' : ` at ${JSON.stringify(path)}`}`,
      );
    lengths[JSON.stringify(path)] = sizeOf(value);
  }
  return ok(lengths);
}

/** Of the JSON that stands for a list, an object, a map or a set. */
function sizeOf(value: object): number {
  if (Array.isArray(value)) return value.length;
  const { $type: type, $value: inner } = value as { readonly $type?: unknown; readonly $value?: unknown };
  const isTagged = type !== undefined && typeof inner === 'object' && inner !== null;
  return isTagged ? sizeOf(inner) : Object.keys(value).length;
}

/** The scope is mapped over what one instance returned, not over the instances. */
function readsOne(scope: MapScope, { task }: InstanceState): boolean {
  return scope.sources.some((source) => source.task === task.index && source.shared === task.levels.length);
}

type Path = readonly (string | number)[];

function* pathsIn(expr: LengthExpr, taskId: string): Generator<Path> {
  if (expr.kind === 'output' && expr.taskId === taskId) yield expr.path;
  if (expr.kind === 'zip' || expr.kind === 'concat') for (const each of expr.of) yield* pathsIn(each, taskId);
}

function valueAt(value: Json, path: Path): unknown {
  let at: unknown = value;
  for (const part of path) at = (at as Readonly<Record<string | number, unknown>> | null | undefined)?.[part];
  return at;
}
