import type { ConnectionOptions } from 'node:tls';
import type { Db, Schema } from '@rondo/read-models';
import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely';
import pg from 'pg';
import { asPortError } from './errors.ts';
import { preparedName } from './statements.ts';

export interface ConnectOptions {
  /**
   * `postgres://user:password@host:port/database`; without a password, PGPASSWORD or `~/.pgpass` has it. TLS by `?sslmode=verify-full`
   * (`sslrootcert`, `sslcert`, `sslkey`: files), or by `tls`.
   */
  readonly url: string;
  /** True: TLS with the system's certificate authorities. Default: as the URL says, else none. */
  readonly tls?: boolean | ConnectionOptions;
  /** The schema that holds the tables, made when it is missing. Default `rondo`. */
  readonly schema?: string;
}

const NAME = /^[a-z_][a-z0-9_]{0,62}$/;
const INT8 = 20;

/** As a number: positions and times are well under 2^53. */
const getTypeParser = ((oid: number, format?: 'text') =>
  oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser;

/** Connections of their own. `limits`: what the server ends, in milliseconds. */
export function connect(
  { url, tls, schema = 'rondo' }: ConnectOptions,
  connections: number,
  limits: Pick<pg.PoolConfig, 'statement_timeout' | 'idle_in_transaction_session_timeout'>,
): Db {
  if (!NAME.test(schema))
    throw new Error(`schema '${schema}' of the read models: lower-case letters, digits and _ are allowed`);
  const pool = new pg.Pool({
    connectionString: url,
    ...(tls === undefined ? {} : { ssl: tls }),
    options: `-c search_path=${schema}`,
    application_name: 'rondo read models',
    max: connections,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    types: { getTypeParser },
    ...limits,
  });
  // A connection that breaks while nobody uses it is made anew; one in use rejects its query.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return new Kysely<Schema>({ dialect: new PostgresDialect({ pool: guarded(pool) }) });
}

/** The pool, with errors as the port says them, and texts as PostgreSQL takes them. */
function guarded(pool: pg.Pool): PostgresPool {
  const refuse = (error: unknown): never => {
    throw asPortError(error);
  };
  return {
    options: pool.options,
    end: () => pool.end(),
    connect: async () => {
      const client = await pool.connect().catch(refuse);
      const query = (sql: string, parameters: readonly unknown[]): Promise<unknown> =>
        client.query({ name: preparedName(sql), text: sql, values: parameters.map(clean) }).catch(refuse);
      const release = (destroy?: boolean): void => client.release(destroy);
      return { query: query as PostgresPoolClient['query'], release };
    },
  };
}

/** A text of PostgreSQL has no NUL. */
function clean(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(clean);
  return typeof value === 'string' && value.includes('\0') ? value.replaceAll('\0', '\uFFFD') : value;
}
