import {
  assetLeaves,
  assetsOf,
  isComplete,
  namesOf,
  summaryOf,
  watchKey,
  type AssetEventRange,
  type AssetLeaf,
  type AssetsWatched,
} from '../asset/index.ts';
import { sha1Hex } from '../retry/sha1.ts';
import { mapPartitionKey, runIdFor, type TimetableSpec } from '../schedule/index.ts';
import type { DagDecision } from './decision.ts';
import type { DagState } from './state.ts';
import { openRuns } from './timetable.ts';

/** What is known of assets and aliases outside of the DAG. */
export interface AssetDirectory {
  /** The revision of the asset's last event; -1 before the first. */
  headOf(name: string): number;
  /** What an alias or a URI stands for, with the revision after which the asset's events count for it. */
  resolve(leaf: AssetLeaf): readonly { readonly name: string; readonly after: number }[];
}

export const NO_ASSETS: AssetDirectory = { headOf: () => -1, resolve: () => [] };

/** One event of an asset that the DAG waits for. */
export interface AssetArrival {
  readonly name: string;
  readonly revision: number;
  readonly position: number;
  readonly at: number;
  readonly partitionKey?: string;
}

/** JSON bytes of ranges that one event carries at most (I7). */
const RANGES_BYTES = 48_000;

/** Where a new version begins to listen: at the head of each asset that the DAG did not wait for before. */
export function watchedFrom(
  dag: DagState,
  timetable: TimetableSpec,
  directory: AssetDirectory,
): AssetsWatched | undefined {
  const condition = assetsOf(timetable);
  if (condition === undefined) return undefined;
  const assets: Record<string, number> = {};
  const resolved: Record<string, readonly string[]> = {};
  for (const leaf of assetLeaves(condition)) {
    const names = leaf.kind === 'asset' ? [leaf.name] : directory.resolve(leaf).map(({ name }) => name);
    if (leaf.kind !== 'asset' && names.length > 0) resolved[watchKey(leaf)] = names;
    for (const name of names) if (!dag.assets.seen.has(name)) assets[name] = directory.headOf(name);
  }
  return { assets, ...(Object.keys(resolved).length === 0 ? {} : { resolved }) };
}

/** Aliases and URIs of the condition that have come to stand for an asset since the DAG was published. */
export function watchResolved(d: DagDecision, directory: AssetDirectory): void {
  const { assets: queue, scheduling } = d.dag;
  const condition = assetsOf(scheduling?.timetable);
  if (condition === undefined) return;
  for (const leaf of assetLeaves(condition)) {
    if (leaf.kind === 'asset') continue;
    const known = new Set(namesOf(queue, leaf));
    for (const { name, after } of directory.resolve(leaf)) {
      if (known.has(name)) continue;
      const assets = queue.seen.has(name) ? {} : { [name]: after };
      d.emit({ type: 'AssetsWatched', data: { assets, resolved: { [watchKey(leaf)]: [name] } } });
    }
  }
}

/**
 * Events of assets in the order of their streams: each is queued, or passed over with the reason, once. They are told in
 * that order too, so that a history which ends in between has skipped none.
 */
export function hearAssets(d: DagDecision, arrivals: readonly AssetArrival[]): void {
  const { dag } = d;
  const heard = new Map(dag.assets.seen);
  let ranges: AssetEventRange[] = [];
  let reason: string | undefined;
  let bytes = 0;
  const tell = (): void => {
    if (ranges.length === 0) return;
    if (reason === undefined) d.emit({ type: 'AssetEventsQueued', data: { events: ranges } });
    else d.emit({ type: 'AssetEventsPassed', data: { events: ranges, reason } });
    [ranges, bytes] = [[], 0];
  };
  for (const arrival of arrivals) {
    const { name, revision, at, position } = arrival;
    if (revision <= (heard.get(name) ?? Number.POSITIVE_INFINITY)) continue;
    heard.set(name, revision);
    const place = partitionOf(dag, arrival);
    if (place.passed !== reason || bytes > RANGES_BYTES) tell();
    reason = place.passed;
    const range = { name, from: revision, to: revision, at, position };
    bytes += extend(ranges, place.key === undefined ? range : { ...range, key: place.key });
  }
  tell();
}

