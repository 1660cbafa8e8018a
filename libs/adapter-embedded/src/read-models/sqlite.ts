import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import type { Db, Schema } from '@rondo/read-models';
import { Kysely, SqliteDialect, type SqliteStatement } from 'kysely';

const MAX_STATEMENTS = 200;

/** Kysely over `node:sqlite`; statements are prepared once. */
export function kyselyOver(database: DatabaseSync): Db {
  const statements = new Map<string, SqliteStatement>();
  const prepare = (sql: string): SqliteStatement => {
    const known = statements.get(sql);
    if (known !== undefined) return known;
    if (statements.size >= MAX_STATEMENTS) statements.clear();
    const made = adapt(database.prepare(sql));
    statements.set(sql, made);
    return made;
  };
  return new Kysely<Schema>({ dialect: new SqliteDialect({ database: { prepare, close: () => database.close() } }) });
}

function adapt(statement: StatementSync): SqliteStatement {
  const bind = (parameters: readonly unknown[]): SQLInputValue[] => parameters as SQLInputValue[];
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...bind(parameters)),
    run: (parameters) => statement.run(...bind(parameters)),
    iterate: (parameters) => statement.iterate(...bind(parameters)),
  };
}

/**
 * The read models can be rebuilt from the history, so a commit waits for no disk: NORMAL keeps the file whole through a
 * power failure, at the price of the last commits, which are projected again.
 */
export function openDatabase(file: string, readOnly: boolean): DatabaseSync {
  const database = new DatabaseSync(file, { readOnly, timeout: 5_000 });
  if (readOnly) return database;
  database.exec(
    'pragma journal_mode = wal; pragma synchronous = normal; pragma wal_autocheckpoint = 8000; pragma cache_size = -65536',
  );
  return database;
}

/** SQLite's primary result code; undefined for an error of another kind. */
export function resultCode(error: unknown): number | undefined {
  const code = (error as { readonly errcode?: unknown } | null)?.errcode;
  return typeof code === 'number' ? code & 0xff : undefined;
}

const CORRUPT = 11;
const NOT_A_DATABASE = 26;
/** Busy, locked, read-only, I/O error, full, cannot open. */
const PASSING: ReadonlySet<number> = new Set([5, 6, 8, 10, 13, 14]);

/** Is the file broken? Then it is made anew. */
export function isBroken(error: unknown): boolean {
  const code = resultCode(error);
  return code === CORRUPT || code === NOT_A_DATABASE;
}

/** Does the fault lie with the disk, so that it passes or somebody mends it? Any other comes again with the same event. */
export function isPassing(error: unknown): boolean {
  const code = resultCode(error);
  if (code !== undefined) return PASSING.has(code);
  return typeof (error as { readonly syscall?: unknown } | null)?.syscall === 'string';
}
