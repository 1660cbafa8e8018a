/** What the progress of a run is drawn from. Rows of the read models and answers of the API both fit. Times are epoch milliseconds. */
export interface ProgressRun {
  readonly dagId: string;
  readonly runId: string;
  readonly state: string;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  /** Why it ended as it did, where that is known. */
  readonly reason?: string | null;
}

export interface ProgressTask {
  readonly taskId: string;
  /** `''` for a task that is not mapped, else `3`, `2.5`. */
  readonly mapIndex: string;
  readonly state: string;
  /** 0 before the first try. */
  readonly tryNumber: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly reason?: string | null;
  /** Ids of the direct upstream tasks; without them every task stands at the first level. */
  readonly upstream?: readonly string[];
}

/** One step of a run or of one of its task instances. */
export interface ProgressChange {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly run: ProgressRun;
  /** Absent: the run itself changed. */
  readonly task?: ProgressTask;
}

export const taskName = (task: ProgressTask): string =>
  task.mapIndex === '' ? task.taskId : `${task.taskId}[${task.mapIndex}]`;

const FINISHED = new Set(['success', 'failed', 'skipped', 'upstream_failed', 'removed']);
export const isFinished = (state: string): boolean => FINISHED.has(state);

/** Milliseconds that it has run for, up to `now` while it is not over; undefined before it started. */
export function elapsed(
  item: { readonly startedAt: number | null; readonly endedAt: number | null },
  now: number,
): number | undefined {
  return item.startedAt === null ? undefined : Math.max(0, (item.endedAt ?? now) - item.startedAt);
}
