import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import type { RowChanges, RowSource } from '@rondo/ports';
import { migrate, queriesOver, rowSourceOver, START, type Checkpoint, type Db, type Queries } from '@rondo/read-models';
import { isBroken, kyselyOver, openDatabase, resultCode } from './sqlite.ts';
import { RowWriter } from './writer.ts';

const FILE = 'reads.db';

/** Rows of another projection, or of another release's schema: of no use, and rebuilt. */
class OutdatedError extends Error {
  override readonly name = 'OutdatedError';
}

/** The rows on disk: one connection that writes, one that reads beside it what was committed. */
export class ReadModelStore {
  readonly queries: Queries;
  readonly checkpoint: Checkpoint;
  private readonly database: DatabaseSync;
  private readonly reader: Db;
  private readonly writer: RowWriter;

  private constructor(database: DatabaseSync, reader: Db, writer: RowWriter, checkpoint: Checkpoint) {
    this.database = database;
    this.reader = reader;
    this.writer = writer;
    this.checkpoint = checkpoint;
    this.queries = queriesOver(reader);
  }

  /** Opens the rows in the folder; a file that is broken or outdated is dropped, and the checkpoint is then the start. */
  static async open(folder: string, projectionVersion: number): Promise<ReadModelStore> {
    mkdirSync(folder, { recursive: true });
    try {
      return await ReadModelStore.openFile(folder, projectionVersion);
    } catch (error) {
      if (!(error instanceof OutdatedError) && !isBroken(error)) throw error;
      ReadModelStore.drop(folder);
      return ReadModelStore.openFile(folder, projectionVersion);
    }
  }

  static drop(folder: string): void {
    for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(join(folder, FILE + suffix), { force: true });
  }

  private static async openFile(folder: string, projectionVersion: number): Promise<ReadModelStore> {
    const file = join(folder, FILE);
    const database = openDatabase(file, false);
    try {
      checkUse(database);
      const db = kyselyOver(database);
      await migrate(db).catch((cause: unknown) => {
        throw resultCode(cause) !== undefined
          ? cause
          : new OutdatedError('the schema is of another release', { cause });
      });
      const row = await db.selectFrom('checkpoint').selectAll().executeTakeFirst();
      if (row !== undefined && row.projection_version !== projectionVersion)
        throw new OutdatedError(`rows of projection version ${row.projection_version}, wanted ${projectionVersion}`);
      const checkpoint =
        row === undefined
          ? START
          : { position: row.position, eventPosition: row.event_position, eventId: row.event_id };
      const reader = kyselyOver(openDatabase(file, true));
      return new ReadModelStore(database, reader, new RowWriter(database, db, projectionVersion), checkpoint);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  rowSource(from: Pick<RowSource, 'definition' | 'runEvents'>): RowSource {
    return rowSourceOver(this.reader, from);
  }

  write(changes: RowChanges, checkpoint: Checkpoint): void {
    this.writer.write(changes, checkpoint);
  }

  async close(): Promise<void> {
    await this.reader.destroy();
    this.database.exec('pragma user_version = 0');
    this.database.close();
  }
}

/** A file that was not closed is looked through before anything is believed that it says. */
function checkUse(database: DatabaseSync): void {
  const { user_version: inUse } = database.prepare('pragma user_version').get() as { readonly user_version: number };
  if (inUse !== 0) {
    const result = database.prepare('pragma quick_check(1)').get() as { readonly quick_check: string };
    if (result.quick_check !== 'ok') throw new OutdatedError(`the file is torn: ${result.quick_check}`);
  }
  database.exec('pragma user_version = 1');
}
