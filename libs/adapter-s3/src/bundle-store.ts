import type { BlobStore, BundleManifest, BundleStore } from '@rondo/ports';
import { checkHash, sha256 } from './blob-store.ts';
import type { Bucket } from './bucket.ts';

/** Bundles over the bucket's blobs, with manifests `bundles/{hash}.json`; materialised by a store of this machine. */
export function s3BundleStore(bucket: Bucket, blobs: BlobStore, local: BundleStore): BundleStore {
  return new S3BundleStore(bucket, blobs, local);
}

const keyOf = (hash: string): string => `bundles/${hash}.json`;

class S3BundleStore implements BundleStore {
  readonly #bucket: Bucket;
  readonly #blobs: BlobStore;
  readonly #local: BundleStore;
  readonly #materialised = new Map<string, Promise<string>>();

  constructor(bucket: Bucket, blobs: BlobStore, local: BundleStore) {
    this.#bucket = bucket;
    this.#blobs = blobs;
    this.#local = local;
  }

  /** The manifest comes last: a bundle whose manifest stands has all its files. */
  async putBundle(files: ReadonlyMap<string, Uint8Array>): Promise<string> {
    const hash = await this.#local.putBundle(files);
    if ((await this.getManifest(hash)) !== undefined) return hash;
    for (const bytes of files.values()) await this.#blobs.put(bytes);
    const manifest: BundleManifest = (await this.#local.getManifest(hash))!;
    const bytes = Buffer.from(JSON.stringify(manifest));
    if (sha256(bytes) !== hash) throw new Error(`the manifest of bundle ${hash} does not have its hash`);
    await this.#bucket.put(keyOf(hash), bytes);
    return hash;
  }

  async getManifest(hash: string): Promise<BundleManifest | undefined> {
    checkHash(hash);
    const bytes = await this.#bucket.get(keyOf(hash));
    if (bytes === undefined) return undefined;
    if (sha256(bytes) !== hash)
      throw new Error(`the object ${keyOf(hash)} is damaged: its bytes do not match its hash`);
    return JSON.parse(Buffer.from(bytes).toString()) as BundleManifest;
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
    if ((await this.#local.getManifest(hash)) === undefined) await this.#fetch(hash);
    return this.#local.materialise(hash);
  }

  async #fetch(hash: string): Promise<void> {
    const manifest = await this.getManifest(hash);
    if (manifest === undefined) throw new Error(`there is no bundle ${hash} in the bucket`);
    const files = new Map<string, Uint8Array>();
    for (const [path, blob] of Object.entries(manifest.files)) {
      const bytes = await this.#blobs.get(blob);
      if (bytes === undefined) throw new Error(`the blob ${blob} of '${path}' is missing`);
      files.set(path, bytes);
    }
    const made = await this.#local.putBundle(files);
    if (made !== hash) throw new Error(`bundle ${hash} came as ${made}`);
  }
}
