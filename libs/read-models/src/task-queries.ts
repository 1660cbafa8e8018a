import type {
  InstanceRecord,
  Page,
  Paged,
  RenderedFieldsRow,
  TaskFilter,
  TaskInstanceRow,
  TaskTryRow,
  XComName,
  XComRow,
  XComsUnder,
} from '@rondo/ports';
import type { Json } from '@rondo/kernel';
import { sql, type Expression, type SqlBool } from 'kysely';
import { afterAllUnder, mapOrder } from './map-order.ts';
import { contains, pageOf } from './paging.ts';
import { instanceRecord, taskTryRow, xcomRow } from './rows.ts';
import type { Db } from './dialect.ts';

const instances = (db: Db) => db.selectFrom('task_instances').innerJoin('runs', 'runs.run_no', 'task_instances.run_no');

/** All instances of a run, as the projection keeps them. */
export async function instancesOf(db: Db, runNo: number): Promise<readonly InstanceRecord[]> {
  const rows = await instances(db)
    .selectAll('task_instances')
    .select(['runs.dag_id', 'runs.run_id'])
    .where('task_instances.run_no', '=', runNo)
    .orderBy('ordinal')
    .execute();
  return rows.map(instanceRecord);
}

export async function findInstances(db: Db, filter: TaskFilter, page: Page): Promise<Paged<TaskInstanceRow>> {
  const matching = instances(db).where((eb) => {
    const all: Expression<SqlBool>[] = [];
    if (filter.dagId !== undefined) all.push(eb('runs.dag_id', '=', filter.dagId));
    if (filter.runId !== undefined) all.push(eb('runs.run_id', '=', filter.runId));
    if (filter.taskId !== undefined) all.push(eb('task_instances.task_id', '=', filter.taskId));
    if (filter.state !== undefined) all.push(eb('task_instances.state', 'in', filter.state));
    if (filter.under !== undefined)
      all.push(
        eb('task_instances.map_order', '>=', mapOrder(filter.under)),
        eb('task_instances.map_order', '<', afterAllUnder(filter.under)),
      );
    if (filter.name !== undefined) all.push(contains('map_index_name', filter.name));
    return eb.and(all);
  });
  const ordered = matching
    .selectAll('task_instances')
    .select(['runs.dag_id', 'runs.run_id'])
    .orderBy('task_instances.run_no', 'desc')
    .orderBy('ordinal')
    .orderBy('map_order');
  return pageOf(ordered, matching, page, (row) => instanceRow(instanceRecord(row)));
}

export function instanceRow({
  ordinal: _ordinal,
  retries: _retries,
  open: _open,
  ...row
}: InstanceRecord): TaskInstanceRow {
  return row;
}

export interface InstanceName {
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  readonly mapIndex: string;
}

export async function findInstance(db: Db, name: InstanceName): Promise<TaskInstanceRow | undefined> {
  const row = await instances(db)
    .selectAll('task_instances')
    .select(['runs.dag_id', 'runs.run_id'])
    .where('runs.dag_id', '=', name.dagId)
    .where('runs.run_id', '=', name.runId)
    .where('task_id', '=', name.taskId)
    .where('map_index', '=', name.mapIndex)
    .executeTakeFirst();
  return row === undefined ? undefined : instanceRow(instanceRecord(row));
}

export async function triesOf(db: Db, name: InstanceName): Promise<readonly TaskTryRow[]> {
  const rows = await db
    .selectFrom('task_tries')
    .innerJoin('runs', 'runs.run_no', 'task_tries.run_no')
    .selectAll('task_tries')
    .select(['runs.dag_id', 'runs.run_id'])
    .where('runs.dag_id', '=', name.dagId)
    .where('runs.run_id', '=', name.runId)
    .where('task_id', '=', name.taskId)
    .where('map_index', '=', name.mapIndex)
    .orderBy('try_number')
    .execute();
  return rows.map(taskTryRow);
}

