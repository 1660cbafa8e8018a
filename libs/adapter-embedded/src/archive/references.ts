import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataPaths } from '../folder/paths.ts';

const HASH = /\b[0-9a-f]{64}\b/g;
/** Only definitions and manifests refer to other files, and they are no larger. */
const MOST_BYTES = 8 * 1024 * 1024;

export const blobPath = (hash: string): string => join(hash.slice(0, 2), hash.slice(2));

/**
 * The blobs and bundles that texts refer to, themselves or through what they refer to: whatever looks like a hash and is one
 * of a file. Rather one too many than one too few.
 */
export class References {
  readonly blobs = new Set<string>();
  readonly bundles = new Set<string>();
  readonly #paths: DataPaths;
  readonly #seen = new Set<string>();

  constructor(paths: DataPaths) {
    this.#paths = paths;
  }

  async add(text: string): Promise<void> {
    for (const [hash] of text.matchAll(HASH)) {
      if (this.#seen.has(hash)) continue;
      this.#seen.add(hash);
      const [blob, bundle] = [join(this.#paths.blobs, blobPath(hash)), join(this.#paths.bundles, `${hash}.json`)];
      if (existsSync(bundle)) {
        this.bundles.add(hash);
        await this.add(await readFile(bundle, 'utf8'));
      }
      if (!existsSync(blob)) continue;
      this.blobs.add(hash);
      const bytes = await readFile(blob);
      if (bytes.length <= MOST_BYTES && bytes[0] === 0x7b) await this.add(bytes.toString('latin1'));
    }
  }
}
