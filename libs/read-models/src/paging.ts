import type { Page, Paged } from '@rondo/ports';
import { sql, type Expression, type SelectQueryBuilder, type SqlBool } from 'kysely';
import type { Schema } from './schema.ts';

/** One page of the ordered rows, and how many there are in all. */
export async function pageOf<Tables extends keyof Schema, Row, Item>(
  ordered: SelectQueryBuilder<Schema, Tables, Row>,
  matching: SelectQueryBuilder<Schema, Tables, object>,
  page: Page,
  toItem: (row: Row) => Item,
): Promise<Paged<Item>> {
  const rows = await ordered.offset(page.offset).limit(page.limit).execute();
  const { total } = await matching.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow();
  return { items: (rows as Row[]).map(toItem), total: Number(total) };
}

/** The column contains the text, in either case. */
export function contains(column: string, text: string): Expression<SqlBool> {
  const pattern = `%${text.toLowerCase().replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
  return sql<SqlBool>`lower(${sql.ref(column)}) like ${pattern} escape ${sql.lit('\\')}`;
}
