import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { syncFolderSync } from '../files/atomic.ts';
import { DataFolderError } from '../folder/errors.ts';
import { dataPaths } from '../folder/paths.ts';

/**
 * Copies the keys of sealed runs, which no backup of the folder holds; the platform may run meanwhile. A file that is there is
 * replaced whole, so that keys which were deleted since are gone from the copy too. Answers how many keys it has.
 */
export function backupRunKeys(folder: string, file: string): { readonly path: string; readonly keys: number } {
  const { runKeys } = dataPaths(resolve(folder));
  const path = resolve(file);
  if (!existsSync(runKeys))
    throw new DataFolderError('unusable', `there are no keys of sealed runs: ${runKeys} does not exist`);
  const next = `${path}.next`;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  rmSync(next, { force: true });
  closeSync(openSync(next, 'wx', 0o600));
  const db = new DatabaseSync(runKeys, { readOnly: true, timeout: 10_000 });
  try {
    // Live rows only: no byte of a deleted key can be in it.
    db.prepare('vacuum into ?').run(next);
    const row = db.prepare('select count(key) as keys from run_keys').get();
    const fd = openSync(next, 'r+');
    fsyncSync(fd);
    closeSync(fd);
    renameSync(next, path);
    syncFolderSync(dirname(path));
    return { path, keys: Number(row?.['keys']) };
  } finally {
    db.close();
    rmSync(next, { force: true });
  }
}
