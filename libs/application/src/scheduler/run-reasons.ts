import type { DagState, RunState } from '@rondo/domain';
import type { ReasonView } from '@rondo/contracts';
import type { Json } from '@rondo/kernel';

/** What keeps a run in its DAG's queue, rule by rule. */
export function queueReasons(dag: DagState, runId: string, now: number): Json[] {
  const runAfter = dag.queued.get(runId)?.requested?.runAfter ?? 0;
  const isDue = runAfter <= now;
  return [
    ...standReasons(dag, runId, 'queued'),
    ...roomReasons(dag, runId),
    {
      rule: 'run_after',
      passed: isDue,
      reason: isDue ? 'its time has come' : `waits until ${new Date(runAfter).toISOString()}`,
    },
  ].map((each) => ({ ...each }));
}

/** Whether a run that has started may begin tasks, or whether one that came back may start again. */
export function runReasons(dag: DagState, runId: string, state: RunState, now: number): Json[] {
  if (dag.queued.has(runId)) return queueReasons(dag, runId, now);
  return standReasons(dag, runId, state).map((each) => ({ ...each }));
}

function standReasons(dag: DagState, runId: string, state: RunState): ReasonView[] {
  const isHeld = dag.held.has(runId);
  return [
    { rule: 'run_state', passed: state === 'running', reason: `the run is ${state}` },
    { rule: 'dag_paused', passed: !dag.paused, reason: dag.paused ? 'the DAG is paused' : 'the DAG is not paused' },
    {
      rule: 'run_held',
      passed: !isHeld,
      reason: isHeld ? 'the run is held, until it is released' : 'the run is not held',
    },
  ];
}

/** Runs of a backfill have a limit of their own. */
export function roomReasons(dag: DagState, runId: string): ReasonView[] {
  const backfillId = dag.queued.get(runId)?.backfill?.backfillId;
  const backfill = backfillId === undefined ? undefined : dag.backfills.get(backfillId);
  const limit = backfill?.spec.maxActiveRuns ?? dag.scheduling?.maxActiveRuns ?? 0;
  const active = backfill?.active.size ?? dag.active.size - dag.backfills.activeRuns;
  const whose = backfill === undefined ? 'the DAG' : `backfill ${backfillId}`;
  const room = {
    rule: 'max_active_runs',
    passed: active < limit,
    reason: `${active} of ${limit} active runs of ${whose}`,
  };
  if (backfill === undefined) return [room];
  const isPaused = backfill.stand === 'paused';
  const reason = `backfill ${backfillId} is ${isPaused ? 'paused' : 'not paused'}`;
  return [{ rule: 'backfill_paused', passed: !isPaused, reason }, room];
}
