import type { Json } from '@rondo/kernel';
import type {
  AssetAliasRow,
  AssetEventFilter,
  AssetEventRow,
  AssetFilter,
  AssetLinkRow,
  AssetRow,
  Page,
  Paged,
  QueuedAssetRow,
} from '@rondo/ports';
import { sql, type Expression, type SqlBool } from 'kysely';
import { contains, pageOf } from './paging.ts';
import type { AssetAliasesTable, AssetEventsTable, AssetLinksTable, AssetQueueTable, AssetsTable } from './schema.ts';
import { dialectOf, type Db } from './dialect.ts';

export function findAssets(db: Db, { pattern, group }: AssetFilter, page: Page): Promise<Paged<AssetRow>> {
  const matching = db.selectFrom('assets').where((eb) => {
    const conditions: Expression<SqlBool>[] = [];
    if (pattern !== undefined) conditions.push(eb.or([contains('name', pattern), contains('uri', pattern)]));
    if (group !== undefined) conditions.push(eb('asset_group', '=', group));
    return eb.and(conditions);
  });
  return pageOf(matching.selectAll().orderBy('name'), matching, page, assetRow);
}

export async function allAssets(db: Db): Promise<readonly AssetRow[]> {
  return (await db.selectFrom('assets').selectAll().execute()).map(assetRow);
}

export async function findAsset(db: Db, name: string): Promise<AssetRow | undefined> {
  const row = await db.selectFrom('assets').selectAll().where('name', '=', name).executeTakeFirst();
  return row === undefined ? undefined : assetRow(row);
}

/** Of one alias, or of all. */
export async function assetAliases(db: Db, alias?: string): Promise<readonly AssetAliasRow[]> {
  const rows = await db
    .selectFrom('asset_aliases')
    .selectAll()
    .$if(alias !== undefined, (query) => query.where('alias', '=', alias!))
    .orderBy('alias')
    .orderBy('name')
    .execute();
  return rows.map(({ alias: of, name, uri, at }: AssetAliasesTable) => ({ alias: of, name, uri, at }));
}

/** Of one DAG, or of one asset, alias or URI, or all. */
export async function assetLinks(
  db: Db,
  { dagId, name }: { readonly dagId?: string; readonly name?: string },
): Promise<readonly AssetLinkRow[]> {
  const rows = await db
    .selectFrom('asset_links')
    .selectAll()
    .$if(dagId !== undefined, (query) => query.where('dag_id', '=', dagId!))
    .$if(name !== undefined, (query) => query.where('name', '=', name!))
    .orderBy('dag_id')
    .orderBy('task_id')
    .execute();
  return rows.map(({ dag_id, use, task_id, kind, name: of }: AssetLinksTable) => ({
    ...{ dagId: dag_id, use, taskId: task_id, kind, name: of },
  }));
}

export function findAssetEvents(db: Db, filter: AssetEventFilter, page: Page): Promise<Paged<AssetEventRow>> {
  const matching = db.selectFrom('asset_events').where((eb) => {
    const conditions: Expression<SqlBool>[] = [];
    if (filter.name !== undefined) conditions.push(eb('name', '=', filter.name));
    if (filter.uri !== undefined) conditions.push(eb('uri', '=', filter.uri));
    if (filter.partitionKey !== undefined) conditions.push(eb('partition_key', '=', filter.partitionKey));
    if (filter.sourceDagId !== undefined) conditions.push(eb('source_dag_id', '=', filter.sourceDagId));
    if (filter.sourceRunId !== undefined) conditions.push(eb('source_run_id', '=', filter.sourceRunId));
    if (filter.sourceTaskId !== undefined) conditions.push(eb('source_task_id', '=', filter.sourceTaskId));
    if (filter.alias !== undefined) {
      const names = eb.selectFrom('asset_aliases').select('name').where('alias', '=', filter.alias);
      conditions.push(eb('name', 'in', names));
      conditions.push(sql<SqlBool>`${filter.alias} in ${dialectOf(db).texts(sql.ref('aliases'))}`);
    }
    if (filter.dagId !== undefined && filter.runId !== undefined)
      conditions.push(
        eb.exists(
          eb
            .selectFrom('asset_queue as q')
            .innerJoin('runs as r', 'r.run_no', 'q.run_no')
            .select('q.name')
            .where('r.dag_id', '=', filter.dagId)
            .where('r.run_id', '=', filter.runId)
            .whereRef('q.name', '=', 'asset_events.name')
            .whereRef('q.from_revision', '<=', 'asset_events.revision')
            .whereRef('q.to_revision', '>=', 'asset_events.revision'),
        ),
      );
    return eb.and(conditions);
  });
  const order = filter.orderBy === 'position' ? 'asc' : 'desc';
  return pageOf(matching.selectAll().orderBy('position', order), matching, page, assetEventRow);
}

/** What waits for a run: of one DAG, of one asset, or all. */
export async function queuedAssets(
  db: Db,
  { dagId, name }: { readonly dagId?: string; readonly name?: string },
): Promise<readonly QueuedAssetRow[]> {
  const rows = await db
    .selectFrom('asset_queue')
    .selectAll()
    .where('run_no', 'is', null)
    .$if(dagId !== undefined, (query) => query.where('dag_id', '=', dagId!))
    .$if(name !== undefined, (query) => query.where('name', '=', name!))
    .orderBy('position')
    .execute();
  return rows.map(queuedRow);
}

function assetRow({ name, uri, asset_group, extra }: AssetsTable): AssetRow {
  return { name, uri, group: asset_group, extra: JSON.parse(extra) as Json };
}

function assetEventRow(row: AssetEventsTable): AssetEventRow {
  const { source_dag_id: dagId, source_run_id: runId, source_task_id: taskId, source_try: tryNumber } = row;
  return {
    ...{ name: row.name, revision: row.revision, position: row.position, uri: row.uri, at: row.at },
    extra: JSON.parse(row.extra) as Json,
    partitionKey: row.partition_key,
    aliases: JSON.parse(row.aliases) as string[],
    source:
      dagId === null || runId === null || taskId === null || tryNumber === null
        ? null
        : { dagId, runId, taskId, mapIndex: row.source_map_index ?? '', tryNumber },
  };
}

function queuedRow(row: AssetQueueTable): QueuedAssetRow {
  return {
    ...{ dagId: row.dag_id, partitionKey: row.partition_key, name: row.name },
    ...{ from: row.from_revision, to: row.to_revision, at: row.at, position: row.position },
  };
}
