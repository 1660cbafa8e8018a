import type { DagEvent, DagRunEvent, TakenData } from '@rondo/domain';
import type { AppendRequest, Ids } from '@rondo/ports';
import type { DagActor } from './actors.ts';
import { dagStream, envelope, runStream, type Trace } from './envelope.ts';

const CAUSE = { causationId: 'assignment', actor: 'service:scheduler' };

/**
 * I2: one event for the DAG and for each of its open runs, at the revision that was read; the actors stand at them then. A stream that has
 * not begun needs none: who begins it is the first. There may be thousands; they do not need one another.
 */
export function fencesOf(dag: DagActor, data: TakenData, ids: Ids): AppendRequest[] {
  const fences: AppendRequest[] = [];
  const add = (stream: string, head: { revision: number; trace: Trace }, event: DagEvent | DagRunEvent): void => {
    if (head.revision < 0) return;
    const events = [envelope(event, head.trace, CAUSE, data.at, ids)];
    fences.push({ stream, expected: head.revision++, events, beside: true });
  };
  add(dagStream(dag.dagId), dag, { type: 'DagTaken', data });
  for (const run of dag.runs.values())
    if (dag.state.active.has(run.runId) || dag.state.queued.has(run.runId))
      add(runStream(dag.dagId, run.runId), run, { type: 'RunTaken', data });
  return fences;
}
