import { err, ok, type Result } from '@rondo/kernel';
import type { DagDecision, DagRefusal } from './decision.ts';
import type { ArchivedRun } from './events.ts';
import { runStandOf, type DagState } from './state.ts';

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
  const gone = refuseGone(d.dag, runId);
  if (gone !== undefined) return err(gone);
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

/**
 * Erases what people have put into a run that was sealed: for good, once the event is durable (I14). A repeat finds what it has
 * done. Refused for a run that has not ended, and for one that was not sealed: a history cannot be changed.
 */
export function eraseRun(d: DagDecision, runId: string, by: string): Result<{ readonly at: number }, DagRefusal> {
  const { dag, now } = d;
  const stand = runStandOf(dag, runId);
  if (stand === undefined) return err(unknownRun(d, runId));
  const before = dag.erased.get(runId);
  if (before !== undefined) return ok({ at: before });
  if (!dag.sealed.has(runId)) return err({ code: 'conflict', message: notSealed(runId) });
  if (stand === 'queued' || stand === 'active') {
    const message = `run '${runId}' has not ended (${stand}): it can be erased once it has; to end it now, abort it`;
    return err({ code: 'conflict', message });
  }
  d.emit({ type: 'RunErased', data: { runId, at: now, by } });
  return ok({ at: now });
}

const notSealed = (runId: string): string =>
  `run '${runId}' was not sealed, and a history cannot be changed: only runs of a DAG with 'sealed: true', or of a platform with --seal-runs, can be erased`;

/** Nothing can be done with a run that is erased, and what it took with it; nor with one that is in an archive. */
export function refuseGone(dag: DagState, runId: string): DagRefusal | undefined {
  const at = dag.erased.get(runId);
  if (at !== undefined) {
    const when = new Date(at).toISOString();
    return {
      code: 'conflict',
      message: `run '${runId}' was erased at ${when}: its conf, its XComs and what its tasks took are gone, so it stays as it is`,
    };
  }
  if (!dag.archived.has(runId)) return undefined;
  return { code: 'conflict', message: `run '${runId}' is archived: restore it to go on with it` };
}

/** From here on the run stays as it is, until it is restored. A repeat changes nothing. */
export function archiveRun(d: DagDecision, runId: string, by: string): Result<void, DagRefusal> {
  const { dag, now } = d;
  const stand = runStandOf(dag, runId);
  if (stand === undefined) return err(unknownRun(d, runId));
  if (dag.archived.has(runId)) return ok(undefined);
  const refused =
    stand === 'queued' || stand === 'active'
      ? `has not ended (${stand}): it can be archived once it has`
      : dag.sealed.has(runId)
        ? 'is sealed, and its key is in no archive: it can be erased'
        : dag.closed.get(runId)?.requested !== undefined
          ? 'never started: there is nothing to archive'
          : undefined;
  if (refused !== undefined) return err({ code: 'conflict', message: `run '${runId}' ${refused}` });
  d.emit({ type: 'RunArchiveBegun', data: { runId, at: now, by } });
  return ok(undefined);
}

/** The archive is written and has been read back, and what it holds was taken away. */
export function finishArchive(d: DagDecision, run: ArchivedRun): Result<void, DagRefusal> {
  const { dag, now } = d;
  const stand = dag.archived.get(run.runId);
  if (stand === undefined) return err({ code: 'conflict', message: `run '${run.runId}' is not being archived` });
  if (stand === 'archiving') d.emit({ type: 'RunArchived', data: { ...run, at: now } });
  return ok(undefined);
}

/** A run that is not archived stays as it is. */
export function restoreRun(d: DagDecision, runId: string, by: string): Result<void, DagRefusal> {
  const { dag, now } = d;
  if (runStandOf(dag, runId) === undefined) return err(unknownRun(d, runId));
  const stand = dag.archived.get(runId);
  if (stand === 'archiving')
    return err({ code: 'conflict', message: `run '${runId}' is just being archived: ask again once it is` });
  if (stand === 'archived') d.emit({ type: 'RunRestored', data: { runId, at: now, by } });
  return ok(undefined);
}

function unknownRun(d: DagDecision, runId: string): DagRefusal {
  return { code: 'not_found', message: `DAG '${d.dag.dagId}' has no run '${runId}'` };
}
