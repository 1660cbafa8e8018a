/** The previous run as one task looks at it. Nothing is counted before the rule asks for it. */
export interface PreviousRun {
  readonly runId: string;
  /** Epoch milliseconds. */
  readonly logicalDate: number;
  /** The run is closed: what has not passed will not, unless somebody clears or marks it. */
  readonly hasEnded: boolean;
  /** Every instance of the task, over all map indexes, is success or skipped; undefined: the run has no instance of it. */
  readonly passed: () => boolean | undefined;
  /** Every instance of every task directly below is success or skipped. */
  readonly downstreamPassed: () => boolean;
  /** An older run has an instance of the task. */
  readonly ranBefore: () => boolean;
}

export interface PastQuestion {
  readonly taskId: string;
  readonly dependsOnPast: boolean;
  /** Forces `dependsOnPast`. */
  readonly waitForDownstream: boolean;
  /** The first run that has the task waits for nothing. */
  readonly ignoreFirst: boolean;
  /** The run was asked for with past-dependence ignored. */
  readonly isIgnored: boolean;
  readonly isFirstOfBackfill: boolean;
  readonly catchup: boolean;
  readonly startDate: number | undefined;
  /** Undefined: none. */
  readonly previous: PreviousRun | undefined;
}

/** A run that a decision relied on, and the revision of its stream at which it was looked at. */
export interface PastReliance {
  readonly runId: string;
  readonly revision: number;
}

export type PastVerdict =
  | {
      readonly met: true;
      /** A skip that waits for the past may be written (`past_depends_met`). */
      readonly allowsSkip: boolean;
      readonly reason: string;
      /** The instances of the previous run decided it. */
      readonly relied: boolean;
      readonly on?: PastReliance;
    }
  | {
      readonly met: false;
      readonly allowsSkip: false;
      readonly reason: string;
      /** The previous instance did not pass, and its run is closed. */
      readonly isFinal: boolean;
    };

export const met = (reason: string, relied = false, allowsSkip = true): PastVerdict => ({
  met: true,
  allowsSkip,
  reason,
  relied,
});
const unmet = (reason: string, isFinal: boolean): PastVerdict => ({ met: false, allowsSkip: false, reason, isFinal });

/** Whether the past of an instance lets it run. The order of the checks decides. */
export function evaluatePast(q: PastQuestion): PastVerdict {
  if (q.isIgnored) return met('the run ignores the past');
  if (!q.dependsOnPast && !q.waitForDownstream) return met('the task does not depend on its past');
  if (q.isFirstOfBackfill) return met('the first run of a backfill', false, false);
  const { previous } = q;
  if (previous === undefined) return met('there is no previous run');
  if (q.catchup && q.startDate !== undefined && previous.logicalDate < q.startDate)
    return met(`the previous run '${previous.runId}' lies before the start date`);
  const passed = previous.passed();
  const task = `task '${q.taskId}' of the previous run '${previous.runId}'`;
  if (passed === undefined)
    return q.ignoreFirst && !previous.ranBefore()
      ? met(`the task is new since run '${previous.runId}'`)
      : unmet(`${task} has not run`, false);
  if (!passed)
    return unmet(`${task} ${previous.hasEnded ? 'did not succeed' : 'has not succeeded'}`, previous.hasEnded);
  if (q.waitForDownstream && !previous.downstreamPassed())
    return unmet(
      `what is directly below ${task} ${previous.hasEnded ? 'did not all succeed' : 'has not all succeeded'}`,
      previous.hasEnded,
    );
  return met(`${task} succeeded or was skipped`, true);
}

export interface BackfillShape {
  readonly dependsOnPast: boolean;
  readonly reverse: boolean;
  readonly reprocess: 'none' | 'failed' | 'completed';
}

/** A backfill of tasks that depend on their past goes forwards, and over runs that failed; undefined: nothing against it. */
export function backfillRefusal(backfill: BackfillShape): 'reverse' | 'reprocess' | undefined {
  if (!backfill.dependsOnPast) return undefined;
  if (backfill.reverse) return 'reverse';
  return backfill.reprocess === 'none' ? 'reprocess' : undefined;
}
