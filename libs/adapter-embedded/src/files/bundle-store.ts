import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, readlink, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BlobStore, BundleManifest, BundleStore } from '@rondo/ports';
import { isMissing } from '../faults.ts';
import { writeDurable, writeFileAtomic } from './atomic.ts';
import { checkHash, sha256 } from './blob-store.ts';

export interface FileBundleStoreOptions {
  /** Manifests (`{hash}.json`). */
  readonly folder: string;
  /** Materialised bundles (`{hash}/`): one of this machine's own, where `folder` is shared with others. Default: `folder`. */
  readonly materialised?: string;
  readonly blobs: BlobStore;
  /** A `node_modules` folder that the bundles' bare imports are to find. Default none. */
  readonly nodeModules?: string;
}

/** Bundles over a blob store, materialised as folders that nobody can write to. */
export function fileBundleStore(options: FileBundleStoreOptions): BundleStore {
  return new FileBundleStore(options);
}

const LINK = 'node_modules';

class FileBundleStore implements BundleStore {
  readonly #folder: string;
  readonly #targets: string;
  readonly #blobs: BlobStore;
  readonly #nodeModules: string | undefined;
  readonly #materialised = new Map<string, Promise<string>>();

  constructor(options: FileBundleStoreOptions) {
    this.#folder = options.folder;
    this.#targets = options.materialised ?? options.folder;
    this.#blobs = options.blobs;
    this.#nodeModules = options.nodeModules;
  }

  async putBundle(files: ReadonlyMap<string, Uint8Array>): Promise<string> {
    for (const path of files.keys()) checkPath(path);
    const sorted = [...files].toSorted(([a], [b]) => (a < b ? -1 : 1));
    const entries: [string, string][] = [];
    for (const [path, bytes] of sorted) entries.push([path, await this.#blobs.put(bytes)]);
    const manifest = JSON.stringify({ files: Object.fromEntries(entries) } satisfies BundleManifest);
    const hash = sha256(manifest);
    if ((await this.getManifest(hash)) === undefined) {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await writeFileAtomic(this.#manifestOf(hash), Buffer.from(manifest), 0o400);
    }
    return hash;
  }

  async getManifest(hash: string): Promise<BundleManifest | undefined> {
    checkHash(hash);
    let text: string;
    try {
      text = await readFile(this.#manifestOf(hash), 'utf8');
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
    if (sha256(text) !== hash) throw new Error(`${this.#manifestOf(hash)} is damaged: its bytes do not match its hash`);
    return JSON.parse(text) as BundleManifest;
  }

  async readFile(hash: string, path: string): Promise<Uint8Array | undefined> {
    const files = (await this.getManifest(hash))?.files;
    if (files === undefined || !Object.hasOwn(files, path)) return undefined;
    return this.#blobs.get(files[path]!);
  }

  materialise(hash: string): Promise<string> {
    let folder = this.#materialised.get(hash);
    if (folder === undefined) {
      folder = this.#materialise(hash);
      this.#materialised.set(hash, folder);
      folder.catch(() => this.#materialised.delete(hash));
    }
    return folder;
  }

  async #materialise(hash: string): Promise<string> {
    const manifest = await this.getManifest(hash);
    if (manifest === undefined) throw new Error(`there is no bundle ${hash} in ${this.#folder}`);
    const target = join(this.#targets, hash);
    if (await isFolder(target)) {
      await this.#relink(target);
      return target;
    }
    await mkdir(this.#targets, { recursive: true, mode: 0o700 });
    const building = await mkdtemp(join(this.#targets, '.new-'));
    try {
      await this.#write(building, manifest);
      await rename(building, target);
    } catch (error) {
      await removeReadOnly(building);
      // Another process has been faster: what it made is the same.
      if (!(await isFolder(target))) throw error;
    }
    return target;
  }

  async #write(folder: string, manifest: BundleManifest): Promise<void> {
    for (const [path, blob] of Object.entries(manifest.files)) {
      const bytes = await this.#blobs.get(blob);
      if (bytes === undefined) throw new Error(`the blob ${blob} of '${path}' is missing`);
      const file = join(folder, path);
      await mkdir(dirname(file), { recursive: true });
      await writeDurable(file, bytes, 0o444);
    }
    if (this.#nodeModules !== undefined) await symlink(this.#nodeModules, join(folder, LINK), 'dir');
    await setFolderModes(folder, 0o555);
  }

  /** The checkout may have moved since the folder was made. Another process may do the same at this moment. */
  async #relink(folder: string): Promise<void> {
    const link = join(folder, LINK);
    for (let tries = 1; (await linkTarget(link)) !== this.#nodeModules; tries++)
      try {
        await chmod(folder, 0o755);
        await rm(link, { force: true });
        if (this.#nodeModules !== undefined) await symlink(this.#nodeModules, link, 'dir');
        await chmod(folder, 0o555);
      } catch (error) {
        if (tries >= 10) throw error;
      }
  }

  #manifestOf(hash: string): string {
    return join(this.#folder, `${hash}.json`);
  }
}

function checkPath(path: string): void {
  const parts = path.split('/');
  const bad =
    parts.some((part) => part === '' || part === '.' || part === '..') || /[\\\0]/.test(path) || parts[0] === LINK;
  if (bad)
    throw new TypeError(
      `'${path}' cannot be a file of a bundle: a path relative to the DAG folder is allowed, with '/', without '..', not in node_modules`,
    );
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isDirectory();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function setFolderModes(folder: string, mode: number): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await setFolderModes(join(folder, entry.name), mode);
  }
  await chmod(folder, mode);
}

async function removeReadOnly(folder: string): Promise<void> {
  await setFolderModes(folder, 0o755);
  await rm(folder, { recursive: true, force: true });
}