export async function xcomsOf(
  db: Db,
  dagId: string,
  runId: string,
  taskId?: string,
  mapIndex?: string,
): Promise<readonly XComRow[]> {
  const rows = await db
    .selectFrom('xcoms')
    .innerJoin('runs', 'runs.run_no', 'xcoms.run_no')
    .selectAll('xcoms')
    .select(['runs.dag_id', 'runs.run_id'])
    .where('runs.dag_id', '=', dagId)
    .where('runs.run_id', '=', runId)
    .$if(taskId !== undefined, (query) => query.where('task_id', '=', taskId!))
    .$if(mapIndex !== undefined, (query) => query.where('map_index', '=', mapIndex!))
    .orderBy('task_id')
    .orderBy('map_order')
    .orderBy('key')
    .execute();
  return rows.map(xcomRow);
}

export async function priorXCom(
  db: Db,
  dagId: string,
  runId: string,
  { taskId, mapIndex, key }: XComName,
): Promise<XComRow | undefined> {
  const dateOf = (alias: 'runs' | 'own') =>
    sql<number>`coalesce(${sql.ref(`${alias}.logical_date`)}, ${sql.ref(`${alias}.run_after`)})`;
  const row = await db
    .selectFrom('xcoms')
    .innerJoin('runs', 'runs.run_no', 'xcoms.run_no')
    .innerJoin('runs as own', 'own.dag_id', 'runs.dag_id')
    .selectAll('xcoms')
    .select(['runs.dag_id', 'runs.run_id'])
    .where('own.dag_id', '=', dagId)
    .where('own.run_id', '=', runId)
    .where('task_id', '=', taskId)
    .where('map_index', '=', mapIndex)
    .where('key', '=', key)
    .where(dateOf('runs'), '<=', dateOf('own'))
    // The run itself before another of the same moment.
    .orderBy(dateOf('runs'), 'desc')
    .orderBy((eb) => eb.case().when('runs.run_id', '=', runId).then(0).else(1).end())
    .orderBy('runs.run_no', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? undefined : xcomRow(row);
}

export function xcomsUnder(
  db: Db,
  name: { readonly dagId: string; readonly runId: string } & XComsUnder,
  page: Page,
): Promise<Paged<XComRow>> {
  const matching = db
    .selectFrom('xcoms')
    .innerJoin('runs', 'runs.run_no', 'xcoms.run_no')
    .where('runs.dag_id', '=', name.dagId)
    .where('runs.run_id', '=', name.runId)
    .$if(name.taskId !== undefined, (query) => query.where('task_id', '=', name.taskId!))
    .$if(name.key !== undefined, (query) => query.where('key', '=', name.key!))
    .$if(name.under !== '', (query) =>
      query.where('map_order', '>=', mapOrder(name.under)).where('map_order', '<', afterAllUnder(name.under)),
    );
  const ordered = matching
    .selectAll('xcoms')
    .select(['runs.dag_id', 'runs.run_id'])
    .orderBy('task_id')
    .orderBy('map_order')
    .orderBy('key');
  return pageOf(ordered, matching, page, xcomRow);
}

export async function renderedOf(
  db: Db,
  name: InstanceName,
  tryNumber: number,
): Promise<RenderedFieldsRow | undefined> {
  const row = await db
    .selectFrom('rendered_fields')
    .innerJoin('runs', 'runs.run_no', 'rendered_fields.run_no')
    .select('fields')
    .where('runs.dag_id', '=', name.dagId)
    .where('runs.run_id', '=', name.runId)
    .where('task_id', '=', name.taskId)
    .where('map_index', '=', name.mapIndex)
    .where('try_number', '=', tryNumber)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const { dagId, runId, taskId } = name;
  const mapIndex = name.mapIndex === '' ? [] : name.mapIndex.split('.').map(Number);
  return {
    dagId,
    runId,
    taskId,
    mapIndex,
    tryNumber,
    fields: JSON.parse(row.fields) as Readonly<Record<string, Json>>,
  };
}
