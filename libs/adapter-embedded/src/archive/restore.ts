import { existsSync } from 'node:fs';
import { cp, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { eventHash } from '@rondo/contracts';
import { DataFolderError } from '../folder/errors.ts';
import type { DataPaths } from '../folder/paths.ts';
import { hasArchivedTable } from '../history/cuts.ts';
import { archivedRows, EVENTS, verifyArchive, type ArchiveManifest } from './format.ts';

/** Puts the events, logs and blobs of an archive back where they were. No platform may run on the data folder. */
export async function restoreArchive(
  paths: DataPaths,
  archive: string,
): Promise<{ readonly manifest: ArchiveManifest; readonly events: number }> {
  const manifest = await verifyArchive(archive);
  for (const name of Object.keys(manifest.files)) {
    const target = join(paths.folder, name);
    if (name === EVENTS || existsSync(target)) continue;
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    await cp(join(archive, name), target);
  }
  const db = new DatabaseSync(paths.events);
  try {
    db.exec('pragma synchronous=full; begin immediate');
    const events = hasArchivedTable(db) ? await putBack(db, archive) : 0;
    db.exec('commit');
    return { manifest, events };
  } finally {
    db.close();
  }
}

async function putBack(db: DatabaseSync, archive: string): Promise<number> {
  const stubAt = db.prepare('select stream, revision, hash, follows from archived where position = ?');
  const insert = db.prepare(
    `insert into events (position, stream, revision, id, type, data, meta, mark, follows)
     select position, stream, revision, ?, ?, ?, ?, ?, follows from archived where position = ?`,
  );
  const remove = db.prepare('delete from archived where position = ?');
  let events = 0;
  for await (const { stream, position, revision, id, type, data, meta, mark } of archivedRows(archive)) {
    const stub = stubAt.get(position);
    if (stub === undefined) continue;
    if (stub['hash'] !== eventHash(stream, revision, id, type, data, meta))
      throw new DataFolderError(
        'unusable',
        `the archive ${archive} is of another history: event ${revision} of '${stream}' is not the one that was at position ${position}`,
      );
    insert.run(id, type, data, meta, mark, position);
    remove.run(position);
    events += 1;
  }
  return events;
}

/** How many streams begin later than they did. */
export function truncatedStreams(events: string): number {
  const db = new DatabaseSync(events, { readOnly: true });
  try {
    if (!hasArchivedTable(db)) return 0;
    return db.prepare('select count(distinct stream) as n from archived').get()!['n'] as number;
  } finally {
    db.close();
  }
}
