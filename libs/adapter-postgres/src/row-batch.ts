import { isNumber, TABLES, type Db, type RowSink, type SqlValue, type TableName } from '@rondo/read-models';
import { CompiledQuery, type Compilable } from 'kysely';
import { FencedError } from './errors.ts';
import { columnsOf, statementOf, type Part } from './statements.ts';

/** Rows of a table in one statement. */
const CHUNK = 5_000;

type Row = readonly SqlValue[];

interface PartRows extends Part {
  readonly rows: readonly Row[];
}

/** Rows that go, then rows that are put, each once. */
interface Segment {
  readonly removes: Map<string, Part & { readonly removeBy: readonly string[]; readonly rows: Row[] }>;
  readonly puts: Map<TableName, Map<string, Row>>;
}

const emptySegment = (): Segment => ({ removes: new Map(), puts: new Map() });

/** Gathers the writes of a transaction, so that they go in few statements: mostly in one. */
export class RowBatch implements RowSink {
  /** Each has effect before the next one. */
  private readonly steps: (readonly PartRows[] | Compilable)[] = [];
  private last = emptySegment();

  put(table: TableName, row: Row): void {
    let rows = this.last.puts.get(table);
    if (rows === undefined) this.last.puts.set(table, (rows = new Map()));
    rows.set(keyOf(row, TABLES[table].key.length), row);
  }

  /** `columns`: the first ones of the table's key. */
  remove(table: TableName, columns: readonly string[], row: Row): void {
    if (this.last.puts.has(table)) this.cut();
    const name = `${table} ${columns.length}`;
    const known = this.last.removes.get(name);
    if (known === undefined) this.last.removes.set(name, { table, removeBy: columns, rows: [row] });
    else known.rows.push(row);
  }

  run(query: Compilable): void {
    this.cut();
    this.steps.push(query);
  }

  /** All or nothing. Throws FencedError, having written nothing, when the generation is the writer's no more (I2). */
  async execute(db: Db, generation: number): Promise<void> {
    this.cut();
    const [only] = this.steps;
    if (this.steps.length === 1 && only !== undefined && !('compile' in only)) return write(db, only, generation);
    await db.transaction().execute(async (transaction) => {
      // First, so that whoever writes holds the lock before any other.
      await write(transaction, [], generation);
      for (const step of this.steps)
        if ('compile' in step) await transaction.executeQuery(step.compile());
        else await write(transaction, step, generation);
    });
  }

  private cut(): void {
    const { removes, puts } = this.last;
    const gone = [...removes.values()];
    const put = Array.from(puts, ([table, rows]) => ({ table, rows: [...rows.values()] }));
    this.last = emptySegment();
    if (gone.some((part) => meets(part, puts.get(part.table)))) this.steps.push(...stepsOf(gone), ...stepsOf(put));
    else this.steps.push(...stepsOf([...gone, ...put]));
  }
}

const keyOf = (row: Row, columns: number): string => JSON.stringify(row.slice(0, columns));

/** Is a row put whose key is removed? */
function meets({ removeBy, rows }: PartRows, puts: ReadonlyMap<string, Row> | undefined): boolean {
  if (puts === undefined || removeBy === undefined) return false;
  const gone = new Set(rows.map((row) => keyOf(row, removeBy.length)));
  return puts.values().some((row) => gone.has(keyOf(row, removeBy.length)));
}

/** One step, where no table has too many rows for one statement. */
function stepsOf(parts: readonly PartRows[]): readonly (readonly PartRows[])[] {
  if (parts.length === 0) return [];
  const most = Math.max(...parts.map(({ rows }) => rows.length));
  return Array.from({ length: Math.ceil(most / CHUNK) }, (_, index) =>
    parts
      .map((part) => ({ ...part, rows: part.rows.slice(index * CHUNK, (index + 1) * CHUNK) }))
      .filter(({ rows }) => rows.length > 0),
  );
}

async function write(db: Db, parts: readonly PartRows[], generation: number): Promise<void> {
  const values = parts.flatMap((part) =>
    columnsOf(part).map((column, index) => part.rows.map((row) => bound(column, row[index]!))),
  );
  const { rows } = await db.executeQuery(CompiledQuery.raw(statementOf(db, parts), [generation, ...values]));
  if (rows.length === 0) throw new FencedError(`generation ${generation} writes the rows no more`);
}

/** Whole numbers only: a part of a millisecond is none. */
const bound = (column: string, value: SqlValue): SqlValue =>
  typeof value === 'number' && isNumber(column) && !Number.isInteger(value) ? Math.round(value) : value;
