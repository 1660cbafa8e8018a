import { chmod, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileBundleStore } from '@rondo/adapter-embedded';
import type { BlobStore, GatewayLine } from '@rondo/ports';

export interface BundleCacheOptions {
  /** Of its own; made when missing. */
  readonly folder: string;
  /** Those that are likely to answer first. */
  readonly lines: () => readonly GatewayLine[];
  /** What is kept of bundles that nobody uses; those in use are kept in any case. Default 2 GiB. */
  readonly maxBytes?: number;
  /** How long gateways may be away before a bundle is given up. Milliseconds, default 2 minutes. */
  readonly patienceMs?: number;
}

interface Kept {
  readonly bytes: number;
  usedAt: number;
  isUsed: boolean;
}

const MAX_BYTES = 2 * 1_073_741_824;
const PATIENCE_MS = 120_000;
const LONGEST_PAUSE_MS = 5_000;
const HASH = /^[0-9a-f]{64}$/;

/** Bundles from the gateways, unpacked on this disk under their hashes; the least recently used of no use go first. */
export class BundleCache {
  readonly #options: BundleCacheOptions;
  readonly #kept = new Map<string, Kept>();
  readonly #fetches = new Map<string, Promise<string>>();
  #ready: Promise<void> | undefined;
  #evicting: Promise<void> = Promise.resolve();

  constructor(options: BundleCacheOptions) {
    this.#options = options;
  }

  /** The folder of a bundle, in use until `release`. Requests that come together share one fetch. */
  async materialise(hash: string): Promise<string> {
    if (!HASH.test(hash)) throw new TypeError(`'${hash}' is no hash of a bundle`);
    await (this.#ready ??= this.#scan());
    // What is being removed is gone before it is looked for.
    await this.#evicting;
    const kept = this.#kept.get(hash);
    if (kept !== undefined) {
      kept.isUsed = true;
      return this.#pathOf(hash);
    }
    let fetch = this.#fetches.get(hash);
    if (fetch === undefined) {
      fetch = this.#fetch(hash).finally(() => this.#fetches.delete(hash));
      this.#fetches.set(hash, fetch);
    }
    return fetch;
  }

  release(hash: string): void {
    const kept = this.#kept.get(hash);
    if (kept === undefined) return;
    kept.isUsed = false;
    kept.usedAt = performance.now();
    this.#evict();
  }

  async #fetch(hash: string): Promise<string> {
    const files = await this.#download(hash);
    const { folder } = this.#options;
    // The bytes are there: only the unpacked folder is kept.
    const store = fileBundleStore({ folder, blobs: passingBlobs() });
    const actual = await store.putBundle(files);
    if (actual !== hash) {
      await rm(join(folder, `${actual}.json`), { force: true });
      throw new Error(`a gateway has sent other files for bundle ${hash}: theirs have the hash ${actual}`);
    }
    const path = await store.materialise(hash);
    const bytes = files.values().reduce((sum, each) => sum + each.length, 0);
    this.#kept.set(hash, { bytes, usedAt: performance.now(), isUsed: true });
    this.#evict();
    return path;
  }

  async #download(hash: string): Promise<ReadonlyMap<string, Uint8Array>> {
    const { lines, patienceMs = PATIENCE_MS } = this.#options;
    const until = performance.now() + patienceMs;
    for (let round = 0; ; round++) {
      let problem: unknown = new Error('no gateway is configured');
      let isMissing = false;
      for (const line of lines()) {
        try {
          const files = await line.fetchBundle(hash);
          if (files !== undefined) return files;
          isMissing = true;
        } catch (error) {
          problem = error;
        }
      }
      if (isMissing) throw new Error(`no gateway has a bundle ${hash}`);
      const pause = Math.min(LONGEST_PAUSE_MS, 100 * 2 ** Math.min(round, 10));
      if (performance.now() + pause > until) throw problem;
      await sleep(pause, undefined, { ref: false });
    }
  }

  #evict(): void {
    const { maxBytes = MAX_BYTES } = this.#options;
    let bytes = this.#kept.values().reduce((sum, each) => sum + each.bytes, 0);
    const unused = [...this.#kept].filter(([, { isUsed }]) => !isUsed).toSorted(([, a], [, b]) => a.usedAt - b.usedAt);
    for (const [hash, kept] of unused) {
      if (bytes <= maxBytes) return;
      bytes -= kept.bytes;
      this.#kept.delete(hash);
      this.#evicting = this.#evicting.then(() => this.#remove(hash)).catch(() => undefined);
    }
  }

  async #remove(hash: string): Promise<void> {
    const path = this.#pathOf(hash);
    await rm(`${path}.json`, { force: true });
    await openFolders(path);
    await rm(path, { recursive: true, force: true });
  }

  /** What an earlier process has left; a folder that has a bundle's name is whole. */
  async #scan(): Promise<void> {
    const { folder } = this.#options;
    await mkdir(folder, { recursive: true });
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory() && HASH.test(entry.name)) {
        const { mtimeMs } = await stat(path);
        this.#kept.set(entry.name, { bytes: await sizeOf(path), usedAt: mtimeMs - Date.now(), isUsed: false });
      } else if (!entry.name.endsWith('.json')) {
        // Unpacking was interrupted.
        if (entry.isDirectory()) await openFolders(path);
        await rm(path, { recursive: true, force: true });
      }
    }
    this.#evict();
  }

  #pathOf(hash: string): string {
    return join(this.#options.folder, hash);
  }
}

/** Blobs between a download and its folder. */
function passingBlobs(): BlobStore {
  const blobs = new Map<string, Uint8Array>();
  return {
    put: async (bytes) => {
      const hash = createHash('sha256').update(bytes).digest('hex');
      blobs.set(hash, bytes);
      return hash;
    },
    get: async (hash) => blobs.get(hash),
  };
}

async function sizeOf(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += await sizeOf(path);
    else if (entry.isFile()) bytes += (await stat(path)).size;
  }
  return bytes;
}

/** Folders of a bundle are closed to writing. */
async function openFolders(folder: string): Promise<void> {
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true }))
    if (entry.isDirectory()) await openFolders(join(folder, entry.name));
}
