import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { messageOf } from '../faults.ts';
import { DataFolderError } from '../folder/errors.ts';

export const EVENTS = 'events.jsonl';
export const MANIFEST = 'manifest.json';

export interface ArchivedRun {
  readonly dagId: string;
  readonly runId: string;
  readonly stream: string;
  /** Epoch milliseconds. */
  readonly endedAt: number;
  readonly events: number;
}

/** `manifest.json` of an archive: what it holds, and the SHA-256 of each of its other files. */
export interface ArchiveManifest {
  readonly v: 1;
  readonly id: string;
  readonly at: number;
  readonly runs: readonly ArchivedRun[];
  readonly files: Readonly<Record<string, string>>;
}

/** One line of `events.jsonl`: a row of the history as it stood. */
export interface ArchivedRow {
  readonly stream: string;
  readonly position: number;
  readonly revision: number;
  readonly id: string;
  readonly type: string;
  readonly data: string;
  readonly meta: string;
  readonly mark: number;
  readonly follows: string;
}

export async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

export async function readManifest(folder: string): Promise<ArchiveManifest> {
  try {
    return JSON.parse(await readFile(join(folder, MANIFEST), 'utf8')) as ArchiveManifest;
  } catch (error) {
    throw new DataFolderError('unusable', `${folder} is no archive: ${messageOf(error)}`, error);
  }
}

/** Rejects when a file is missing, or is not what was archived. */
export async function verifyArchive(folder: string): Promise<ArchiveManifest> {
  const manifest = await readManifest(folder);
  for (const [name, hash] of Object.entries(manifest.files)) {
    const found = await sha256Of(join(folder, name)).catch(() => 'missing');
    if (found !== hash)
      throw new DataFolderError(
        'unusable',
        `the archive ${folder} is not what was archived: ${name} is ${found === 'missing' ? 'missing' : 'changed'}`,
      );
  }
  return manifest;
}

/** The archives in a folder, oldest first. */
export async function archivesIn(folder: string): Promise<readonly ArchiveManifest[]> {
  const names = await readdir(folder).catch(() => []);
  const found = await Promise.all(names.map((name) => readManifest(join(folder, name)).catch(() => undefined)));
  return found.filter((manifest) => manifest !== undefined).sort((a, b) => a.at - b.at);
}

export async function* archivedRows(folder: string): AsyncGenerator<ArchivedRow> {
  for await (const line of createInterface({ input: createReadStream(join(folder, EVENTS)), crlfDelay: Infinity }))
    if (line !== '') yield JSON.parse(line) as ArchivedRow;
}
