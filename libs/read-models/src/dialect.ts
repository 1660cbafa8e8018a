import { PostgresAdapter, sql, type Expression, type Kysely, type RawBuilder, type SqlBool } from 'kysely';
import type { Schema } from './schema.ts';

export type Db = Kysely<Schema>;

/** All in which the databases differ for the read models. */
export interface Dialect {
  /** Column types. Numbers have 64 bits; texts are ordered by their bytes. */
  readonly number: RawBuilder<unknown>;
  readonly text: RawBuilder<unknown>;
  /** What ends a `create table`; undefined: nothing. */
  readonly tableEnd: RawBuilder<unknown> | undefined;
  /** Is the field of the JSON text true? */
  readonly isTrue: (json: Expression<unknown>, field: string) => Expression<SqlBool>;
  /** Is the field of the JSON text missing or null? */
  readonly isMissing: (json: Expression<unknown>, field: string) => Expression<SqlBool>;
  /** A subquery of the texts in a JSON array, or in a field of an object; none where there is no array. */
  readonly texts: (json: Expression<unknown>, field?: string) => Expression<string>;
  /** Runs a query for which the database stands still. */
  readonly read: <T>(db: Db, query: (db: Db) => Promise<T>) => Promise<T>;
}

const path = (field: string) => sql.lit(`$.${field}`);

const sqlite: Dialect = {
  number: sql`integer`,
  text: sql`text`,
  // A row lies in the tree of its key: one look-up, one write.
  tableEnd: sql`without rowid`,
  isTrue: (json, field) => sql<SqlBool>`coalesce(json_extract(${json}, ${path(field)}), 0)`,
  isMissing: (json, field) => sql<SqlBool>`json_extract(${json}, ${path(field)}) is null`,
  texts: (json, field) =>
    field === undefined
      ? sql<string>`(select value from json_each(${json}))`
      : sql<string>`(select value from json_each(${json}, ${path(field)}))`,
  read: (db, query) => db.transaction().execute(query),
};

const postgres: Dialect = {
  number: sql`bigint`,
  text: sql`text collate "C"`,
  tableEnd: undefined,
  isTrue: (json, field) => sql<SqlBool>`coalesce((${json}::json ->> ${sql.lit(field)})::boolean, false)`,
  isMissing: (json, field) => sql<SqlBool>`(${json}::json ->> ${sql.lit(field)}) is null`,
  texts: (json, field) => {
    const found = field === undefined ? sql`${json}::json` : sql`(${json}::json -> ${sql.lit(field)})`;
    return sql<string>`(select json_array_elements_text(case json_typeof(${found}) when 'array' then ${found} end))`;
  },
  read: (db, query) => db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(query),
};

export function dialectOf<Tables>(db: Kysely<Tables>): Dialect {
  return db.getExecutor().adapter instanceof PostgresAdapter ? postgres : sqlite;
}
