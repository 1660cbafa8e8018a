import { err, ok, type Result } from '@rondo/kernel';
import type { DagDecision, DagRefusal } from './decision.ts';
import { runStandOf } from './state.ts';

/** What people set about a run, whether it has started or not. A repeat changes nothing. */

/** A held run is not admitted, and publishes nothing, until it is released. What runs goes on. */
export function holdRun(d: DagDecision, runId: string, held: boolean): Result<void, DagRefusal> {
  const stand = runStandOf(d.dag, runId);
  if (stand === undefined) return err(unknownRun(d, runId));
  if (held && (stand === 'success' || stand === 'failed'))
    return err({ code: 'conflict', message: `run '${runId}' has ended (${stand}): there is nothing to hold` });
  if (d.dag.held.has(runId) !== held) d.emit({ type: held ? 'RunHeld' : 'RunReleased', data: { runId } });
  return ok(undefined);
}

/** In place of its DAG's priority; null gives that back. */
export function prioritiseRun(d: DagDecision, runId: string, priority: number | null): Result<void, DagRefusal> {
  if (runStandOf(d.dag, runId) === undefined) return err(unknownRun(d, runId));
  if ((d.dag.priorities.get(runId) ?? null) !== priority)
    d.emit({ type: 'RunReprioritised', data: { runId, priority } });
  return ok(undefined);
}

/** An empty note takes it away. */
export function noteRun(d: DagDecision, runId: string, note: string, by: string): Result<void, DagRefusal> {
  if (runStandOf(d.dag, runId) === undefined) return err(unknownRun(d, runId));
  d.emit({ type: 'RunNoted', data: { runId, note, by } });
  return ok(undefined);
}

/** The run goes on with this version from now on. */
export function changeRunVersion(d: DagDecision, runId: string, version: string): void {
  d.emit({ type: 'RunVersionChanged', data: { runId, version } });
}

/** The tasks of the run do not wait for their past any more. */
export function ignorePast(d: DagDecision, runId: string): void {
  const run = d.dag.line.find(runId);
  if (run !== undefined && !run.ignoresPast) d.emit({ type: 'RunPastIgnored', data: { runId } });
}

function unknownRun(d: DagDecision, runId: string): DagRefusal {
  return { code: 'not_found', message: `DAG '${d.dag.dagId}' has no run '${runId}'` };
}
