import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

const DAG_FILE = /\.(ts|mts|js|mjs)$/;
const NOT_DAG_FILE = /(\.d\.ts|\.(spec|test)\.\w+)$/;
const SKIPPED = new Set(['node_modules', '__pycache__', 'dist']);

export interface FolderFile {
  /** Relative to the folder, with `/`. */
  readonly path: string;
  /** Changes whenever the file's size, time or identity does. */
  readonly stamp: string;
  /** Bytes. */
  readonly size: number;
}

/** Every file of the DAG folder, hidden ones and `node_modules` left out; in order of path. */
export async function listFolder(root: string): Promise<readonly FolderFile[]> {
  const found: FolderFile[] = [];
  const walk = async (folder: string, prefix: string): Promise<void> => {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (entry.name.startsWith('.') || SKIPPED.has(entry.name)) continue;
      const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
      if (entry.isDirectory()) await walk(join(folder, entry.name), path);
      else if (entry.isFile()) {
        const info = await stat(join(folder, entry.name)).catch(() => undefined);
        if (info !== undefined)
          found.push({ path, stamp: `${info.ino}:${info.size}:${info.mtimeMs}`, size: info.size });
      }
    }
  };
  await walk(root, '');
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** A DAG file is a module with a default export; one whose name begins with `_` is a helper. */
export async function isDagFile(root: string, path: string): Promise<boolean> {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (!DAG_FILE.test(name) || NOT_DAG_FILE.test(name) || name.startsWith('_')) return false;
  const text = await readFile(join(root, path), 'utf8').catch(() => '');
  return /\bexport\s+default\b|\bas\s+default\b/.test(text);
}

export async function readFiles(root: string, paths: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const path of [...paths].sort()) files.set(path, await readFile(join(root, path)));
  return files;
}

export function fingerprintOf(files: ReadonlyMap<string, Uint8Array>, release: string): string {
  const digest = createHash('sha256').update(release);
  for (const [path, bytes] of files) digest.update(`\0${path}\0${bytes.length}\0`).update(bytes);
  return digest.digest('hex');
}
