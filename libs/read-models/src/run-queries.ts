import type { DagRunRow, Page, Paged, RunFilter, RunRecord } from '@rondo/ports';
import type { ExpressionBuilder, Expression, SqlBool } from 'kysely';
import { pageOf } from './paging.ts';
import { runRecord } from './rows.ts';
import type { Schema } from './schema.ts';
import type { Db } from './dialect.ts';

type Order = NonNullable<RunFilter['orderBy']>;

const ORDER_COLUMN = { runAfter: 'run_after', startedAt: 'started_at', endedAt: 'ended_at', runId: 'run_id' } as const;

export async function findRun(db: Db, dagId: string, runId: string): Promise<RunRecord | undefined> {
  const row = await db
    .selectFrom('runs')
    .selectAll()
    .where('dag_id', '=', dagId)
    .where('run_id', '=', runId)
    .executeTakeFirst();
  return row === undefined ? undefined : runRecord(row);
}

export async function findRuns(db: Db, filter: RunFilter, page: Page): Promise<Paged<DagRunRow>> {
  const matching = db.selectFrom('runs').where((eb) => eb.and(conditions(eb, filter)));
  const descending = (filter.orderBy ?? '-runAfter').startsWith('-');
  const column = ORDER_COLUMN[(filter.orderBy ?? '-runAfter').replace('-', '') as Exclude<Order, `-${string}`>];
  const ordered = matching
    .selectAll()
    // What has not begun or ended yet comes last, whichever way.
    .orderBy(column, (order) => (descending ? order.desc().nullsLast() : order.asc().nullsLast()))
    .orderBy('run_no', descending ? 'desc' : 'asc');
  return pageOf(ordered, matching, page, (row) => runRow(runRecord(row)));
}

export async function previousSuccess(db: Db, dagId: string, runId: string): Promise<DagRunRow | undefined> {
  const { logicalDate } = (await findRun(db, dagId, runId)) ?? {};
  if (logicalDate === undefined || logicalDate === null) return undefined;
  const row = await db
    .selectFrom('runs')
    .selectAll()
    .where('dag_id', '=', dagId)
    .where('state', '=', 'success')
    .where('logical_date', '<', logicalDate)
    .orderBy('logical_date', 'desc')
    .orderBy('run_no', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? undefined : runRow(runRecord(row));
}

function conditions(eb: ExpressionBuilder<Schema, 'runs'>, filter: RunFilter): Expression<SqlBool>[] {
  const all: Expression<SqlBool>[] = [];
  if (filter.dagId !== undefined) all.push(eb('dag_id', '=', filter.dagId));
  if (filter.state !== undefined) all.push(eb('state', 'in', filter.state));
  if (filter.runType !== undefined) all.push(eb('run_type', 'in', filter.runType));
  if (filter.backfillId !== undefined) all.push(eb('backfill_id', '=', filter.backfillId));
  if (filter.logicalDateGte !== undefined) all.push(eb('logical_date', '>=', filter.logicalDateGte));
  if (filter.logicalDateLte !== undefined) all.push(eb('logical_date', '<=', filter.logicalDateLte));
  if (filter.runAfterGte !== undefined) all.push(eb('run_after', '>=', filter.runAfterGte));
  if (filter.runAfterLte !== undefined) all.push(eb('run_after', '<=', filter.runAfterLte));
  if (filter.archive !== undefined)
    all.push(filter.archive === null ? eb('archive', 'is', null) : eb('archive', '=', filter.archive));
  if (filter.endedBefore !== undefined) all.push(eb('ended_at', '<', filter.endedBefore));
  if (filter.archiveBefore !== undefined) all.push(eb('archive_at', '<', filter.archiveBefore));
  if (filter.sealed !== undefined) all.push(eb(eb.fn.coalesce('sealed_run', eb.lit(0)), '=', filter.sealed ? 1 : 0));
  if (filter.requestedBy !== undefined) all.push(eb('run_no', '<=', filter.requestedBy));
  return all;
}

export function runRow({ runNo: _runNo, dagRevisions: _dagRevisions, ...row }: RunRecord): DagRunRow {
  return row;
}
