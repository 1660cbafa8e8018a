import type { Interval, RunType } from '../dag/events.ts';
import { nextRun } from './next-run.ts';
import type { TimetableSpec } from './types.ts';

export interface LatestQuery {
  readonly runType: RunType;
  /** Null for a run without one: `runAfter` stands for it. */
  readonly dataInterval: Interval | null;
  readonly runAfter: number;
  readonly now: number;
  /**
   * What a timetable whose intervals have no length says: `always` counts each of its runs as the latest,
   * `until_next` only until the following tick. Default `always`.
   */
  readonly zeroLength?: 'always' | 'until_next';
}

/**
 * Whether a run is the latest of its schedule: a manual one always is, another one while now is inside the interval that
 * follows its own (the start excluded, the end included), and when nothing follows.
 */
export function isLatest(
  spec: TimetableSpec,
  { runType, dataInterval, runAfter, now, zeroLength = 'always' }: LatestQuery,
): boolean {
  if (runType === 'manual') return true;
  const own = dataInterval ?? ([runAfter, runAfter] as const);
  const following = nextRun(spec, { now, last: own, restriction: { earliest: own[1], latest: null, catchup: true } });
  if (following === null) return true;
  const [start, end] = following.dataInterval;
  if (start < end) return start < now && now <= end;
  return zeroLength === 'always' || now <= end;
}