/** The partition of the DAG that an event counts for, or why it counts for none. */
function partitionOf(
  dag: DagState,
  { name, partitionKey }: AssetArrival,
): { readonly key?: string; readonly passed?: string } {
  if (dag.paused) return { passed: 'the DAG is paused' };
  if (dag.retired) return { passed: 'the DAG is retired' };
  const timetable = dag.scheduling?.timetable;
  const partitions = timetable?.kind === 'asset' ? timetable.partitions : undefined;
  if (partitions === undefined) {
    if (partitionKey === undefined) return {};
    return { passed: 'the event is of a partition, and the DAG is not partitioned' };
  }
  if (partitionKey === undefined) return { passed: 'the event is of no partition, and the DAG is partitioned' };
  const { mapper, ...mapping } = partitions.byAsset?.[name] ?? partitions.mapping;
  const mapped = mapPartitionKey(mapper, partitionKey, mapping);
  return mapped.ok ? { key: mapped.value } : { passed: mapped.error };
}

/** Events in a row, for the same partition, are one range. Answers by how many bytes of JSON the list grew. */
function extend(ranges: AssetEventRange[], next: AssetEventRange): number {
  const last = ranges.at(-1);
  if (last?.name !== next.name || last.to + 1 !== next.from || last.key !== next.key) {
    ranges.push(next);
    return JSON.stringify(next).length + 1;
  }
  ranges[ranges.length - 1] = { ...next, from: last.from };
  return 0;
}

/** Deletes what waits of the named assets, or of all. Answers how many events that were. */
export function deleteQueuedAssets(d: DagDecision, names?: readonly string[], partitionKey?: string): number {
  const { waiting } = d.dag.assets;
  const found = new Set<string>();
  let count = 0;
  for (const [key, assets] of waiting)
    for (const [name, ranges] of assets) {
      if (names?.includes(name) === false || (partitionKey !== undefined && key !== partitionKey)) continue;
      found.add(name);
      for (const range of ranges) count += range.to - range.from + 1;
    }
  if (count > 0)
    d.emit({
      type: 'AssetQueueDeleted',
      data: { names: [...found], ...(partitionKey === undefined ? {} : { partitionKey }) },
    });
  return count;
}

/** Asks for the runs whose condition is true: one that consumes all that waits, or one for each partition. */
export function requestAssetRuns(d: DagDecision): void {
  const { dag } = d;
  const timetable = dag.scheduling?.timetable;
  const condition = assetsOf(timetable);
  if (condition === undefined || dag.paused || dag.retired) return;
  const isPartitioned = timetable?.kind === 'asset' && timetable.partitions !== undefined;
  if (!isPartitioned && openRuns(dag) >= dag.scheduling!.maxActiveRuns) return;
  for (const key of [...dag.assets.waiting.keys()])
    if ((key !== '') === isPartitioned && isComplete(dag.assets, condition, key)) requestAssetRun(d, key);
}

function requestAssetRun(d: DagDecision, key: string): void {
  const { count, at, through } = summaryOf(d.dag.assets, key);
  const runAfter = Math.min(at, d.now);
  // Positions only grow, so that no other run of the DAG has this suffix.
  const suffix = sha1Hex(`${d.dag.dagId}:${through}:${key}`).slice(0, 8);
  d.emit({
    type: 'RunRequested',
    data: {
      runId: runIdFor('asset_triggered', runAfter, suffix, key === '' ? undefined : key),
      runType: 'asset_triggered',
      logicalDate: null,
      dataInterval: null,
      runAfter,
      triggeredBy: 'asset',
      assetEvents: { count, through },
      ...(key === '' ? {} : { partitionKey: key }),
    },
  });
}
