import type { TaskState } from '../task-instance/index.ts';

/**
 * How many of the upstream instances that an instance depends on are in which terminal state. Setups are counted here and
 * again in the `setup…` fields. Changed in place as upstream instances finish or are cleared, so that no rescan is needed.
 */
export interface UpstreamCounts {
  success: number;
  failed: number;
  upstreamFailed: number;
  skipped: number;
  removed: number;
  /** Finished or not; a mapped task that is not expanded yet counts as one. */
  total: number;
  setupTotal: number;
  setupSuccess: number;
  setupSkipped: number;
}

export function newUpstreamCounts(total = 0, setupTotal = 0): UpstreamCounts {
  return {
    success: 0,
    failed: 0,
    upstreamFailed: 0,
    skipped: 0,
    removed: 0,
    total,
    setupTotal,
    setupSuccess: 0,
    setupSkipped: 0,
  };
}

/** Counts an upstream instance in (`by` 1) or out (`by` -1) of a state; states that are not terminal are not counted. */
export function countUpstream(counts: UpstreamCounts, state: TaskState, isSetup: boolean, by: 1 | -1): void {
  switch (state) {
    case 'success':
      counts.success += by;
      if (isSetup) counts.setupSuccess += by;
      break;
    case 'failed':
      counts.failed += by;
      break;
    case 'upstream_failed':
      counts.upstreamFailed += by;
      break;
    case 'skipped':
      counts.skipped += by;
      if (isSetup) counts.setupSkipped += by;
      break;
    case 'removed':
      counts.removed += by;
      break;
    default:
  }
}

export function doneCount(c: UpstreamCounts): number {
  return c.success + c.failed + c.upstreamFailed + c.skipped + c.removed;
}
