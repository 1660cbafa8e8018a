import { assertNever } from '@rondo/kernel';
import type { LengthExpr } from '../dag/definition.ts';
import { doneCount } from '../trigger-rule/index.ts';
import type { InputValue, MapIndex } from '../task-instance/index.ts';
import { sharedLevels, type MapScope } from './map-plan.ts';
import { isPlaceholder, look, type DagRunState, type InstanceState, type TaskRuntime } from './state.ts';
import { isNode, placeAt, standOf, type MapNode } from './tree.ts';

/** A task or group is mapped so often at most, unless the platform is told otherwise. */
export const DEFAULT_MAX_MAP_LENGTH = 100_000;

/** A scope that is to be mapped, and where. */
export interface MapPoint {
  readonly scope: MapScope;
  readonly path: MapIndex;
}

/** What is to be mapped before the instance may run: it is a placeholder, or is left of what was mapped over nothing. */
export function pointOf(run: DagRunState, inst: InstanceState): MapPoint | undefined {
  const { levels } = inst.task;
  let path = inst.mapIndex.length < levels.length ? inst.mapIndex : undefined;
  for (let at = inst.parent; at !== undefined; at = at.parent) if (at.live === 0) path = at.path;
  return path === undefined ? undefined : { scope: run.plan.scopes[levels[path.length]!]!, path };
}

/** How many instances a scope has at a place; undefined while a source has not said. */
export function lengthOf(run: DagRunState, scope: MapScope, path: MapIndex): number | undefined {
  let product = 1;
  for (const { length } of scope.expansion.over) {
    const each = measure(run, scope, path, length);
    if (each === undefined) return undefined;
    product *= each;
  }
  return product;
}

function measure(run: DagRunState, scope: MapScope, path: MapIndex, expr: LengthExpr): number | undefined {
  switch (expr.kind) {
    case 'literal':
      return expr.length;
    case 'output':
      return outputLength(run, scope, path, expr);
    case 'zip':
    case 'concat': {
      const lengths = expr.of.map((each) => measure(run, scope, path, each));
      if (!lengths.every((each) => each !== undefined)) return undefined;
      if (expr.kind === 'concat') return lengths.reduce((sum, each) => sum + each, 0);
      return expr.longest === true ? Math.max(0, ...lengths) : Math.min(...lengths);
    }
    default:
      return assertNever(expr, 'length');
  }
}

/** Of one instance the length that it told, 0 if it was marked and told none; of many: those that returned a value, once all have ended. */
function outputLength(
  run: DagRunState,
  scope: MapScope,
  path: MapIndex,
  { taskId, path: part }: Extract<LengthExpr, { kind: 'output' }>,
): number | undefined {
  const source = scope.sources.find(({ task }) => run.plan.tasks[task]!.def.taskId === taskId)!;
  const place = placeAt(run.tasks[source.task]!, path, Math.min(source.shared, path.length));
  if (place === undefined) return undefined;
  if (isNode(place)) return doneCount(place.tally) === place.tally.total ? place.outputs : undefined;
  if (isPlaceholder(place)) return undefined;
  return place.state === 'success' ? (place.lengths?.[JSON.stringify(part)] ?? 0) : undefined;
}

/** The state that an instance takes, not mapped yet, because what it is mapped over has not succeeded; whatever its trigger rule (§7). */
export function sourceVerdict(run: DagRunState, { scope, path }: MapPoint): 'upstream_failed' | 'skipped' | undefined {
  let isSkipped = false;
  for (const { task, shared } of scope.sources) {
    const place = placeAt(run.tasks[task]!, path, Math.min(shared, path.length));
    if (place === undefined || isNode(place)) continue;
    if (place.state === 'failed' || place.state === 'upstream_failed') return 'upstream_failed';
    isSkipped ||= place.state === 'skipped';
  }
  return isSkipped ? 'skipped' : undefined;
}

/** An instance that others are mapped over has ended, or is open again: places that it measures are looked at. */
export function sourceMoved(run: DagRunState, inst: InstanceState): void {
  for (const index of inst.task.mapsInto) {
    const scope = run.plan.scopes[index]!;
    const { shared } = scope.sources.find(({ task }) => task === inst.task.index)!;
    const depth = Math.min(shared, inst.mapIndex.length);
    const source = placeAt(run.tasks[inst.task.index]!, inst.mapIndex, depth)!;
    const { total, done } = standOf(source);
    if (done < total) continue;
    for (const task of scope.tasks)
      for (const place of placesOf(run.tasks[task]!, scope, inst.mapIndex.slice(0, depth))) {
        if (!isNode(place)) look(run, place);
        else run.remap.push({ scope: index, path: place.path });
      }
  }
}

/** Where a task is, or is to be, mapped by a scope, under a path. */
function* placesOf(task: TaskRuntime, scope: MapScope, under: MapIndex): Generator<MapNode | InstanceState> {
  const depth = scope.outer.length;
  const walk = function* (at: MapNode | InstanceState, level: number): Generator<MapNode | InstanceState> {
    if (!isNode(at) || level === depth) yield at;
    else for (const child of at.children) yield* walk(child, level + 1);
  };
  const at = placeAt(task, under, Math.min(under.length, depth));
  if (at !== undefined) yield* walk(at, Math.min(under.length, depth));
}

/** What an instance gets of a task that it takes as an input; undefined: nothing that is kept, so it is looked up. */
export function inputOf(run: DagRunState, inst: InstanceState, taskId: string): InputValue | undefined {
  const index = run.plan.indexOf.get(taskId);
  if (index === undefined) return undefined;
  const shared = Math.min(sharedLevels(run.plan.tasks[index]!.levels, inst.task.levels), inst.mapIndex.length);
  const place = placeAt(run.tasks[index]!, inst.mapIndex, shared);
  if (place === undefined) return undefined;
  return isNode(place) || isPlaceholder(place) ? { mapped: inst.mapIndex.slice(0, shared) } : place.output;
}
