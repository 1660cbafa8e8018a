import type { Db } from './dialect.ts';
import { TABLES, type TableName } from './tables.ts';

/** Insert or overwrite by primary key; values are bound key first, in the order of the table's shape. */
export function upsertInto(db: Db, table: TableName) {
  const { key, rest } = TABLES[table] as { readonly key: readonly string[]; readonly rest: readonly string[] };
  const columns = [...key, ...rest];
  return {
    columns,
    key,
    query: db
      .insertInto(table)
      .columns(columns as never)
      .onConflict((conflict) => {
        const target = conflict.columns(key as never);
        if (rest.length === 0) return target.doNothing();
        return target.doUpdateSet(
          (eb) => Object.fromEntries(rest.map((column) => [column, eb.ref(`excluded.${column}` as never)])) as never,
        );
      }),
  };
}
