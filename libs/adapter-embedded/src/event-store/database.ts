import { DatabaseSync } from 'node:sqlite';
import { messageOf, sqliteCodeOf } from '../faults.ts';

/**
 * The tables of `events.db`. Positions are dense: a gap is a missing event. `mark` ties a row to its place, and `follows` is the
 * stream of the event before it in the whole history: both prove nothing, but let a check name what is wrong.
 */
const EVENTS_SCHEMA = `
create table if not exists streams(id integer primary key, name text not null unique) strict;
create table if not exists events(
  position integer primary key,
  stream integer not null,
  revision integer not null,
  id text not null,
  type text not null,
  data text not null,
  meta text not null,
  mark integer not null,
  follows integer not null
) strict;
create unique index if not exists events_of_stream on events(stream, revision);
create table if not exists commits(time integer primary key, position integer not null) strict;
create table if not exists any_ids(stream integer not null, id text not null, revision integer not null, primary key(stream, id)) strict, without rowid;
`;

const SNAPSHOTS_SCHEMA =
  'create table if not exists snapshots(stream text primary key, revision integer not null, state text not null) strict, without rowid;';

export interface DatabaseOptions {
  /** How long a write waits for another process's lock, in milliseconds. */
  readonly busyTimeoutMs: number;
  /** A bound on the file's size, in pages of 4,096 bytes; 0 for none. */
  readonly maxPages: number;
}

export function openEventsDatabase(file: string, options: DatabaseOptions): DatabaseSync {
  const db = new DatabaseSync(file, { timeout: options.busyTimeoutMs, enableForeignKeyConstraints: false });
  db.exec(
    'pragma journal_mode=wal; pragma synchronous=full; pragma wal_autocheckpoint=2000; pragma cache_size=-32000; pragma temp_store=memory',
  );
  db.exec(`begin immediate; ${EVENTS_SCHEMA} commit`);
  if (options.maxPages > 0) db.exec(`pragma max_page_count=${options.maxPages}`);
  return db;
}

/** Snapshots are a shortcut: they are written without waiting for the disk, and a damaged file is made anew. */
export function openSnapshotsDatabase(file: string, remove: (file: string) => void): DatabaseSync {
  const open = (): DatabaseSync => {
    const db = new DatabaseSync(file, { timeout: 1_000 });
    try {
      db.exec(`pragma journal_mode=wal; pragma synchronous=off; ${SNAPSHOTS_SCHEMA}`);
      db.prepare('select count(*) from snapshots where stream = ?').get('');
      return db;
    } catch (error) {
      db.close();
      throw error;
    }
  };
  try {
    return open();
  } catch {
    for (const suffix of ['', '-wal', '-shm']) remove(file + suffix);
    return open();
  }
}

const RESULT = {
  busy: 5,
  locked: 6,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notADatabase: 26,
} as const;

export interface DatabaseFault {
  readonly message: string;
  readonly retryable: boolean;
}

/** What went wrong with a database file, in words; undefined for an error that is a bug. */
export function databaseFault(file: string, error: unknown): DatabaseFault | undefined {
  const code = sqliteCodeOf(error);
  if (code === undefined) return undefined;
  const detail = `SQLite: ${messageOf(error)}, code ${code}`;
  switch (code & 0xff) {
    case RESULT.busy:
    case RESULT.locked:
      return { message: `${file} is locked by another process; nothing was written (${detail})`, retryable: true };
    case RESULT.full:
      return {
        message: `${file} cannot grow: the disk or the quota is full; nothing was written (${detail})`,
        retryable: true,
      };
    case RESULT.ioError:
      return {
        message: `${file} could not be read or written (a full disk, a file size limit, or a failing disk); nothing was written (${detail})`,
        retryable: true,
      };
    case RESULT.readOnly:
    case RESULT.cannotOpen:
      return {
        message: `${file} cannot be opened for writing: check its owner and permissions (${detail})`,
        retryable: false,
      };
    case RESULT.corrupt:
    case RESULT.notADatabase:
      return { message: `${file} is damaged: restore it from a backup (${detail})`, retryable: false };
    default:
      return { message: `${file}: ${detail}`, retryable: false };
  }
}
