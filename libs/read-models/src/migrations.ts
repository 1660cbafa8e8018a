import type { Kysely } from 'kysely';
import { Migrator, type Migration } from 'kysely/migration';
import { dialectOf } from './dialect.ts';
import { TABLES, type TableName } from './tables.ts';

/** Columns that hold a number; all others hold text. */
const NUMBERS = new Set(
  `id position event_position projection_version paused retired published_at number run_no logical_date
   data_interval_start data_interval_end run_after queued_at started_at ended_at ordinal try_number max_tries retries
   leg open run_try scheduled_at pid retry_at line column at port slots include_deferred held priority
   asked_at deadline backfill_id from_date to_date reverse max_active_runs run_on_latest dates created cleared passed
   created_at revision source_try from_revision to_revision generation sealed_run erased_at archive_at`.split(/\s+/),
);

export const isNumber = (column: string): boolean => NUMBERS.has(column);

/** Tables that a later migration creates. */
const LATER: ReadonlySet<TableName> = new Set(['pools', 'writer']);
/** Columns that a later migration adds. */
const ADDED: ReadonlySet<string> = new Set(['runs.sealed_run', 'runs.erased_at', 'runs.archive', 'runs.archive_at']);

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
  const dialect = dialectOf(db);
  let table = db.schema.createTable(name);
  for (const column of [...key, ...rest]) {
    if (ADDED.has(`${name}.${column}`)) continue;
    const isKey = key.includes(column);
    table = table.addColumn(column, isNumber(column) ? dialect.number : dialect.text, (c) => (isKey ? c.notNull() : c));
  }
  table = table.addPrimaryKeyConstraint(`${name}_pk`, key as [never, ...never[]]);
  await (dialect.tableEnd === undefined ? table : table.modifyEnd(dialect.tableEnd)).execute();
}

const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001_initial': initial,
  '0002_pools': { up: (db: Kysely<unknown>) => createTable(db, 'pools') },
  '0003_writer': { up: (db: Kysely<unknown>) => createTable(db, 'writer') },
  '0004_sealed_runs': {
    async up(db: Kysely<unknown>) {
      for (const column of ['sealed_run', 'erased_at'])
        await db.schema.alterTable('runs').addColumn(column, dialectOf(db).number).execute();
    },
  },
  '0005_archived_runs': {
    async up(db: Kysely<unknown>) {
      const { number, text } = dialectOf(db);
      await db.schema.alterTable('runs').addColumn('archive', text).execute();
      await db.schema.alterTable('runs').addColumn('archive_at', number).execute();
      await db.schema.createIndex('runs_by_archive').on('runs').columns(['archive', 'ended_at']).execute();
    },
  },
};

/** Brings the tables up to date, in the schema of that name where there is one. Throws for those of a newer release. */
export async function migrate<Tables>(db: Kysely<Tables>, schema?: string): Promise<void> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => ({ ...MIGRATIONS }) },
    ...(schema === undefined ? {} : { migrationTableSchema: schema }),
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error instanceof Error ? error : new Error(String(error));
}
