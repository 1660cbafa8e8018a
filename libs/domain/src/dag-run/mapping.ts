import { assertNever } from '@rondo/kernel';
import type { LengthExpr } from '../dag/definition.ts';
import { doneCount } from '../trigger-rule/index.ts';
import type { InputValue, MapIndex } from '../task-instance/index.ts';
import { recount } from './gates.ts';
import { setHold, setPriority, setRetries } from './hold.ts';
import { sharedLevels, type MapScope } from './map-plan.ts';
import {
  isPlaceholder,
  look,
  lookGate,
  newInstance,
  type DagRunState,
  type InstanceState,
  type TaskRuntime,
} from './state.ts';
import { gatesAt, isNode, leavesUnder, newNode, placeAt, standOf, type Gate, type MapNode } from './tree.ts';
import { transition } from './transitions.ts';

/** A task or group is mapped so often at most, unless the platform is told otherwise. */
export const DEFAULT_MAX_MAP_LENGTH = 100_000;

/** The scope that the placeholder waits for. */
export function scopeOf(run: DagRunState, inst: InstanceState): MapScope {
  return run.plan.scopes[inst.task.levels[inst.mapIndex.length]!]!;
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

/** The state that a placeholder takes because what it is mapped over has not succeeded; whatever its trigger rule (§7). */
export function sourceVerdict(run: DagRunState, inst: InstanceState): 'upstream_failed' | 'skipped' | undefined {
  let isSkipped = false;
  for (const { task, shared } of scopeOf(run, inst).sources) {
    const place = placeAt(run.tasks[task]!, inst.mapIndex, Math.min(shared, inst.mapIndex.length));
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

/** True when mapping the scope at the path so often would change anything. */
export function isMappedOtherwise(run: DagRunState, scope: MapScope, path: MapIndex, length: number): boolean {
  return mappedAt(run, scope, path).some((node) => node.live !== length);
}

/** Where the tasks of a scope were mapped at a path. */
function mappedAt(run: DagRunState, scope: MapScope, path: MapIndex): MapNode[] {
  const places = scope.tasks.map((index) => placeAt(run.tasks[index]!, path));
  return places.filter(
    (place) => place !== undefined && isNode(place) && place.path.length === path.length,
  ) as MapNode[];
}

/** The first instances of what was mapped over nothing at last. */
export function emptied(run: DagRunState, scope: MapScope, path: MapIndex): InstanceState[] {
  return mappedAt(run, scope, path).flatMap((node) => (node.live === 0 ? [...leavesUnder(node.children[0]!)] : []));
}

/**
 * Folds TaskMapped: every placeholder of the scope at the path gives way to its instances. Where the scope was mapped before,
 * instances beyond the length are removed, missing ones made, and the others keep their states.
 */
export function evolveMapped(run: DagRunState, scopeId: string, path: MapIndex, length: number): void {
  const scope = run.plan.scopes.find((each) => each.id === scopeId);
  if (scope === undefined)
    throw new Error(`'${scopeId}' is mapped in the history and not in version ${run.plan.version}`);
  const changed: number[] = [];
  for (const index of scope.tasks) {
    const task = run.tasks[index]!;
    const place = placeAt(task, path);
    if (place === undefined) continue;
    if (isNode(place)) {
      if (place.path.length === path.length) resize(run, task, place, length);
    } else if (place.mapIndex.length === path.length && place.state === 'none') expand(run, task, place, length);
    else continue;
    changed.push(index);
  }
  recountAround(run, changed, path);
}

function expand(run: DagRunState, task: TaskRuntime, placeholder: InstanceState, length: number): void {
  const { parent, mapIndex, gate } = placeholder;
  const node = newNode(mapIndex, parent);
  node.skipVotes = placeholder.skipVotes;
  // The gate stays where instances part no further by what is upstream of them; deeper ones make gates of their own.
  if (gate.node === placeholder && mapIndex.length >= task.plan.gateDepth) {
    node.gate = gate;
    gate.node = node;
    gate.verdict = undefined;
  }
  placeholder.gone = true;
  run.ready.drop(placeholder);
  run.past.drop(placeholder);
  if (parent === undefined) task.root = node;
  else parent.children[mapIndex.at(-1)!] = node;
  count(run, task, parent, -1);
  resize(run, task, node, length);
  inherit(run, placeholder, node);
}

/** What people set about the instances before there were any. */
function inherit(run: DagRunState, placeholder: InstanceState, node: MapNode): void {
  const { onHold, priority, retries } = placeholder;
  setHold(run, placeholder, false);
  if (!onHold && priority === undefined && retries === undefined) return;
  for (const inst of leavesUnder(node)) {
    setHold(run, inst, onHold);
    setPriority(run, inst, priority);
    if (retries !== undefined) setRetries(inst, retries);
  }
}

function resize(run: DagRunState, task: TaskRuntime, node: MapNode, length: number): void {
  // What is mapped over nothing any more keeps its first instance: it stands for all, and is skipped.
  for (let at = Math.max(length, 1); at < node.live; at++)
    for (const inst of leavesUnder(node.children[at]!)) transition(run, inst, 'removed');
  for (let at = 0; at < length; at++) {
    const child = node.children[at];
    if (child === undefined) node.children[at] = addInstance(run, task, node, at);
    else if (at >= node.live)
      for (const inst of leavesUnder(child))
        if (inst.state === 'removed') transition(run, inst, inst.open ? 'restarting' : 'none');
  }
  node.live = length;
}

function addInstance(run: DagRunState, task: TaskRuntime, node: MapNode, at: number): InstanceState {
  const path = [...node.path, at];
  const inst = newInstance(task.plan, path, node, path.length > task.plan.gateDepth ? gateAbove(node) : undefined);
  inst.skipVotes = node.skipVotes;
  count(run, task, node, 1);
  look(run, inst);
  return inst;
}

function gateAbove(node: MapNode): Gate | undefined {
  for (let at: MapNode | undefined = node; at !== undefined; at = at.parent) if (at.gate !== undefined) return at.gate;
  return undefined;
}

/** An instance without a status comes or goes. */
function count(run: DagRunState, task: TaskRuntime, parent: MapNode | undefined, by: 1 | -1): void {
  task.size += by;
  run.unfinished += by;
  for (let above = parent; above !== undefined; above = above.parent) above.tally.total += by;
}

/** The gates of what was mapped, and of what comes after it. */
function recountAround(run: DagRunState, changed: readonly number[], path: MapIndex): void {
  const depths = new Map<number, number>(changed.map((index) => [index, path.length]));
  const widen = (index: number, shared: number): unknown =>
    depths.set(index, Math.min(depths.get(index) ?? path.length, shared));
  for (const index of changed) {
    const { downstream, indirectWork, shared } = run.plan.tasks[index]!;
    for (const [at, down] of downstream.entries()) widen(down, shared.downstream[at]!);
    for (const [at, work] of indirectWork.entries()) widen(work, shared.work[at]!);
  }
  for (const [index, depth] of depths)
    for (const gate of gatesAt(run.tasks[index]!, path, depth)) {
      recount(run.tasks, gate);
      lookGate(run, gate);
    }
}
