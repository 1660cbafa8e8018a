import { sql, type Kysely } from 'kysely';
import { Migrator, type Migration } from 'kysely/migration';
import { TABLES, type TableName } from './tables.ts';

/** Columns that hold a number; all others hold text. */
const NUMBERS = new Set(
  `id position event_position projection_version paused retired published_at number run_no logical_date
   data_interval_start data_interval_end run_after queued_at started_at ended_at ordinal try_number max_tries retries
   leg open run_try scheduled_at pid retry_at line column at port slots include_deferred held priority
   asked_at deadline backfill_id from_date to_date reverse max_active_runs run_on_latest dates created cleared passed
   created_at revision source_try from_revision to_revision`.split(/\s+/),
);

/** Tables that a later migration creates. */
const LATER: ReadonlySet<TableName> = new Set(['pools']);

const initial: Migration = {
  async up(db: Kysely<unknown>) {
    for (const name of Object.keys(TABLES) as TableName[]) if (!LATER.has(name)) await createTable(db, name);
    await db.schema.createIndex('runs_by_name').on('runs').columns(['dag_id', 'run_id']).unique().execute();
    await db.schema.createIndex('runs_by_dag').on('runs').columns(['dag_id', 'run_after']).execute();
    await db.schema.createIndex('runs_by_time').on('runs').column('run_after').execute();
    await db.schema
      .createIndex('xcoms_by_key')
      .on('xcoms')
      .columns(['run_no', 'task_id', 'key', 'map_order'])
      .execute();
    await db.schema.createIndex('asset_events_by_position').on('asset_events').column('position').execute();
    await db.schema.createIndex('asset_links_by_name').on('asset_links').column('name').execute();
    await db.schema.createIndex('asset_queue_by_run').on('asset_queue').columns(['run_no', 'dag_id']).execute();
    await db.schema.createIndex('dag_tags_by_tag').on('dag_tags').column('tag').execute();
  },
};

async function createTable(db: Kysely<unknown>, name: TableName): Promise<void> {
  const { key, rest } = TABLES[name] as { readonly key: readonly string[]; readonly rest: readonly string[] };
  let table = db.schema.createTable(name);
  for (const column of [...key, ...rest]) {
    const isKey = key.includes(column);
    table = table.addColumn(column, NUMBERS.has(column) ? 'integer' : 'text', (c) => (isKey ? c.notNull() : c));
  }
  table = table.addPrimaryKeyConstraint(`${name}_pk`, key as [never, ...never[]]);
  // A row lies in the tree of its key: one look-up, one write.
  await table.modifyEnd(sql`without rowid`).execute();
}

const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001_initial': initial,
  '0002_pools': { up: (db: Kysely<unknown>) => createTable(db, 'pools') },
};

/** Brings the schema up to date. Throws for one that a newer release has made. */
export async function migrate<Db>(db: Kysely<Db>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => ({ ...MIGRATIONS }) } });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error instanceof Error ? error : new Error(String(error));
}
