import { isNumber, TABLES, upsertInto, type Db, type TableName } from '@rondo/read-models';
import { sql } from 'kysely';

/** Rows of a table that are put, or removed by the values of these columns. */
export interface Part {
  readonly table: TableName;
  /** Undefined: put. */
  readonly removeBy?: readonly string[];
}

/** Statements that a connection keeps prepared. Which tables change together is of few kinds. */
const MOST_PREPARED = 100;

const texts = new Map<string, string>();
const names = new Map<string, string>();

/** Connections keep it prepared. It must not answer `*`: tables may get columns while it is kept. */
export function prepared(text: string): string {
  if (names.size < MOST_PREPARED) names.set(text, `rows${names.size}`);
  return text;
}

/** The name under which a statement is prepared; undefined: it is parsed each time. */
export const preparedName = (text: string): string | undefined => names.get(text);

export const columnsOf = ({ table, removeBy }: Part): readonly string[] =>
  removeBy ?? [...TABLES[table].key, ...TABLES[table].rest];

/**
 * One statement that writes all parts if the generation ($1) still is the writer's, which it locks (I2); then it answers a row.
 * The parameters after it: an array for each column of each part, so that the text is the same for any number of rows. No row
 * may be in two parts: their order is the server's choice.
 */
export function statementOf(db: Db, parts: readonly Part[]): string {
  const key = parts.map(({ table, removeBy = [] }) => [table, ...removeBy].join(' ')).join(', ');
  const known = texts.get(key);
  if (known !== undefined) return known;
  let next = 2;
  const changes = parts.map((part, index) => {
    const columns = columnsOf(part);
    const arrays = columns.map((column) => `$${next++}::${isNumber(column) ? 'bigint' : 'text'}[]`);
    const change = part.removeBy === undefined ? upsert(db, part.table, arrays) : removal(part.table, columns, arrays);
    return `, change${index} as (${change})`;
  });
  // The rows are made from the history: commits that a crash of the server loses are projected again.
  const text = `with fence as (
    select set_config('synchronous_commit', 'off', true) from writer where id = 1 and generation = $1 for update
  )${changes.join('')} select 1 from fence`;
  texts.set(key, text);
  return prepared(text);
}

const FENCED = 'exists (select from fence)';

function upsert(db: Db, table: TableName, arrays: readonly string[]): string {
  const rows = sql.raw<unknown>(`select * from unnest(${arrays.join(', ')}) where ${FENCED}`);
  return upsertInto(db, table)
    .query.expression(sql`${rows}`)
    .compile().sql;
}

function removal(table: TableName, columns: readonly string[], arrays: readonly string[]): string {
  const named = columns.map((column) => `"${column}"`);
  const same = named.map((column) => `"${table}".${column} = gone.${column}`).join(' and ');
  return `delete from "${table}" using unnest(${arrays.join(', ')}) as gone(${named.join(', ')}) where ${same} and ${FENCED}`;
}
