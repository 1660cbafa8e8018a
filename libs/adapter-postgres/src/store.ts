import type { RowChanges } from '@rondo/ports';
import {
  migrate,
  RenderedRuns,
  renderedRuns,
  START,
  TABLES,
  writeChanges,
  type Checkpoint,
  type Db,
  type Schema,
  type TableName,
} from '@rondo/read-models';
import { CompiledQuery, sql } from 'kysely';
import { NewerRowsError } from './errors.ts';
import { RowBatch } from './row-batch.ts';
import { prepared } from './statements.ts';

/** Asked often by those who only read. */
const CHECKPOINT = prepared(
  'select id, position, event_position, event_id, projection_version from checkpoint where id = 1',
);

export interface Claim {
  readonly generation: number;
  readonly checkpoint: Checkpoint;
}

/**
 * The rows, and who may write them. A process that claims them counts the generation up, and each transaction checks it under
 * a lock: one that was paused meanwhile, and thinks it is the writer still, writes nothing (I2).
 */
export class PostgresRows {
  private readonly db: Db;
  private readonly schema: string;
  private readonly projectionVersion: number;
  private rendered: RenderedRuns | undefined;

  constructor(db: Db, schema: string, projectionVersion: number) {
    this.db = db;
    this.schema = schema;
    this.projectionVersion = projectionVersion;
  }

  migrate(): Promise<void> {
    return migrate(this.db, this.schema);
  }

  /** Becomes the writer. Rows of an older projection are dropped, and all of them when `empty`. */
  claim(empty = false): Promise<Claim> {
    this.rendered = undefined;
    return this.db.transaction().execute(async (db) => {
      const { generation } = await db
        .insertInto('writer')
        .values({ id: 1, generation: 1 })
        .onConflict((conflict) =>
          conflict.column('id').doUpdateSet((eb) => ({ generation: eb('writer.generation', '+', 1) })),
        )
        .returning('generation')
        .executeTakeFirstOrThrow();
      const row = await checkpointRow(db);
      if (row !== undefined && row.projection_version > this.projectionVersion)
        throw new NewerRowsError(
          `the rows are of projection version ${row.projection_version}, this release makes ${this.projectionVersion}`,
        );
      if (!empty && row?.projection_version === this.projectionVersion)
        return { generation, checkpoint: checkpointOf(row) };
      await this.drop(db);
      return { generation, checkpoint: START };
    });
  }

  /** As far as anybody has written them. */
  async checkpoint(): Promise<Checkpoint> {
    const row = await checkpointRow(this.db);
    return row === undefined ? START : checkpointOf(row);
  }

  async write(changes: RowChanges, checkpoint: Checkpoint, generation: number): Promise<void> {
    try {
      if (changes.runs.some((run) => run.rendered.length > 0))
        this.rendered ??= new RenderedRuns(await renderedRuns(this.db).execute());
      const batch = new RowBatch();
      const { db, projectionVersion } = this;
      writeChanges(batch, changes, checkpoint, { db, projectionVersion, rendered: () => this.rendered! });
      await batch.execute(this.db, generation);
    } catch (error) {
      this.rendered = undefined;
      throw error;
    }
  }

  /** The rows are complete up to there, though nothing was written. */
  async advance({ position, eventPosition, eventId }: Checkpoint, generation: number): Promise<void> {
    const batch = new RowBatch();
    batch.put('checkpoint', [1, position, eventPosition, eventId, this.projectionVersion]);
    await batch.execute(this.db, generation);
  }

  private async drop(db: Db): Promise<void> {
    const tables = (Object.keys(TABLES) as TableName[]).filter((name) => name !== 'writer');
    await sql`truncate ${sql.join(tables.map((name) => sql.table(name)))}`.execute(db);
  }
}

type CheckpointRow = Schema['checkpoint'];

async function checkpointRow(db: Db): Promise<CheckpointRow | undefined> {
  const { rows } = await db.executeQuery<CheckpointRow>(CompiledQuery.raw(CHECKPOINT));
  return rows[0];
}

function checkpointOf(row: CheckpointRow): Checkpoint {
  return { position: row.position, eventPosition: row.event_position, eventId: row.event_id };
}
