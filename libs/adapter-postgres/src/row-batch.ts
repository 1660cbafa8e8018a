import { isNumber, TABLES, upsertInto, type Db, type RowSink, type SqlValue, type TableName } from '@rondo/read-models';
import { CompiledQuery, sql, type Compilable } from 'kysely';

/** Rows of one statement. */
const CHUNK = 5_000;

type Row = readonly SqlValue[];

/** Rows that go, then rows that are put, each once. */
interface Segment {
  readonly removes: Map<
    string,
    { readonly table: TableName; readonly columns: readonly string[]; readonly rows: Row[] }
  >;
  readonly puts: Map<TableName, Map<string, Row>>;
}

const emptySegment = (): Segment => ({ removes: new Map(), puts: new Map() });

/** Gathers the writes of a transaction, so that rows of one table go in one statement. */
export class RowBatch implements RowSink {
  private readonly steps: (Segment | Compilable)[] = [];
  private last = emptySegment();

  put(table: TableName, row: Row): void {
    let rows = this.last.puts.get(table);
    if (rows === undefined) this.last.puts.set(table, (rows = new Map()));
    rows.set(JSON.stringify(row.slice(0, TABLES[table].key.length)), row);
  }

  remove(table: TableName, columns: readonly string[], row: Row): void {
    if (this.last.puts.has(table)) this.cut();
    const name = `${table} ${columns.length}`;
    const known = this.last.removes.get(name);
    if (known === undefined) this.last.removes.set(name, { table, columns, rows: [row] });
    else known.rows.push(row);
  }

  run(query: Compilable): void {
    this.cut();
    this.steps.push(query);
  }

  async execute(db: Db): Promise<void> {
    this.cut();
    for (const step of this.steps)
      if ('compile' in step) await db.executeQuery(step.compile());
      else await executeSegment(db, step);
  }

  private cut(): void {
    if (this.last.removes.size === 0 && this.last.puts.size === 0) return;
    this.steps.push(this.last);
    this.last = emptySegment();
  }
}

async function executeSegment(db: Db, { removes, puts }: Segment): Promise<void> {
  for (const { table, columns, rows } of removes.values())
    await inChunks(db, deleteFrom(table, columns), columns, rows);
  for (const [table, rows] of puts) {
    const { columns, query } = upsertInto(db, table);
    const compiled = query.expression(sql`select * from ${unnest(columns)}`).compile().sql;
    await inChunks(db, compiled, columns, [...rows.values()]);
  }
}

async function inChunks(db: Db, text: string, columns: readonly string[], rows: readonly Row[]): Promise<void> {
  for (let at = 0; at < rows.length; at += CHUNK) {
    const chunk = rows.slice(at, at + CHUNK);
    const arrays = columns.map((column, index) => chunk.map((row) => bound(column, row[index]!)));
    await db.executeQuery(CompiledQuery.raw(text, arrays));
  }
}

/** Whole numbers only: a part of a millisecond is none. */
const bound = (column: string, value: SqlValue): SqlValue =>
  typeof value === 'number' && isNumber(column) && !Number.isInteger(value) ? Math.round(value) : value;

/** The rows of a statement: an array for each column, so that the text is the same for any number of them. */
const unnest = (columns: readonly string[]) => sql.raw<unknown>(unnestText(columns));

const unnestText = (columns: readonly string[]): string =>
  `unnest(${columns.map((column, index) => `$${index + 1}::${isNumber(column) ? 'bigint' : 'text'}[]`).join(', ')})`;

function deleteFrom(table: TableName, columns: readonly string[]): string {
  const names = columns.map((column) => `"${column}"`);
  const same = names.map((name) => `"${table}".${name} = gone.${name}`);
  return `delete from "${table}" using ${unnestText(columns)} as gone(${names.join(', ')}) where ${same.join(' and ')}`;
}
