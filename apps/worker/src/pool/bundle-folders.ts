import type { WorkerStores } from '../thread/stores.ts';

interface Opened {
  readonly path: Promise<string>;
  /** Known once it is unpacked. */
  known: string | undefined;
  holds: number;
}

/** Local folders of bundles, each kept as long as a process uses it: what nobody holds may be removed. */
export class BundleFolders {
  readonly #bundles: WorkerStores['bundles'];
  readonly #opened = new Map<string, Opened>();

  constructor(bundles: WorkerStores['bundles']) {
    this.#bundles = bundles;
  }

  /** Holds the folder of a bundle that is unpacked and held already; undefined for another. */
  hold(hash: string): string | undefined {
    const opened = this.#opened.get(hash);
    if (opened?.known === undefined) return undefined;
    opened.holds++;
    return opened.known;
  }

  /** Unpacks the bundle where that is needed, and holds its folder until `free`. */
  async open(hash: string): Promise<string> {
    let opened = this.#opened.get(hash);
    if (opened === undefined)
      this.#opened.set(hash, (opened = { path: this.#bundles.materialise(hash), known: undefined, holds: 0 }));
    opened.holds++;
    try {
      return (opened.known = await opened.path);
    } catch (error) {
      this.free(hash);
      throw error;
    }
  }

  free(hash: string): void {
    const opened = this.#opened.get(hash);
    if (opened === undefined || --opened.holds > 0) return;
    this.#opened.delete(hash);
    this.#bundles.release?.(hash);
  }
}
