import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BundleStore } from '@rondo/ports';
import { listFolder, type FolderFile } from '../dag-source/folder.ts';

/** Larger files are data and not code: a DAG file does not need them to be loaded. */
const LARGEST_FILE = 16 * 1024 * 1024;
/** Bytes of files that are kept, so that after an edit only that file is read again. */
const MOST_KEPT = 64 * 1024 * 1024;

interface Kept {
  readonly stamp: string;
  readonly bytes: Uint8Array;
}

interface Packed {
  readonly stamps: string;
  readonly hash: string;
}

/** The content of folders as bundles, so that another machine can load what is in them. */
export class FolderBundles {
  private readonly bundles: Pick<BundleStore, 'putBundle'>;
  private readonly kept = new Map<string, Map<string, Kept>>();
  private readonly packed = new Map<string, Packed>();
  private readonly packing = new Map<string, Promise<string>>();

  constructor(bundles: Pick<BundleStore, 'putBundle'>) {
    this.bundles = bundles;
  }

  /** The hash of a bundle with all files of the folder, as they are now. */
  pack(root: string): Promise<string> {
    const under = this.packing.get(root);
    // What began before this was asked for may have missed the latest edit.
    const packing = (under ?? Promise.resolve('')).then(
      () => this.packNow(root),
      () => this.packNow(root),
    );
    this.packing.set(root, packing);
    return packing;
  }

  private async packNow(root: string): Promise<string> {
    const listing = (await listFolder(root)).filter(({ size }) => size <= LARGEST_FILE);
    const stamps = listing.map(({ path, stamp }) => `${path}\0${stamp}`).join('\n');
    const before = this.packed.get(root);
    if (before?.stamps === stamps) return before.hash;
    const files = await this.read(root, listing);
    const hash = await this.bundles.putBundle(files);
    this.packed.set(root, { stamps, hash });
    return hash;
  }

  private async read(root: string, listing: readonly FolderFile[]): Promise<ReadonlyMap<string, Uint8Array>> {
    const before = this.kept.get(root);
    const kept = new Map<string, Kept>();
    const files = new Map<string, Uint8Array>();
    let room = MOST_KEPT;
    for (const { path, stamp, size } of listing) {
      const known = before?.get(path);
      const bytes = known?.stamp === stamp ? known.bytes : await readFile(join(root, path));
      files.set(path, bytes);
      room -= size;
      if (room > 0) kept.set(path, { stamp, bytes });
    }
    this.kept.set(root, kept);
    return files;
  }
}
