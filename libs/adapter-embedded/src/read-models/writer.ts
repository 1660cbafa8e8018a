import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { RowChanges } from '@rondo/ports';
import {
  RenderedRuns,
  renderedRuns,
  upsertInto,
  writeChanges,
  type Checkpoint,
  type Db,
  type RenderedRun,
  type RowSink,
  type SqlValue,
  type TableName,
} from '@rondo/read-models';
import type { Compilable } from 'kysely';

/** Writes what a batch changed and the checkpoint in one transaction, by statements that Kysely compiled once. */
export class RowWriter implements RowSink {
  private readonly database: DatabaseSync;
  private readonly db: Db;
  private readonly upserts = new Map<TableName, StatementSync>();
  private readonly deletes = new Map<string, StatementSync>();
  private readonly others = new Map<string, StatementSync>();
  private readonly projectionVersion: number;
  private rendered: RenderedRuns | undefined;

  constructor(database: DatabaseSync, db: Db, projectionVersion: number) {
    this.database = database;
    this.db = db;
    this.projectionVersion = projectionVersion;
  }

  write(changes: RowChanges, checkpoint: Checkpoint): void {
    this.database.exec('begin immediate');
    try {
      const { db, projectionVersion } = this;
      const rendered = (): RenderedRuns => (this.rendered ??= this.loadRendered());
      writeChanges(this, changes, checkpoint, { db, rendered, projectionVersion });
      this.database.exec('commit');
    } catch (error) {
      if (this.database.isTransaction) this.database.exec('rollback');
      this.rendered = undefined;
      throw error;
    }
  }

  put(table: TableName, row: readonly SqlValue[]): void {
    let statement = this.upserts.get(table);
    if (statement === undefined) {
      const { columns, query } = upsertInto(this.db, table);
      const blank = Object.fromEntries(columns.map((column) => [column, null]));
      statement = this.database.prepare(query.values(blank as never).compile().sql);
      this.upserts.set(table, statement);
    }
    statement.run(...row);
  }

  remove(table: TableName, columns: readonly string[], row: readonly SqlValue[]): void {
    const name = `${table} ${columns.length}`;
    let statement = this.deletes.get(name);
    if (statement === undefined) {
      const { dynamic } = this.db;
      const query = this.db
        .deleteFrom(table)
        .where((eb) => eb.and(columns.map((column) => eb(dynamic.ref(column) as never, '=', '' as never))));
      statement = this.database.prepare(query.compile().sql);
      this.deletes.set(name, statement);
    }
    statement.run(...row);
  }

  run(query: Compilable): void {
    const { sql, parameters } = query.compile();
    const statement = this.others.get(sql) ?? this.database.prepare(sql);
    this.others.set(sql, statement);
    statement.run(...(parameters as readonly SqlValue[]));
  }

  private loadRendered(): RenderedRuns {
    const rows = this.database.prepare(renderedRuns(this.db).compile().sql).all();
    return new RenderedRuns(rows as unknown as readonly RenderedRun[]);
  }
}
