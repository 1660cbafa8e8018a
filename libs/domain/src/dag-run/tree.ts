import { doneCount, newUpstreamCounts, type UpstreamCounts, type Verdict } from '../trigger-rule/index.ts';
import { compareMapIndex, isTerminal, type MapIndex } from '../task-instance/index.ts';
import type { TaskPlan } from './plan.ts';
import type { InstanceState, TaskRuntime } from './state.ts';

/** Where a task was mapped: its instances under one path. Derived, but for what its children are. */
export interface MapNode {
  readonly path: MapIndex;
  readonly parent: MapNode | undefined;
  readonly children: (MapNode | InstanceState)[];
  /** Children that the last mapping asked for; those beyond it are removed. */
  live: number;
  /** All instances under it by state; `total` counts them. */
  readonly tally: UpstreamCounts;
  /** Instances under it that have succeeded with a return value. */
  outputs: number;
  /** Decisions that skip everything under it. */
  skipVotes: number;
  gate: Gate | undefined;
}

/** What instances with the same upstream share: kept up to date edge by edge, never recounted. Derived. */
export interface Gate {
  readonly task: TaskPlan;
  /** The place that the gate stands for: all instances under it. */
  node: MapNode | InstanceState;
  /** Direct upstream instances by state. */
  readonly counts: UpstreamCounts;
  /** The same over the setups further up that must have succeeded. */
  readonly setups: UpstreamCounts;
  /** What was told to the instances last; undefined: nothing, or they depend on more than the verdict. */
  verdict: Verdict | undefined;
  /** In the list of what is to be looked at. */
  dirty: boolean;
}

export const isNode = (at: MapNode | InstanceState): at is MapNode => 'children' in at;

export function newGate(task: TaskPlan, node: MapNode | InstanceState): Gate {
  const [counts, setups] = [newUpstreamCounts(), newUpstreamCounts()];
  return { task, node, counts, setups, verdict: undefined, dirty: false };
}

export function newNode(path: MapIndex, parent: MapNode | undefined): MapNode {
  return {
    path,
    parent,
    children: [],
    live: 0,
    tally: newUpstreamCounts(),
    outputs: 0,
    skipVotes: 0,
    gate: undefined,
  };
}

/** Instances under a place, in the order of their map indexes. */
export function* leavesUnder(at: MapNode | InstanceState): Generator<InstanceState> {
  if (!isNode(at)) {
    yield at;
    return;
  }
  for (const child of at.children) {
    if (isNode(child)) yield* leavesUnder(child);
    else yield child;
  }
}

/** The place at the first `depth` elements of the path, or the instance that is not mapped so far. */
export function placeAt(task: TaskRuntime, path: MapIndex, depth = path.length): MapNode | InstanceState | undefined {
  let at: MapNode | InstanceState | undefined = task.root;
  for (let level = 0; level < depth && at !== undefined && isNode(at); level++) at = at.children[path[level]!];
  return at;
}

/** Instances at and under a path. */
export function leavesAt(task: TaskRuntime, path: MapIndex): Iterable<InstanceState> {
  const at = placeAt(task, path);
  return at === undefined ? [] : leavesUnder(at);
}

/** The gates of a task whose instances depend on what is at the first `depth` elements of the path. */
export function* gatesAt(task: TaskRuntime, path: MapIndex, depth: number): Generator<Gate> {
  const at = placeAt(task, path, depth);
  if (at !== undefined) yield* gatesUnder(at);
}

function* gatesUnder(at: MapNode | InstanceState): Generator<Gate> {
  if (!isNode(at)) yield at.gate;
  else if (at.gate !== undefined) yield at.gate;
  else for (const child of at.children) yield* gatesUnder(child);
}

/** How many instances there are under a place, and how many of them have ended. */
export function standOf(at: MapNode | InstanceState): { readonly total: number; readonly done: number } {
  if (isNode(at)) return { total: at.tally.total, done: doneCount(at.tally) };
  return { total: 1, done: isTerminal(at.state) ? 1 : 0 };
}

/** Two instances of one task in the order of their map indexes. */
export function isBefore(a: InstanceState, b: InstanceState): boolean {
  return compareMapIndex(a.mapIndex, b.mapIndex) < 0;
}
