import { isAbsolute } from 'node:path';
import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import type { Json, JsonObject } from '@rondo/kernel';
import { Operator, resolveConnection, templatable, type Connection, type TaskContext } from '@rondo/sdk';
import * as z from 'zod';
import { splitStatements } from './split-statements.ts';

type Value = string | number | boolean | null;

export interface SqlArgs {
  /** Id of a connection of type `sqlite`, or its URI (`sqlite:////data/errors.db`). A template. */
  readonly connection: string;
  /** Statements, or the name of a `.sql` file of the bundle that holds them. A template. */
  readonly sql: string | readonly string[];
  /** By name (`:name`) or in order (`?`): given to each statement that has some. Templates. */
  readonly parameters?: Readonly<Record<string, Value>> | readonly Value[];
  /** What of the last statement with rows the task returns: all of them (default), the first, the first column of the first, nothing. */
  readonly fetch?: 'all' | 'first' | 'scalar' | 'none';
  /** True: each statement is its own transaction. Default false: all of them are one. */
  readonly autocommit?: boolean;
}

const values = templatable(z.union([z.string(), z.number(), z.boolean(), z.null()]));

export const queryShape = {
  connection: templatable(z.string().min(1).describe('the id or the URI of a connection')),
  sql: templatable(
    z
      .union([z.string().min(1), z.array(templatable(z.string().min(1)))])
      .describe('a statement, a .sql file, or a list of them'),
  ),
  parameters: templatable(
    z
      .union([z.record(z.string(), values), z.array(values)])
      .describe('an object or a list of texts, numbers, booleans and nulls'),
  ).optional(),
};

/** Runs SQL on a SQLite database. Rows are objects by column. */
export class SqlOperator extends Operator<SqlArgs, Json> {
  static override readonly templateFields = ['connection', 'sql', 'parameters'];
  static override readonly templateExtensions = ['.sql'];
  static override readonly schema = z.strictObject({
    ...queryShape,
    fetch: z.enum(['all', 'first', 'scalar', 'none']).describe("'all', 'first', 'scalar' or 'none'").optional(),
    autocommit: z.boolean().describe('true or false').optional(),
  });

  async execute(
    ctx: TaskContext,
    { connection, sql, parameters, fetch = 'all', autocommit = false }: SqlArgs,
  ): Promise<Json> {
    const rows = await query(ctx, { connection, sql, parameters, autocommit });
    if (fetch === 'none') return null;
    if (fetch === 'first') return rows?.[0] ?? null;
    if (fetch === 'scalar') return Object.values(rows?.[0] ?? {})[0] ?? null;
    return rows ?? null;
  }
}

/** The rows of the last statement that has some. */
export async function query(
  ctx: TaskContext,
  {
    connection,
    sql,
    parameters,
    autocommit,
  }: Pick<SqlArgs, 'connection' | 'sql'> & {
    readonly parameters: SqlArgs['parameters'];
    readonly autocommit: boolean;
  },
): Promise<readonly JsonObject[] | undefined> {
  const database = await openSqlite(await resolveConnection(ctx, connection));
  try {
    const statements = [sql].flat().flatMap(splitStatements);
    if (statements.length === 0) throw new Error('sql holds no statement');
    return autocommit
      ? runAll(ctx, database, statements, parameters)
      : transaction(database, () => runAll(ctx, database, statements, parameters));
  } finally {
    database.close();
  }
}

/** The file is the connection's host, or its schema when there is no host. `extra.timeout`: milliseconds to wait for a lock, default 5,000. */
export async function openSqlite({ connId, connType, host, schema, extra = {} }: Connection): Promise<DatabaseSync> {
  if (connType !== 'sqlite') throw new Error(`connection '${connId}' is of type '${connType}'; allowed: sqlite`);
  const path = host ?? schema ?? '';
  if (path !== ':memory:' && !isAbsolute(path))
    throw new Error(
      `connection '${connId}' names the database '${path}'; allowed: an absolute path (sqlite:////data/x.db), or :memory:`,
    );
  const { DatabaseSync } = await import('node:sqlite');
  try {
    return new DatabaseSync(path, { timeout: Number(extra['timeout'] ?? 5_000), readOnly: extra['readOnly'] === true });
  } catch (error) {
    throw new Error(`the database ${path} cannot be opened: ${messageOf(error)}`, { cause: error });
  }
}

function transaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

function runAll(
  ctx: TaskContext,
  database: DatabaseSync,
  statements: readonly string[],
  parameters: SqlArgs['parameters'],
): readonly JsonObject[] | undefined {
  let rows: readonly JsonObject[] | undefined;
  for (const [i, text] of statements.entries()) {
    ctx.signal.throwIfAborted();
    try {
      rows = runOne(ctx, database.prepare(text), text, parameters) ?? rows;
    } catch (error) {
      const of = statements.length === 1 ? '' : ` ${i + 1} of ${statements.length}`;
      throw new Error(`statement${of} failed: ${messageOf(error)}: ${shorten(text)}`, { cause: error });
    }
  }
  return rows;
}

function runOne(
  ctx: TaskContext,
  statement: StatementSync,
  text: string,
  parameters: SqlArgs['parameters'],
): readonly JsonObject[] | undefined {
  statement.setReadBigInts(true);
  statement.setAllowUnknownNamedParameters(true);
  const given = bound(parameters, text);
  const call = <T>(run: (...args: SQLInputValue[]) => T, named: (record: Record<string, SQLInputValue>) => T): T =>
    Array.isArray(given) ? run(...(given as SQLInputValue[])) : named(given as Record<string, SQLInputValue>);
  if (statement.columns().length === 0) {
    const { changes } = call(
      (...args) => statement.run(...args),
      (record) => statement.run(record),
    );
    ctx.log.info(`${changes} rows changed: ${shorten(text)}`);
    return undefined;
  }
  const rows = call(
    (...args) => statement.all(...args),
    (record) => statement.all(record),
  );
  ctx.log.info(`${rows.length} rows: ${shorten(text)}`);
  return rows.map((row) => Object.fromEntries(Object.entries(row).map(([column, value]) => [column, jsonOf(value)])));
}

/** SQLite has no booleans. A statement without `?` takes none of a list. */
function bound(parameters: SqlArgs['parameters'], text: string): SQLInputValue[] | Record<string, SQLInputValue> {
  const plain = (value: Value): SQLInputValue => (typeof value === 'boolean' ? Number(value) : value);
  if (parameters === undefined) return [];
  if (!Array.isArray(parameters))
    return Object.fromEntries(
      Object.entries(parameters as Record<string, Value>).map(([name, value]) => [name, plain(value)]),
    );
  return text.includes('?') ? (parameters as readonly Value[]).map(plain) : [];
}

/** Whole numbers beyond what JSON's readers hold come as text, bytes as base64. */
function jsonOf(value: SQLOutputValue): Json {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
}

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length > 120 ? `${line.slice(0, 117)}…` : line;
}

const messageOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error);
