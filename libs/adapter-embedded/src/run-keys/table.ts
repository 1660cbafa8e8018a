import { existsSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { StoredRunKey } from '@rondo/ports';

/** `key` is null once it is deleted; the row stays, so that nobody makes it again. */
const SCHEMA =
  'create table if not exists run_keys(id text primary key, key text, finished integer not null) strict, without rowid';

const SQL = {
  create: 'insert into run_keys(id, key, finished) values(?, ?, 0) on conflict(id) do nothing',
  get: 'select key from run_keys where id = ?',
  delete:
    'insert into run_keys(id, key, finished) values(?, null, 0) on conflict(id) do update set key = null where key is not null',
  finish: 'update run_keys set finished = 1 where id = ? and key is null',
  unfinished: 'select value from json_each(?) where value not in (select id from run_keys where finished = 1)',
} as const;

type Statements = Readonly<Record<keyof typeof SQL, StatementSync>>;

/**
 * The keys of runs in a database of their own (I14), opened when the first of them is asked for. What is deleted is overwritten
 * in the file, and the journal of that write is gone with its commit: no byte of a deleted key stays in the folder.
 */
export class RunKeyTable {
  private readonly file: string;
  private opened: { readonly db: DatabaseSync; readonly sql: Statements } | undefined;

  constructor(file: string) {
    this.file = file;
  }

  /** One write to the disk for all of them. */
  create(made: readonly { readonly id: string; readonly key: string }[]): readonly StoredRunKey[] {
    const { db, sql } = this.open();
    if (made.every(({ id }) => sql.get.get(id) !== undefined)) return made.map(({ id }) => this.get(id)!);
    db.exec('begin immediate');
    try {
      for (const { id, key } of made) sql.create.run(id, key);
      db.exec('commit');
    } catch (error) {
      if (db.isTransaction) db.exec('rollback');
      throw error;
    }
    return made.map(({ id }) => this.get(id)!);
  }

  get(id: string): StoredRunKey | undefined {
    if (this.opened === undefined && !existsSync(this.file)) return undefined;
    const row = this.open().sql.get.get(id);
    if (row === undefined) return undefined;
    const { key } = row as { readonly key: string | null };
    return key === null ? 'erased' : { key };
  }

  delete(id: string): void {
    this.open().sql.delete.run(id);
  }

  finish(id: string): void {
    this.open().sql.finish.run(id);
  }

  unfinished(ids: readonly string[]): readonly string[] {
    return this.open()
      .sql.unfinished.all(JSON.stringify(ids))
      .map((row) => String(row['value']));
  }

  close(): void {
    this.opened?.db.close();
    this.opened = undefined;
  }

  private open(): { readonly db: DatabaseSync; readonly sql: Statements } {
    if (this.opened !== undefined) return this.opened;
    const db = new DatabaseSync(this.file, { timeout: 2_000 });
    db.exec('pragma journal_mode=delete; pragma synchronous=full; pragma secure_delete=on; pragma temp_store=memory');
    db.exec(SCHEMA);
    const statements = Object.entries(SQL).map(([name, sql]) => [name, db.prepare(sql)] as const);
    this.opened = { db, sql: Object.fromEntries(statements) as Statements };
    return this.opened;
  }
}
