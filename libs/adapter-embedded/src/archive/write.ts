import { existsSync } from 'node:fs';
import { copyFile, cp, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathPart } from '@rondo/contracts';
import { syncFolder, writeDurable } from '../files/atomic.ts';
import type { DataPaths } from '../folder/paths.ts';
import {
  EVENTS,
  MANIFEST,
  sha256Of,
  verifyArchive,
  type ArchivedRow,
  type ArchivedRun,
  type ArchiveManifest,
} from './format.ts';
import { blobPath, References } from './references.ts';

export type RunToArchive = Omit<ArchivedRun, 'events'>;

export const runLogs = ({ dagId, runId }: Pick<ArchivedRun, 'dagId' | 'runId'>): string =>
  join(pathPart(dagId), pathPart(runId));

/**
 * Writes an archive of runs into a folder of its own, named by its id, and verifies it. It is there whole or not at all. No
 * platform may run on the data folder.
 */
export async function writeArchive(
  paths: DataPaths,
  runs: readonly RunToArchive[],
  options: { readonly folder: string; readonly id: string; readonly at: number },
): Promise<ArchiveManifest> {
  const building = join(options.folder, `.${options.id}`);
  await rm(building, { recursive: true, force: true });
  await mkdir(building, { recursive: true, mode: 0o700 });
  try {
    const references = new References(paths);
    const archived = await writeEvents(paths, runs, building, references);
    for (const run of archived) await copyIn(join(paths.logs, runLogs(run)), join(building, 'logs', runLogs(run)));
    for (const hash of references.blobs)
      await copyIn(join(paths.blobs, blobPath(hash)), join(building, 'blobs', blobPath(hash)));
    for (const hash of references.bundles)
      await copyIn(join(paths.bundles, `${hash}.json`), join(building, 'bundles', `${hash}.json`));
    const { id, at } = options;
    const manifest: ArchiveManifest = { v: 1, id, at, runs: archived, files: await hashesIn(building) };
    await writeDurable(join(building, MANIFEST), Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`), 0o600);
    await verifyArchive(building);
    await rename(building, join(options.folder, id));
    await syncFolder(options.folder);
    return manifest;
  } catch (error) {
    await rm(building, { recursive: true, force: true });
    throw error;
  }
}

async function writeEvents(
  paths: DataPaths,
  runs: readonly RunToArchive[],
  folder: string,
  references: References,
): Promise<ArchivedRun[]> {
  const db = new DatabaseSync(paths.events, { readOnly: true });
  try {
    const rowsOf = db.prepare(
      `select s.name as stream, e.position, e.revision, e.id, e.type, e.data, e.meta, e.mark, coalesce(f.name, '') as follows
       from streams s join events e on e.stream = s.id left join streams f on f.id = e.follows
       where s.name = ? order by e.revision`,
    );
    const archived: ArchivedRun[] = [];
    await writeFile(join(folder, EVENTS), '', { mode: 0o600 });
    for (const run of runs) {
      const rows = rowsOf.all(run.stream) as unknown as ArchivedRow[];
      for (const row of rows) await references.add(row.data);
      await writeFile(join(folder, EVENTS), rows.map((row) => `${JSON.stringify(row)}\n`).join(''), { flag: 'a' });
      archived.push({ ...run, events: rows.length });
    }
    return archived;
  } finally {
    db.close();
  }
}

async function copyIn(from: string, to: string): Promise<void> {
  if (!existsSync(from)) return;
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  await (from.endsWith('.json') ? copyFile(from, to) : cp(from, to, { recursive: true }));
}

async function hashesIn(folder: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    if (entry.isFile()) files[relative(folder, file).split(sep).join('/')] = await sha256Of(file);
  }
  return files;
}
