import type {
  ConnectionRow,
  DagFilter,
  DagRow,
  DagVersionRow,
  ImportErrorRow,
  Page,
  Paged,
  PoolRow,
  VariableRow,
} from '@rondo/ports';
import type { Expression, SqlBool } from 'kysely';
import { contains, pageOf } from './paging.ts';
import { connectionRow, dagRow, dagVersionRow, importErrorRow, poolRow, variableRow } from './rows.ts';
import type { Db } from './dialect.ts';

export async function findDags(db: Db, filter: DagFilter, page: Page): Promise<Paged<DagRow>> {
  const matching = db.selectFrom('dags').where((eb) => {
    const all: Expression<SqlBool>[] = [];
    if (filter.includeRetired !== true) all.push(eb('retired', '=', 0));
    if (filter.paused !== undefined) all.push(eb('paused', '=', Number(filter.paused)));
    if (filter.dagIdPattern !== undefined) all.push(contains('dag_id', filter.dagIdPattern));
    if (filter.tag !== undefined)
      all.push(eb('dag_id', 'in', eb.selectFrom('dag_tags').select('dag_id').where('tag', '=', filter.tag)));
    return eb.and(all);
  });
  return pageOf(matching.selectAll().orderBy('dag_id'), matching, page, dagRow);
}

export async function findDag(db: Db, dagId: string): Promise<DagRow | undefined> {
  const row = await db.selectFrom('dags').selectAll().where('dag_id', '=', dagId).executeTakeFirst();
  return row === undefined ? undefined : dagRow(row);
}

export async function allDags(db: Db): Promise<readonly DagRow[]> {
  return (await db.selectFrom('dags').selectAll().execute()).map(dagRow);
}

/** In order of their numbers; of one DAG, or of all. */
export async function dagVersions(db: Db, dagId?: string): Promise<readonly DagVersionRow[]> {
  const rows = await db
    .selectFrom('dag_versions')
    .selectAll()
    .$if(dagId !== undefined, (query) => query.where('dag_id', '=', dagId!))
    .orderBy('number')
    .execute();
  return rows.map(dagVersionRow);
}

export async function importErrors(db: Db): Promise<readonly ImportErrorRow[]> {
  return (await db.selectFrom('import_errors').selectAll().orderBy('file').execute()).map(importErrorRow);
}

export function findVariables(db: Db, page: Page): Promise<Paged<VariableRow>> {
  const matching = db.selectFrom('variables');
  return pageOf(matching.selectAll().orderBy('key'), matching, page, variableRow);
}

export async function findVariable(db: Db, key: string): Promise<VariableRow | undefined> {
  const row = await db.selectFrom('variables').selectAll().where('key', '=', key).executeTakeFirst();
  return row === undefined ? undefined : variableRow(row);
}

export function findConnections(db: Db, page: Page): Promise<Paged<ConnectionRow>> {
  const matching = db.selectFrom('connections');
  return pageOf(matching.selectAll().orderBy('conn_id'), matching, page, connectionRow);
}

export async function findConnection(db: Db, connId: string): Promise<ConnectionRow | undefined> {
  const row = await db.selectFrom('connections').selectAll().where('conn_id', '=', connId).executeTakeFirst();
  return row === undefined ? undefined : connectionRow(row);
}

export async function pools(db: Db): Promise<readonly PoolRow[]> {
  return (await db.selectFrom('pools').selectAll().orderBy('name').execute()).map(poolRow);
}

export async function findPool(db: Db, name: string): Promise<PoolRow | undefined> {
  const row = await db.selectFrom('pools').selectAll().where('name', '=', name).executeTakeFirst();
  return row === undefined ? undefined : poolRow(row);
}
