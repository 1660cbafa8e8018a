import { lstatSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

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

/** Ways around a path: through the root or the working folder of a process, its own included. */
const PROC = process.platform === 'linux' ? ['/proc/self', '/proc/thread-self', ...Array.from({ length: 10 }, (_, digit) => `/proc/${digit}`)] : [];
const PRINTABLE = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).filter((char) => char !== '*' && char !== '/');

/**
 * Node grants by path prefix and has no "all but": this grants every prefix that leaves the closed paths, character by
 * character. Paths that differ from a closed one first in a character outside ASCII are granted where they exist now.
 */
export function grantsFor({ closed, readable, writable }: GrantRequest): Grants {
  const paths = [...new Set(closed.flatMap((path) => [resolve(path), realPathOf(resolve(path))]))];
  const root: Trie = new Map();
  for (const path of paths) insert(root, `${path}/`);
  // A number in /proc stands for every process: closed with all that begins with it.
  for (const path of PROC) insert(root, /\d$/.test(path) ? path : `${path}/`);
  const open: string[] = [];
  walk(root, '', open);
  const ancestors = [...new Set(paths.flatMap(ancestorsOf))];
  for (const folder of ancestors) open.push(...exoticEntries(folder, paths));
  const below = (folder: string): string[] => [...new Set([folder, realPathOf(folder)])].map((path) => `${path}/*`);
  return { read: [...open, ...[...readable, ...writable].flatMap(below)], write: [...open, ...writable.flatMap(below)], ancestors };
}

type Trie = Map<string, Trie>;

function insert(trie: Trie, path: string): void {
  for (const char of path) {
    let next = trie.get(char);
    if (next === undefined) trie.set(char, (next = new Map()));
    trie = next;
  }
}

/** `trie`: what closed paths go on with after `prefix`. */
function walk(trie: Trie, prefix: string, open: string[]): void {
  if (trie.size === 0) return;
  if (prefix !== '') for (const char of PRINTABLE) if (!trie.has(char)) open.push(`${prefix}${char}*`);
  const name = prefix.slice(prefix.lastIndexOf('/') + 1);
  // A shorter name beside a closed path: the folder of that name. `.` and `..` are no names.
  if (name !== '' && name !== '.' && name !== '..' && !trie.has('/')) open.push(`${prefix}/*`);
  for (const [char, next] of trie) walk(next, prefix + char, open);
}

function ancestorsOf(path: string): string[] {
  const found: string[] = [];
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    found.push(folder);
    if (folder === dirname(folder)) return found;
  }
}

function exoticEntries(folder: string, closed: readonly string[]): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  const apart = (path: string): boolean => closed.every((one) => one !== path && !one.startsWith(`${path}/`));
  return names.map((name) => join(folder, name)).filter((path) => /[^\u0020-\u007e]/.test(path) && apart(path)).flatMap((path) => (isFolder(path) ? [`${path}/*`] : [path]));
}

function isFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function realPathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
