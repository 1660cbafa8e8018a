import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { messageOf, sqliteCodeOf } from '../faults.ts';
import { writeFileAtomicSync } from '../files/atomic.ts';
import { DataFolderError } from './errors.ts';
import type { DataPaths } from './paths.ts';

/** A folder, the file whose lock is the folder's, and the one that says who holds it. */
export type LockPaths = Pick<DataPaths, 'folder' | 'lock' | 'holder'>;

const SQLITE_BUSY = 5;

interface Holder {
  readonly pid: number;
  readonly since: string;
}

/** What this process holds: a handle that nobody refers to would be closed, and its lock with it. */
const held = new Set<DatabaseSync>();

/**
 * Takes the folder for this process (I17). The lock is one that the operating system ends with the process, however it
 * ends: there is nothing stale to clean up. Who holds it stands in a file beside it, for the message only.
 */
export function lockFolder(paths: LockPaths): () => void {
  const db = new DatabaseSync(paths.lock, { timeout: 0 });
  try {
    db.exec('pragma journal_mode=delete; begin exclusive');
  } catch (error) {
    db.close();
    throw refused(paths, error);
  }
  held.add(db);
  writeFileAtomicSync(
    paths.holder,
    JSON.stringify({ pid: process.pid, since: new Date().toISOString() } satisfies Holder),
  );
  return () => {
    if (held.delete(db)) db.close();
  };
}

function refused(paths: LockPaths, error: unknown): DataFolderError {
  if (((sqliteCodeOf(error) ?? 0) & 0xff) !== SQLITE_BUSY)
    return new DataFolderError('unusable', `${paths.lock} cannot be locked: ${messageOf(error)}`, error);
  const holder = readHolder(paths);
  const who =
    holder === undefined
      ? 'another process'
      : `process ${holder.pid}${holder.pid === process.pid ? ' (this one)' : ''}, since ${holder.since}`;
  return new DataFolderError(
    'in-use',
    `${paths.folder} is in use by ${who}: one process holds a data folder. Stop it, or use another folder`,
    error,
  );
}

function readHolder(paths: LockPaths): Holder | undefined {
  try {
    return JSON.parse(readFileSync(paths.holder, 'utf8')) as Holder;
  } catch {
    return undefined;
  }
}
