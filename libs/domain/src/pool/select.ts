import { poolWait, type Pool } from './pool.ts';

/** An instance that is queued or running: it counts against every limit. */
export interface ActiveInstance {
  readonly runKey: string;
  readonly taskKey: string;
  readonly pool: string;
  readonly poolSlots: number;
}

/** An instance that is scheduled. */
export interface QueueCandidate extends ActiveInstance {
  readonly id: string;
  readonly priority: number;
  /** Epoch milliseconds; null for a run without one, which comes last. */
  readonly logicalDate: number | null;
  readonly mapIndex: number;
  readonly maxActiveTasks: number;
  readonly maxActivePerTask?: number;
  readonly maxActivePerTaskAndRun?: number;
}

export interface QueueLimits {
  readonly pools: ReadonlyMap<string, Pick<Pool, 'slots'>>;
  /** Slots held for other reasons than the active instances, for example by deferred ones. */
  readonly held?: ReadonlyMap<string, number>;
  /** Instances to queue at most. */
  readonly most: number;
}

/** Counters by key, from 0. */
class Counts {
  private readonly byKey = new Map<string, number>();

  of(key: string): number {
    return this.byKey.get(key) ?? 0;
  }

  add(key: string, n: number): void {
    this.byKey.set(key, this.of(key) + n);
  }
}

/**
 * Which candidates are queued now, in this order: by priority, then logical date, then map index. One that a limit holds back
 * is passed over, and holds nobody else back.
 */
export function selectForQueue<Candidate extends QueueCandidate>(
  candidates: readonly Candidate[],
  active: readonly ActiveInstance[],
  limits: QueueLimits,
): Candidate[] {
  const [slots, runs, tasks, tasksOfRuns] = [new Counts(), new Counts(), new Counts(), new Counts()];
  for (const [pool, n] of limits.held ?? []) slots.add(pool, n);
  const take = (instance: ActiveInstance): void => {
    slots.add(instance.pool, instance.poolSlots);
    runs.add(instance.runKey, 1);
    tasks.add(instance.taskKey, 1);
    tasksOfRuns.add(pairOf(instance), 1);
  };
  active.forEach(take);
  const taken: Candidate[] = [];
  for (const each of candidates.toSorted(inOrder)) {
    if (taken.length >= limits.most) break;
    const { pool, poolSlots, runKey, taskKey } = each;
    if (poolWait(pool, limits.pools.get(pool), slots.of(pool), poolSlots) !== undefined) continue;
    if (runs.of(runKey) >= each.maxActiveTasks) continue;
    if (tasks.of(taskKey) >= (each.maxActivePerTask ?? Infinity)) continue;
    if (tasksOfRuns.of(pairOf(each)) >= (each.maxActivePerTaskAndRun ?? Infinity)) continue;
    take(each);
    taken.push(each);
  }
  return taken;
}

const pairOf = ({ runKey, taskKey }: ActiveInstance): string => JSON.stringify([runKey, taskKey]);

function inOrder(a: QueueCandidate, b: QueueCandidate): number {
  if (a.priority !== b.priority) return b.priority - a.priority;
  const [dateOfA, dateOfB] = [a.logicalDate ?? Infinity, b.logicalDate ?? Infinity];
  if (dateOfA !== dateOfB) return dateOfA - dateOfB;
  return a.mapIndex - b.mapIndex;
}
