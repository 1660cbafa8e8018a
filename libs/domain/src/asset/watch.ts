import type { TimetableSpec } from '../schedule/types.ts';
import { assetLeaves, evaluateAssets, leafName, type AssetExpression, type AssetLeaf } from './condition.ts';

/** Events of one asset in a row, by their revisions in its stream, that count for one partition of a DAG. */
export interface AssetEventRange {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  /** Of the last of them: when it occurred (epoch milliseconds), and its position in the whole history. */
  readonly at: number;
  readonly position: number;
  /** The partition of the DAG that they count for. */
  readonly key?: string;
}

/** What a DAG begins to wait for: events after these revisions count. */
export interface AssetsWatched {
  /** By the asset's name; -1: it has no event yet. */
  readonly assets: Readonly<Record<string, number>>;
  /** What aliases and URIs of the condition stand for, by `watchKey`. */
  readonly resolved?: Readonly<Record<string, readonly string[]>>;
}

/** What a DAG has heard of the assets that it waits for: folded from its stream, in place. */
export interface AssetQueue {
  /** The revision of each asset up to which its events are accounted for. */
  readonly seen: Map<string, number>;
  readonly resolved: Map<string, Set<string>>;
  /** Events that no run has consumed, by partition (`''`: none) and asset. */
  readonly waiting: Map<string, Map<string, AssetEventRange[]>>;
}

export const newAssetQueue = (): AssetQueue => ({ seen: new Map(), resolved: new Map(), waiting: new Map() });

/** The condition of a timetable that waits for assets. */
export function assetsOf(timetable: TimetableSpec | undefined): AssetExpression | undefined {
  return timetable?.kind === 'asset' || timetable?.kind === 'asset_or_time' ? timetable.assets : undefined;
}

/** `alias latest`, `uri s3://bucket/key`. */
export const watchKey = (leaf: AssetLeaf): string => `${leaf.kind} ${leafName(leaf)}`;

/** The names that a leaf stands for, as far as they are known. */
export function namesOf(queue: AssetQueue, leaf: AssetLeaf): Iterable<string> {
  return leaf.kind === 'asset' ? [leaf.name] : (queue.resolved.get(watchKey(leaf)) ?? []);
}

/** A new condition: what it still waits for keeps its place and its events, the rest is forgotten. */
export function retarget(queue: AssetQueue, condition: AssetExpression | undefined, watched: AssetsWatched): void {
  const leaves = condition === undefined ? [] : assetLeaves(condition);
  const keys = new Set(leaves.map(watchKey));
  for (const key of queue.resolved.keys()) if (!keys.has(key)) queue.resolved.delete(key);
  watch(queue, watched);
  const wanted = new Set(leaves.flatMap((leaf) => [...namesOf(queue, leaf)]));
  for (const name of queue.seen.keys()) if (!wanted.has(name)) queue.seen.delete(name);
  for (const [key, assets] of queue.waiting) {
    for (const name of assets.keys()) if (!wanted.has(name)) assets.delete(name);
    if (assets.size === 0) queue.waiting.delete(key);
  }
}

export function watch(queue: AssetQueue, { assets, resolved = {} }: AssetsWatched): void {
  for (const [name, revision] of Object.entries(assets)) if (!queue.seen.has(name)) queue.seen.set(name, revision);
  for (const [key, names] of Object.entries(resolved)) {
    const known = queue.resolved.get(key) ?? new Set();
    for (const name of names) known.add(name);
    queue.resolved.set(key, known);
  }
}

export function passOver(queue: AssetQueue, { name, to }: { readonly name: string; readonly to: number }): void {
  queue.seen.set(name, Math.max(queue.seen.get(name) ?? -1, to));
}

export function enqueue(queue: AssetQueue, range: AssetEventRange): void {
  passOver(queue, range);
  const key = range.key ?? '';
  const assets = queue.waiting.get(key) ?? new Map<string, AssetEventRange[]>();
  queue.waiting.set(key, assets);
  const ranges = assets.get(range.name);
  if (ranges === undefined) assets.set(range.name, [range]);
  else if (ranges.at(-1)!.to + 1 === range.from) ranges.push({ ...range, from: ranges.pop()!.from });
  else ranges.push(range);
}

/** Drops what waits of these assets; of one partition, or of all. */
export function dropWaiting(queue: AssetQueue, names: readonly string[], partitionKey?: string): void {
  for (const [key, assets] of queue.waiting) {
    if (partitionKey !== undefined && key !== partitionKey) continue;
    for (const name of names) assets.delete(name);
    if (assets.size === 0) queue.waiting.delete(key);
  }
}

/** Is the condition true for what waits in this partition? */
export function isComplete(queue: AssetQueue, condition: AssetExpression, key = ''): boolean {
  const assets = queue.waiting.get(key);
  if (assets === undefined) return false;
  return evaluateAssets(condition, (leaf) => [...namesOf(queue, leaf)].some((name) => assets.has(name)));
}

/** How many events wait in a partition, and the time and position of the last of them. */
export function summaryOf(
  queue: AssetQueue,
  key = '',
): { readonly count: number; readonly at: number; readonly through: number } {
  let [count, at, through] = [0, 0, 0];
  for (const ranges of queue.waiting.get(key)?.values() ?? [])
    for (const range of ranges) {
      count += range.to - range.from + 1;
      at = Math.max(at, range.at);
      through = Math.max(through, range.position);
    }
  return { count, at, through };
}
