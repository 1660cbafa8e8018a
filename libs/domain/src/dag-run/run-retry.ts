import { clearSelection } from '../graph/index.ts';
import { isTerminal, rangesOf } from '../task-instance/index.ts';
import { withFallbacks } from './block-fold.ts';
import type { Decision } from './decision.ts';
import type { DagRunEvent } from './events.ts';
import { sharedLevels } from './map-plan.ts';
import { leavesOf, type DagRunState, type InstanceState } from './state.ts';
import { leavesAt } from './tree.ts';

export type RunFailure = 'task_failure' | 'all_tasks_deadlocked' | 'timed_out';

/** As for tasks. */
export const DEFAULT_RUN_RETRY_DELAY_MS = 300_000;

/**
 * Begins the next try of a run that would fail now, if it may have one. Nobody hears of the failure: callbacks, waiters and the
 * DAG's count of failed runs see the end of the last try alone. A run of which nothing can be tried again is not.
 */
export function retryRun(d: Decision, reason: RunFailure): boolean {
  const { run, now } = d;
  const { runRetryDelayMs = DEFAULT_RUN_RETRY_DELAY_MS, runRetryMode, dagrunTimeoutMs } = run.plan.definition;
  if (run.tryNumber > run.maxTries) return false;
  const chosen = runRetryMode === 'all' ? everything(run) : fromFailures(run);
  const instances = chosen.filter(
    (inst) => inst.state !== 'none' && inst.state !== 'removed' && inst.state !== 'restarting',
  );
  if (instances.length === 0) return false;
  const retryAt = now + runRetryDelayMs;
  d.emit({
    type: 'RunRetried',
    data: {
      at: now,
      tryNumber: run.tryNumber + 1,
      retryAt,
      reason,
      ...(dagrunTimeoutMs === undefined ? {} : { deadline: retryAt + dagrunTimeoutMs }),
      instances: rangesOf(instances.map(({ task, mapIndex }) => ({ taskId: task.def.taskId, mapIndex }))),
    },
  });
  return true;
}

/** A run whose only failures were marked by hand has been decided by a person. */
function everything(run: DagRunState): InstanceState[] {
  const all = run.tasks.flatMap((task) => [...leavesOf(task)]);
  return all.some(isWorthATry) ? all : [];
}

const isWorthATry = ({ state, marked }: InstanceState): boolean =>
  (state === 'failed' && marked === undefined) || !isTerminal(state);

/**
 * What failed and nothing stands for, what fail-fast or a timeout cut off, and all that comes after, with the setups that it
 * works under. Of mapped groups those indexes alone.
 */
function fromFailures(run: DagRunState): InstanceState[] {
  const first = run.tasks
    .flatMap((task) => [...leavesOf(task)])
    .filter((inst) => !run.blocks.stoodFor.has(inst) && (isOfFailure(inst) || isWorthATry(inst)));
  if (!first.some(isWorthATry)) return [];
  const chosen = new Set(first);
  const spread = new Map<number, readonly number[]>();
  const seen = new Set<string>();
  for (const { task, mapIndex } of first) {
    let after = spread.get(task.index);
    if (after === undefined)
      spread.set(task.index, (after = clearSelection(run.plan.graph, [task.index], { downstream: true })));
    for (const index of after) {
      if (index === task.index) continue;
      const under = mapIndex.slice(0, sharedLevels(task.levels, run.plan.tasks[index]!.levels));
      const place = `${index}:${under.join('.')}`;
      if (seen.has(place)) continue;
      seen.add(place);
      for (const inst of leavesAt(run.tasks[index]!, under)) if (inst.marked !== 'byHand') chosen.add(inst);
    }
  }
  return withFallbacks(run, [...chosen]);
}

const isOfFailure = ({ state, marked }: InstanceState): boolean =>
  state === 'upstream_failed' || (marked === 'failFast' && (state === 'failed' || state === 'skipped'));

/** Folds RunRetried, but for its instances. */
export function foldRunRetried(
  run: DagRunState,
  { tryNumber, deadline }: Extract<DagRunEvent, { type: 'RunRetried' }>['data'],
): void {
  run.tryNumber = tryNumber;
  run.deadline = deadline;
  run.failing = false;
}
