import { rangesOf, type MapIndex } from '../task-instance/index.ts';
import type { DagRunEvent } from './events.ts';
import { recount } from './gates.ts';
import { setHold, setRetries } from './hold.ts';
import type { MapScope } from './map-plan.ts';
import { look, lookGate, newInstance, type DagRunState, type InstanceState, type TaskRuntime } from './state.ts';
import { gatesAt, isNode, leavesUnder, newNode, placeAt, type Gate, type MapNode } from './tree.ts';

/** True when mapping the scope at the path so often would change anything. */
export function isMappedOtherwise(run: DagRunState, scope: MapScope, path: MapIndex, length: number): boolean {
  return mappedAt(run, scope, path).some((node) => node.live !== length);
}

/** Where the tasks of a scope were mapped at a path, unless a mapping further out has taken that away. */
function mappedAt(run: DagRunState, scope: MapScope, path: MapIndex): MapNode[] {
  const places = scope.tasks.map((index) => placeAt(run.tasks[index]!, path));
  return places.filter(
    (place) => place !== undefined && isNode(place) && place.path.length === path.length && isAskedFor(place),
  ) as MapNode[];
}

function isAskedFor({ parent, path }: MapNode): boolean {
  return parent === undefined || (path.at(-1)! < Math.max(parent.live, 1) && isAskedFor(parent));
}

/** The first instances of what was mapped over nothing at last. */
export function emptied(run: DagRunState, scope: MapScope, path: MapIndex): InstanceState[] {
  return mappedAt(run, scope, path).flatMap((node) => (node.live === 0 ? [...leavesUnder(node.children[0]!)] : []));
}

type Mapped = Omit<Extract<DagRunEvent, { type: 'TaskMapped' }>['data'], 'at'>;

/**
 * What mapping a scope so often comes to: where it was mapped before, instances beyond the length are removed, and the
 * others keep their states. What is mapped over nothing any more keeps its first instance: it stands for all, and is skipped.
 */
export function mappingOf(run: DagRunState, scope: MapScope, path: MapIndex, length: number): Mapped {
  const nodes = mappedAt(run, scope, path);
  const removed = nodes.flatMap(({ children, live }) =>
    children.slice(Math.max(length, 1), live).flatMap((child) => [...leavesUnder(child)]),
  );
  const restored = nodes.flatMap(({ children, live }) => children.slice(live, length).flatMap(wanted));
  const ranges = (key: string, instances: readonly InstanceState[]) => {
    const named = instances.map(({ task, mapIndex }) => ({ taskId: task.def.taskId, mapIndex }));
    return named.length === 0 ? {} : { [key]: rangesOf(named) };
  };
  return {
    scope: scope.id,
    mapIndex: path,
    length,
    ...ranges(
      'removed',
      removed.filter((inst) => inst.state !== 'removed'),
    ),
    ...ranges(
      'restored',
      restored.filter((inst) => inst.state === 'removed'),
    ),
  };
}

/** Instances that the mappings further in still ask for. */
function wanted(at: MapNode | InstanceState): InstanceState[] {
  return isNode(at) ? at.children.slice(0, Math.max(at.live, 1)).flatMap(wanted) : [at];
}

/** Folds the shape of TaskMapped: every placeholder of the scope at the path gives way to its instances, and missing ones are made. */
export function evolveMapped(run: DagRunState, { scope: scopeId, mapIndex: path, length }: Mapped): void {
  const scope = run.plan.scopes.find((each) => each.id === scopeId);
  if (scope === undefined) {
    // An earlier version of the run had it.
    if (run.started?.version !== run.plan.version) return;
    throw new Error(`'${scopeId}' is mapped in the history and not in version ${run.plan.version}`);
  }
  const changed: number[] = [];
  for (const index of scope.tasks) {
    const task = run.tasks[index]!;
    const place = placeAt(task, path);
    if (place === undefined) continue;
    if (isNode(place)) {
      if (place.path.length === path.length) resize(run, task, place, length);
    } else if (place.mapIndex.length === path.length && place.state === 'none' && length > 0)
      expand(run, task, place, length);
    else {
      // Mapped over nothing it stays what it is, and is skipped.
      look(run, place);
      continue;
    }
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
    inst.priority = priority;
    if (retries !== undefined) setRetries(inst, retries);
  }
}

/** What comes back was not mapped while it was away: it gets the lengths of now. */
function lookAtMappings(run: DagRunState, task: TaskRuntime, at: MapNode | InstanceState): void {
  if (!isNode(at)) return;
  run.remap.push({ scope: task.plan.levels[at.path.length]!, path: at.path });
  for (const child of at.children) lookAtMappings(run, task, child);
}

function resize(run: DagRunState, task: TaskRuntime, node: MapNode, length: number): void {
  for (const child of node.children.slice(Math.max(node.live, 1), length)) lookAtMappings(run, task, child);
  for (let at = node.children.length; at < length; at++) node.children.push(addInstance(run, task, node, at));
  node.live = length;
  // What stands for all is looked at: it is skipped where nothing is left.
  if (length === 0) for (const inst of leavesUnder(node.children[0]!)) look(run, inst);
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
