import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { messageOf } from '../faults.ts';
import { DataFolderError } from './errors.ts';
import { ensureFormat, FOLDER_MIGRATIONS, type FolderMigration } from './format.ts';
import { lockFolder } from './lock.ts';
import { dataPaths, type DataPaths } from './paths.ts';

export interface DataFolder {
  readonly paths: DataPaths;
  /** Lets another process have the folder. */
  release(): void;
}

/**
 * Takes a data folder for this process: makes it if it is not there (mode 0700), locks it, and brings it to this release's
 * format. Rejects with DataFolderError when another process holds it or a newer release has written it.
 */
export async function openDataFolder(
  path: string,
  options: { readonly migrations?: readonly FolderMigration[] } = {},
): Promise<DataFolder> {
  const paths = dataPaths(resolve(path));
  makeFolders(paths);
  const release = lockFolder(paths);
  try {
    await ensureFormat(paths, options.migrations ?? FOLDER_MIGRATIONS);
  } catch (error) {
    release();
    throw error;
  }
  return { paths, release };
}

function makeFolders(paths: DataPaths): void {
  try {
    for (const folder of [paths.folder, paths.blobs, paths.bundles, paths.logs, paths.keys])
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    if ((statSync(paths.folder).mode & 0o077) !== 0) chmodSync(paths.folder, 0o700);
  } catch (error) {
    throw new DataFolderError(
      'unusable',
      `${paths.folder} cannot be used as a data folder: ${messageOf(error)}`,
      error,
    );
  }
}
