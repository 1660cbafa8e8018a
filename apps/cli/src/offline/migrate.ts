import { existsSync } from 'node:fs';
import {
  blobsIn,
  bundlesIn,
  DataFolderError,
  dataPaths,
  fileBlobStore,
  fileBundleStore,
  logsIn,
  openDataFolder,
  openEmbeddedEventStore,
  proofsIn,
  truncatedStreams,
  verifyHistory,
  type DataPaths,
} from '@rondo/adapter-embedded';
import { eventStoreDb } from '@rondo/adapter-eventstoredb';
import { copyHistory, type CopyProgress, type CopyReport } from '@rondo/application';
import { copyRunKeys, keysIn, type KeysReport } from './migrate-keys.ts';
import { openFileTarget, type FileTarget, type FileTargetOptions } from './file-target.ts';

export interface MigrateOptions {
  readonly folder: string;
  /** `esdb://…`. */
  readonly store: string;
  readonly files?: FileTargetOptions;
  /** The PostgreSQL database of the keys of sealed runs: `postgres://…`. */
  readonly runKeys?: string;
  readonly onProgress?: (progress: CopyProgress) => void;
}

export interface FilesReport {
  readonly target: string;
  readonly blobs: number;
  readonly bundles: number;
  readonly logs: number;
}

export interface MigrateReport extends CopyReport {
  readonly signedHeads: number;
  readonly runKeys?: KeysReport;
  /** Keys of sealed runs that were not brought along: without them what they have sealed reads as erased. */
  readonly keysLeft?: number;
  readonly files?: FilesReport;
}

/**
 * Moves a data folder, on which no platform runs, to an event store and to shared files. The source is verified first and
 * stays as it is; files and keys come before the events that need them.
 */
export async function migrate({ folder, store, files, runKeys, onProgress }: MigrateOptions): Promise<MigrateReport> {
  const paths = dataPaths(folder);
  if (!existsSync(paths.events))
    throw new DataFolderError('unusable', `there is no history to migrate: ${paths.events} does not exist`);
  const held = await openDataFolder(folder);
  try {
    if (existsSync(paths.archives)) mustBeComplete(paths);
    const { faults, signedHeads } = await verifyHistory(paths);
    if (faults[0] !== undefined)
      throw new DataFolderError(
        'unusable',
        `the history of ${folder} is not whole, nothing was migrated: ${faults[0].message} (${faults.length} faults)`,
      );
    const copiedFiles = files === undefined ? undefined : await copyFiles(paths, files);
    const keys = runKeys === undefined ? keysLeftIn(paths) : { runKeys: await copyRunKeys(paths, runKeys) };
    const copied = await copyEvents(folder, store, onProgress);
    return { ...copied, signedHeads, ...keys, ...(copiedFiles === undefined ? {} : { files: copiedFiles }) };
  } finally {
    held.release();
  }
}

function keysLeftIn(paths: DataPaths): { readonly keysLeft?: number } {
  const keysLeft = keysIn(paths);
  return keysLeft === 0 ? {} : { keysLeft };
}

/** A store gives revisions from 0: a stream that begins later cannot be written to it. */
function mustBeComplete({ folder, events }: DataPaths): void {
  const streams = truncatedStreams(events);
  if (streams > 0)
    throw new DataFolderError(
      'unusable',
      `events of ${streams} runs of ${folder} were archived and taken away: restore the archives first (rondo archive restore)`,
    );
}

async function copyEvents(
  folder: string,
  connectionString: string,
  onProgress?: (progress: CopyProgress) => void,
): Promise<CopyReport> {
  const source = await openEmbeddedEventStore({ folder });
  try {
    const target = eventStoreDb({ connectionString });
    try {
      return await copyHistory(source, target, onProgress);
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

async function copyFiles(paths: DataPaths, options: FileTargetOptions): Promise<FilesReport> {
  const target = await openFileTarget(options, paths);
  try {
    const blobs = await copyBlobs(paths, target);
    const bundles = await copyBundles(paths, target);
    let logs = 0;
    for await (const log of logsIn(paths)) {
      await target.putLog(log);
      logs += 1;
    }
    for (const [name, bytes] of await proofsIn(paths)) await target.putFile(name, bytes);
    return { target: target.name, blobs, bundles, logs };
  } finally {
    await target.close();
  }
}

async function copyBlobs(paths: DataPaths, target: FileTarget): Promise<number> {
  const source = fileBlobStore(paths.blobs);
  let blobs = 0;
  for await (const hash of blobsIn(paths)) {
    await target.blobs.put((await source.get(hash))!);
    blobs += 1;
  }
  return blobs;
}

async function copyBundles(paths: DataPaths, target: FileTarget): Promise<number> {
  const source = fileBundleStore({ folder: paths.bundles, blobs: fileBlobStore(paths.blobs) });
  let bundles = 0;
  for await (const hash of bundlesIn(paths)) {
    const files = new Map<string, Uint8Array>();
    for (const path of Object.keys((await source.getManifest(hash))!.files)) {
      const bytes = await source.readFile(hash, path);
      if (bytes === undefined)
        throw new DataFolderError(
          'unusable',
          `the bundle ${hash} has lost its file '${path}': restore it from a backup`,
        );
      files.set(path, bytes);
    }
    await target.bundles.putBundle(files);
    bundles += 1;
  }
  return bundles;
}
