import { accessSync, constants, readdirSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

/** What a child may do on the file system: everything but `closed` and what lies below. */
export interface Grants {
  readonly read: readonly string[];
  readonly write: readonly string[];
  /** Folders above a closed one. A grant of a folder that exists includes all below it, so that these need aliases. */
  readonly ancestors: readonly string[];
}

export interface GrantRequest {
  /** Absolute paths that user code is kept out of. */
  readonly closed: readonly string[];
  /** Absolute paths below a closed one that may be read, or read and written. */
  readonly readable: readonly string[];
  readonly writable: readonly string[];
}

/** Characters that names of files begin with or hold: letters, digits and these. */
const CHARACTERS = Array.from('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 !#$%&()+,-.=@[]^_{}~');
/** Ways around a path, through the root or the working folder of a process, its own included. */
const PROC = '/proc';
const OPEN_IN_PROC = /^(?!self$|thread-self$)\D/;

/**
 * Node grants by path prefix and has no "all but": this grants every prefix that leaves the closed paths. In folders that
 * get no new entries (`/`, and those that this process cannot write to) these are the entries that there are; in others,
 * character by character, all names that there may ever be. Names with characters other than `CHARACTERS` are granted
 * where they exist now.
 */
export function grantsFor({ closed, readable, writable }: GrantRequest): Grants {
  const paths = [...new Set(closed.flatMap((path) => [resolve(path), realPathOf(resolve(path))]))];
  const byFolder = new Map<string, Set<string>>();
  for (const path of paths) {
    for (let below = path, folder = dirname(path); folder !== below; below = folder, folder = dirname(folder)) {
      byFolder.set(folder, (byFolder.get(folder) ?? new Set()).add(basename(below)));
    }
  }
  const open = [...byFolder].flatMap(([folder, names]) => {
    const existing = existingIn(folder);
    const taken = names.union(
      new Set(existing.filter((name) => join(folder, name) === PROC || leadsTo(join(folder, name), paths))),
    );
    const entries = existing.filter((name) => !taken.has(name));
    return isFixed(folder)
      ? entries.map((name) => join(folder, name))
      : [...besides(folder, taken), ...entries.filter(isExotic).map((name) => join(folder, name))];
  });
  open.push(
    ...existingIn(PROC)
      .filter((name) => OPEN_IN_PROC.test(name))
      .map((name) => join(PROC, name)),
  );
  const below = (folder: string): string[] => [...new Set([folder, realPathOf(folder)])].map((path) => `${path}/*`);
  return {
    read: [...open, ...[...readable, ...writable].flatMap(below)],
    write: [...open, ...writable.flatMap(below)],
    ancestors: [...byFolder.keys()],
  };
}

/** Whether a path is a link to a closed one, or to a folder above one. */
function leadsTo(path: string, closed: readonly string[]): boolean {
  const real = realPathOf(path);
  return real !== path && closed.some((one) => one === real || one.startsWith(real === '/' ? '/' : `${real}/`));
}

/** Prefixes of all names in a folder but these. */
function besides(folder: string, names: ReadonlySet<string>): string[] {
  const grants: string[] = [];
  const prefixes = new Set(
    [...names].flatMap((name) => Array.from({ length: name.length + 1 }, (_, length) => name.slice(0, length))),
  );
  for (const prefix of prefixes) {
    const path = folder === '/' ? `/${prefix}` : `${folder}/${prefix}`;
    for (const character of CHARACTERS) if (!prefixes.has(prefix + character)) grants.push(`${path}${character}*`);
    // A shorter name beside a closed one. `.` and `..` are no names.
    if (prefix !== '' && prefix !== '.' && prefix !== '..' && !names.has(prefix)) grants.push(`${path}/*`);
  }
  return grants;
}

/** Whether user code could not make new entries in a folder, so that what there is now is all there will be. */
function isFixed(folder: string): boolean {
  if (folder === '/') return true;
  try {
    accessSync(folder, constants.W_OK);
    return false;
  } catch {
    return true;
  }
}

function isExotic(name: string): boolean {
  return [...name].some((character) => !CHARACTERS.includes(character));
}

function existingIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function realPathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
