import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { eventHash, prevOf } from '@rondo/contracts';
import type { DataPaths } from '../folder/paths.ts';
import { appendCuts, makeArchivedTable, type Cut } from '../history/cuts.ts';
import { signingKey } from '../history/keys.ts';
import { archivedRows, verifyArchive, type ArchivedRow } from './format.ts';
import { blobPath, References } from './references.ts';
import { runLogs } from './write.ts';

export interface CutReport {
  readonly events: number;
  readonly blobs: number;
}

const hashOf = ({ stream, revision, id, type, data, meta }: ArchivedRow): string =>
  eventHash(stream, revision, id, type, data, meta);

/**
 * Takes away what an archive holds: events of its runs but the last of each, their logs, and the blobs that nothing else
 * refers to. Their hashes stay, under a signature (I13). The head of the history must be signed, and no platform may run.
 */
export async function cutArchived(paths: DataPaths, archive: string, now: number): Promise<CutReport> {
  const { id, runs } = await verifyArchive(archive);
  const lastOf = new Map(runs.map(({ stream, events }) => [stream, events - 1]));
  const [gone, cuts]: [ArchivedRow[], Cut[]] = [[], []];
  for await (const row of archivedRows(archive)) {
    const last = lastOf.get(row.stream)!;
    if (row.revision < last) gone.push(row);
    if (row.revision === last - 1) cuts.push({ stream: row.stream, before: last, hash: hashOf(row) });
  }
  appendCuts(paths.archives, cuts, id, now, signingKey(paths.keys));
  const db = new DatabaseSync(paths.events);
  try {
    db.exec('pragma synchronous=full');
    makeArchivedTable(db);
    db.exec('begin immediate');
    const stub = db.prepare(
      `insert into archived (position, stream, revision, hash, prev, follows)
       select position, stream, revision, ?, ?, follows from events where position = ?`,
    );
    const remove = db.prepare('delete from events where position = ? and id = ?');
    for (const row of gone) {
      stub.run(hashOf(row), prevOf(row.meta) ?? '', row.position);
      if (remove.run(row.position, row.id).changes !== 1)
        throw new Error(`event ${row.revision} of '${row.stream}' is not at position ${row.position} any more`);
    }
    db.exec('commit');
    db.exec('vacuum; pragma wal_checkpoint(truncate)');
  } finally {
    db.close();
  }
  for (const suffix of ['', '-wal', '-shm']) await rm(paths.snapshots + suffix, { force: true });
  for (const run of runs) await rm(join(paths.logs, runLogs(run)), { recursive: true, force: true });
  return { events: gone.length, blobs: await removeUnreferenced(paths, archive) };
}

/** Of the archive's blobs those that no event that stays refers to. Bundles stay: they are small, and other runs share them. */
async function removeUnreferenced(paths: DataPaths, archive: string): Promise<number> {
  const wanted = new References(paths);
  const db = new DatabaseSync(paths.events, { readOnly: true });
  try {
    for (const { data } of db.prepare('select data from events').iterate()) await wanted.add(data as string);
  } finally {
    db.close();
  }
  const { files } = await verifyArchive(archive);
  const bundled = new References(paths);
  for (const name of Object.keys(files)) if (name.startsWith('bundles/')) await bundled.add(name);
  let removed = 0;
  for (const name of Object.keys(files)) {
    if (!name.startsWith('blobs/')) continue;
    const hash = name.slice('blobs/'.length).replace('/', '');
    if (wanted.blobs.has(hash) || bundled.blobs.has(hash) || !existsSync(join(paths.blobs, blobPath(hash)))) continue;
    await rm(join(paths.blobs, blobPath(hash)));
    removed += 1;
  }
  return removed;
}
