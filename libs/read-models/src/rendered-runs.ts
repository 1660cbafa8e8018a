import type { Db } from './dialect.ts';

/** Rendered fields are kept for so many runs of a DAG: those that were asked for last. */
const RUNS_KEPT = 30;

export interface RenderedRun {
  readonly dag_id: string;
  readonly run_no: number;
}

/** Which runs have rendered fields. Looked up once, then kept in memory: a run of a DAG pushes out at most one other. */
export class RenderedRuns {
  private readonly byDag = new Map<string, Set<number>>();

  constructor(rows: readonly RenderedRun[]) {
    for (const { dag_id: dagId, run_no: runNo } of rows) this.runsOf(dagId).add(runNo);
  }

  /** Rendered fields of a run are written: the runs that lose theirs. */
  wrote(dagId: string, runNo: number): readonly number[] {
    const runs = this.runsOf(dagId).add(runNo);
    const pushedOut: number[] = [];
    while (runs.size > RUNS_KEPT) {
      const oldest = Math.min(...runs.difference(new Set([runNo])));
      runs.delete(oldest);
      pushedOut.push(oldest);
    }
    return pushedOut;
  }

  private runsOf(dagId: string): Set<number> {
    const runs = this.byDag.get(dagId) ?? new Set();
    this.byDag.set(dagId, runs);
    return runs;
  }
}

/** Those that have rendered fields now. */
export const renderedRuns = (db: Db) =>
  db
    .selectFrom('rendered_fields')
    .innerJoin('runs', 'runs.run_no', 'rendered_fields.run_no')
    .select(['runs.dag_id', 'rendered_fields.run_no'])
    .distinct();
