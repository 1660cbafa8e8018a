import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Db } from './sqlite.ts';

/** Rendered fields are kept for so many runs of a DAG: those that were asked for last. */
const RUNS_KEPT = 30;

/** Which runs have rendered fields. Looked up once, then kept in memory: a run of a DAG pushes out at most one other. */
export class RenderedRuns {
  private readonly database: DatabaseSync;
  private readonly db: Db;
  private readonly drop: StatementSync;
  private byDag: Map<string, Set<number>> | undefined;

  constructor(database: DatabaseSync, db: Db) {
    this.database = database;
    this.db = db;
    this.drop = database.prepare(db.deleteFrom('rendered_fields').where('run_no', '=', 0).compile().sql);
  }

  /** To be called when rendered fields of a run are written. */
  wrote(dagId: string, runNo: number): void {
    this.byDag ??= this.load();
    const runs = this.byDag.get(dagId) ?? new Set();
    this.byDag.set(dagId, runs.add(runNo));
    while (runs.size > RUNS_KEPT) {
      const oldest = Math.min(...runs.difference(new Set([runNo])));
      runs.delete(oldest);
      this.drop.run(oldest);
    }
  }

  /** What was written last is not there: the next call looks again. */
  forget(): void {
    this.byDag = undefined;
  }

  private load(): Map<string, Set<number>> {
    const query = this.db
      .selectFrom('rendered_fields')
      .innerJoin('runs', 'runs.run_no', 'rendered_fields.run_no')
      .select(['runs.dag_id', 'rendered_fields.run_no'])
      .distinct();
    const byDag = new Map<string, Set<number>>();
    for (const row of this.database.prepare(query.compile().sql).all()) {
      const { dag_id: dagId, run_no: runNo } = row as { readonly dag_id: string; readonly run_no: number };
      const runs = byDag.get(dagId);
      if (runs === undefined) byDag.set(dagId, new Set([runNo]));
      else runs.add(runNo);
    }
    return byDag;
  }
}
