import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rename, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import type { LogLine } from '@rondo/ports';
import { isMissing } from '../faults.ts';
import { isTemporary } from '../files/atomic.ts';
import { LogFile } from '../files/log-file.ts';
import type { DataPaths } from './paths.ts';

const PAGE = 5_000;

/** Hashes of the blobs of a data folder. */
export async function* blobsIn({ blobs }: DataPaths): AsyncGenerator<string> {
  for (const start of await namesIn(blobs))
    for (const rest of await namesIn(join(blobs, start))) if (!isTemporary(rest)) yield start + rest;
}

/** Hashes of the bundles of a data folder. */
export async function* bundlesIn({ bundles }: DataPaths): AsyncGenerator<string> {
  for (const name of await namesIn(bundles)) if (/^[0-9a-f]{64}\.json$/.test(name)) yield name.slice(0, 64);
}

export interface StoredLog {
  /** `{dag}/{run}/{task}/{map index or -}/{try}`, with names as they stand in paths. */
  readonly path: string;
  readonly file: string;
  linesFrom(line: number): AsyncIterable<readonly LogLine[]>;
}

export async function* logsIn({ logs }: DataPaths): AsyncGenerator<StoredLog> {
  if (!existsSync(logs)) return;
  const entries = await readdir(logs, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    if (!entry.isFile() || !entry.name.endsWith('.jsonl')) continue;
    const file = join(entry.parentPath, entry.name);
    const path = relative(logs, file).split(sep).join('/').slice(0, -'.jsonl'.length);
    yield { path, file, linesFrom: (line) => pagesOf(file, line) };
  }
}

async function* pagesOf(file: string, from: number): AsyncGenerator<readonly LogLine[]> {
  const log = new LogFile(file);
  for (let next = from; ;) {
    const page = await log.read(next, PAGE);
    if (page.lines.length === 0) return;
    yield page.lines;
    next = page.next;
  }
}

/** Copies a log into a folder of logs, where it is there whole or as it was; answers whether anything was missing. */
export async function copyLog({ path, file }: StoredLog, logs: string): Promise<boolean> {
  const target = join(logs, `${path}.jsonl`);
  if (existsSync(target) && (await stat(target)).size === (await stat(file)).size) return false;
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  const building = `${target}.new`;
  await copyFile(file, building);
  await rename(building, target);
  return true;
}

/** What proves that the history is the one that was signed: the signed heads, and the public key. */
export async function proofsIn({ anchors, keys }: DataPaths): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const [name, file] of [
    ['history/anchors.jsonl', anchors],
    ['history/history.pub', join(keys, 'history.pub')],
  ] as const)
    if (existsSync(file)) files.set(name, await readFile(file));
  return files;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
