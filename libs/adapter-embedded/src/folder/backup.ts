import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { chmod, copyFile, cp, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { HistoryReport, Position } from '@rondo/ports';
import { isMissing } from '../faults.ts';
import { isTemporary, syncFolderSync, writeFileAtomicSync } from '../files/atomic.ts';
import { readAnchors } from '../history/anchors.ts';
import { verifyHistory } from '../history/verify.ts';
import { threadFile } from '../thread-file.ts';
import type { CopyAnswer, CopyRequest } from './copy-thread.ts';
import { DataFolderError } from './errors.ts';
import { dataPaths, type DataPaths } from './paths.ts';

export interface BackupReport {
  /** The folder of the backup, absolute. */
  readonly path: string;
  /** The backup holds the history up to here. */
  readonly position: Position;
}

/**
 * Copies a data folder, which may be in use: the history as it is at one position, then what the history refers to, which
 * only grows. Read models and snapshots are left out, they come from the history. The backup holds the keys: keep it like the
 * folder itself. The target must not exist, or be empty; it is there whole or not at all.
 */
export async function backupDataFolder(source: string, target: string): Promise<BackupReport> {
  const from = dataPaths(resolve(source));
  const path = resolve(target);
  if (!existsSync(from.events))
    throw new DataFolderError('unusable', `there is nothing to back up: ${from.events} does not exist`);
  let position = 0;
  await buildFolder(path, async (to) => {
    position = await copyEvents({ from: from.events, to: to.events });
    await copyRest(from, to, position);
  });
  return { path, position };
}

/**
 * Makes a data folder of a backup, and verifies its history before anything is in place: a backup with a fault is refused.
 * The folder must not exist, or be empty.
 */
export async function restoreDataFolder(source: string, folder: string): Promise<HistoryReport> {
  const from = dataPaths(resolve(source));
  if (!existsSync(from.events) || !existsSync(from.format))
    throw new DataFolderError('unusable', `${from.folder} is no backup: events.db and format.json are in one`);
  let report: HistoryReport | undefined;
  await buildFolder(resolve(folder), async (to) => {
    const position = await copyEvents({ from: from.events, to: to.events });
    await copyRest(from, to, position);
    report = await verifyHistory(to);
    const [fault] = report.faults;
    if (fault !== undefined)
      throw new DataFolderError(
        'unusable',
        `the backup ${from.folder} is not what was backed up, nothing was restored: ${fault.message} (${report.faults.length} faults)`,
      );
  });
  return report!;
}

/** Fills a folder beside the target, and puts it in the target's place when it is whole. */
async function buildFolder(target: string, fill: (paths: DataPaths) => Promise<void>): Promise<void> {
  if (existsSync(target) && readdirSync(target).length > 0)
    throw new DataFolderError('unusable', `${target} is not empty: name a folder that does not exist`);
  const building = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}`);
  mkdirSync(building, { recursive: true, mode: 0o700 });
  try {
    await fill(dataPaths(building));
    syncFolderSync(building);
    if (existsSync(target)) rmdirSync(target);
    await rename(building, target);
    syncFolderSync(dirname(target));
  } catch (error) {
    await rm(building, { recursive: true, force: true });
    throw error;
  }
}

async function copyEvents(request: CopyRequest): Promise<Position> {
  const worker = new Worker(threadFile('copy-thread', import.meta.url), { workerData: request, execArgv: [] });
  const answer = await new Promise<CopyAnswer>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  if (!answer.ok)
    throw new DataFolderError('unusable', `${request.from} could not be copied to ${request.to}: ${answer.message}`);
  chmodSync(request.to, 0o600);
  return answer.head;
}

async function copyRest(from: DataPaths, to: DataPaths, position: Position): Promise<void> {
  // Heads that were signed since are of events that the copy does not have.
  const anchors = readAnchors(from.anchors).anchors.filter((anchor) => anchor.position <= position);
  writeFileAtomicSync(to.anchors, anchors.map((anchor) => `${JSON.stringify(anchor)}\n`).join(''));
  for (const name of ['blobs', 'logs', 'keys'] as const) await copyFolder(from[name], to[name]);
  await copyManifests(from.bundles, to.bundles);
  if (existsSync(from.archives)) await copyFile(from.archives, to.archives);
  await copyFile(from.format, to.format);
}

async function copyFolder(from: string, to: string): Promise<void> {
  await mkdir(to, { mode: 0o700 });
  if (!existsSync(from)) return;
  await cp(from, to, { recursive: true, filter: (path) => !isTemporary(basename(path)) });
  await chmod(to, 0o700);
}

/** Materialised bundles are made again when they are needed. */
async function copyManifests(from: string, to: string): Promise<void> {
  await mkdir(to, { mode: 0o700 });
  for (const name of await namesIn(from)) {
    if (/^[0-9a-f]{64}\.json$/.test(name)) await copyFile(join(from, name), join(to, name));
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
