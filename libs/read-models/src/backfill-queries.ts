import type { BackfillDateRow, BackfillRow, Page, Paged } from '@rondo/ports';
import { pageOf } from './paging.ts';
import { backfillDateRow, backfillRow } from './rows.ts';
import type { Db } from './dialect.ts';

export interface BackfillFilter {
  readonly dagId?: string;
  readonly open?: boolean;
}

/** The newest first. */
export function findBackfills(db: Db, { dagId, open }: BackfillFilter, page: Page): Promise<Paged<BackfillRow>> {
  const matching = db
    .selectFrom('backfills')
    .$if(dagId !== undefined, (query) => query.where('dag_id', '=', dagId!))
    .$if(open !== undefined, (query) => query.where('ended_at', open === true ? 'is' : 'is not', null));
  const ordered = matching.selectAll().orderBy('created_at', 'desc').orderBy('dag_id').orderBy('backfill_id', 'desc');
  return pageOf(ordered, matching, page, backfillRow);
}

export async function findBackfill(db: Db, dagId: string, backfillId: number): Promise<BackfillRow | undefined> {
  const query = db.selectFrom('backfills').selectAll().where('dag_id', '=', dagId);
  const row = await query.where('backfill_id', '=', backfillId).executeTakeFirst();
  return row === undefined ? undefined : backfillRow(row);
}

/** In the order of the backfill. */
export function findBackfillDates(
  db: Db,
  dagId: string,
  backfillId: number,
  page: Page,
): Promise<Paged<BackfillDateRow>> {
  const matching = db.selectFrom('backfill_dates').where('dag_id', '=', dagId).where('backfill_id', '=', backfillId);
  return pageOf(matching.selectAll().orderBy('ordinal'), matching, page, backfillDateRow);
}
