import type { BundleStore } from '@rondo/ports';
import { ArchiveError } from './packs.ts';

const MOST_KNOWN = 10_000;

/** Whether all of a bundle is there; runs of one version share it. */
export class BundleCheck {
  private readonly bundles: Pick<BundleStore, 'getManifest' | 'readFile'>;
  private readonly known = new Set<string>();

  constructor(bundles: Pick<BundleStore, 'getManifest' | 'readFile'>) {
    this.bundles = bundles;
  }

  /** Rejects with ArchiveError where something is missing. */
  async check(hash: string): Promise<void> {
    if (this.known.has(hash)) return;
    const manifest = await this.bundles.getManifest(hash);
    if (manifest === undefined) throw new ArchiveError(`the bundle ${hash} is gone`);
    for (const path of Object.keys(manifest.files))
      if ((await this.bundles.readFile(hash, path)) === undefined)
        throw new ArchiveError(`the bundle ${hash} has lost its file '${path}'`);
    if (this.known.size >= MOST_KNOWN) this.known.clear();
    this.known.add(hash);
  }
}
