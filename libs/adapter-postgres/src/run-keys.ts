import type { RunKeys, StoredRunKey } from '@rondo/ports';
import { sql } from 'kysely';
import { connect, type ConnectOptions } from './connect.ts';

export interface PostgresRunKeysOptions extends ConnectOptions {
  /** Connections at once. Default 4. */
  readonly connections?: number;
}

const QUERY_MS = 10_000;
/** So that processes which start at once make the table once. */
const LOCK = 4_207_311;

interface KeyRow {
  readonly id: string;
  readonly key: string | null;
}

/**
 * The keys of sealed runs in a PostgreSQL database, in a schema of their own (default `rondo_keys`), for all processes of an
 * installation (I14). Best a database of its own, with backups of its own: its log and its backups are copies of the keys too.
 * Rejects with StoreUnavailableError while the database is away.
 */
export async function openPostgresRunKeys(options: PostgresRunKeysOptions): Promise<RunKeys> {
  const { schema = 'rondo_keys', connections = 4 } = options;
  const db = connect({ ...options, schema }, connections, { statement_timeout: QUERY_MS });
  try {
    await db.transaction().execute(async (transaction) => {
      await sql`select pg_advisory_xact_lock(${sql.lit(LOCK)})`.execute(transaction);
      await sql`create schema if not exists ${sql.id(schema)}`.execute(transaction);
      await sql`create table if not exists run_keys(
        id text primary key, key text, finished boolean not null default false)`.execute(transaction);
    });
  } catch (error) {
    await db.destroy();
    throw error;
  }
  const get = async (id: string): Promise<StoredRunKey | undefined> => {
    const { rows } = await sql<KeyRow>`select id, key from run_keys where id = ${id}`.execute(db);
    return rows[0] === undefined ? undefined : storedOf(rows[0]);
  };
  return {
    get,
    create: async (id, key) => {
      await sql`insert into run_keys(id, key) values (${id}, ${key}) on conflict (id) do nothing`.execute(db);
      return (await get(id))!;
    },
    delete: async (id) => {
      const { rows } = await sql<{ readonly had_key: boolean }>`insert into run_keys(id, key) values (${id}, null)
          on conflict (id) do update set key = null where run_keys.key is not null
          returning xmax::text <> '0' as had_key`.execute(db);
      // The row as it was before is taken out of the table now, not at some time.
      if (rows[0]?.had_key === true) await sql`vacuum run_keys`.execute(db);
    },
    finish: async (id) => {
      await sql`update run_keys set finished = true where id = ${id} and key is null`.execute(db);
    },
    unfinished: async (ids) => {
      const { rows } = await sql<{ readonly id: string }>`select wanted.id from unnest(${ids}::text[]) as wanted(id)
        where not exists (select from run_keys where run_keys.id = wanted.id and finished)`.execute(db);
      return rows.map((row) => row.id);
    },
    close: () => db.destroy(),
  };
}

const storedOf = ({ key }: KeyRow): StoredRunKey => (key === null ? 'erased' : { key });
