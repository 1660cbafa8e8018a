import { err, ok, type Result } from '@rondo/kernel';
import type { DagDecision, DagRefusal } from '../dag/decision.ts';
import { BACKFILL_CANCELLED } from '../dag/runs.ts';
import type { BackfillState } from './state.ts';

/** A paused backfill takes no dates and starts none of its runs; those that are active go on. */
export function pauseBackfill(d: DagDecision, backfillId: number, paused: boolean): Result<void, DagRefusal> {
  const backfill = open(d, backfillId, paused ? 'paused' : 'resumed');
  if (!backfill.ok) return backfill;
  if ((backfill.value.stand === 'paused') !== paused)
    d.emit({ type: paused ? 'BackfillPaused' : 'BackfillResumed', data: { backfillId } });
  return ok(undefined);
}

/** Its runs that wait are failed, its active runs go on, its other dates get none. */
export function cancelBackfill(d: DagDecision, backfillId: number): Result<void, DagRefusal> {
  const backfill = open(d, backfillId, 'cancelled');
  if (!backfill.ok) return backfill;
  d.emit({ type: 'BackfillCancelled', data: { backfillId } });
  closeCancelled(d);
  return ok(undefined);
}

/** Closes what the cancellation of a backfill left waiting, also where the decision was cut short after it. */
export function closeCancelled(d: DagDecision): void {
  const { backfills } = d.dag;
  const last = backfills.get(backfills.all.size);
  if (last === undefined || last.stand !== 'cancelled') return;
  for (const runId of [...last.queued])
    if (d.dag.queued.get(runId)?.cameBack !== true)
      d.emit({ type: 'RunClosed', data: { runId, state: 'failed', reason: BACKFILL_CANCELLED } });
}

function open(d: DagDecision, backfillId: number, verb: string): Result<BackfillState, DagRefusal> {
  const { dagId, backfills } = d.dag;
  const backfill = backfills.get(backfillId);
  if (backfill === undefined)
    return err({ code: 'not_found', message: `DAG '${dagId}' has no backfill ${backfillId}` });
  if (backfill.stand === 'completed' || backfill.stand === 'cancelled')
    return err({
      code: 'conflict',
      message: `backfill ${backfillId} of DAG '${dagId}' is ${backfill.stand}: it cannot be ${verb}`,
    });
  return ok(backfill);
}
