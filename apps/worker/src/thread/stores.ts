import type { BundleStore, LogStore } from '@rondo/ports';

/** What a worker's thread stores to and loads from. */
export interface WorkerStores {
  readonly logs: LogStore;
  readonly bundles: Pick<BundleStore, 'materialise'> & {
    /** No process uses its folder any more: it may go, until it is asked for again. */
    release?(hash: string): void;
  };
  close?(): Promise<void>;
}

/** A module named in `WorkerOptions.stores` exports this as `openWorkerStores`. It is called in the worker's thread. */
export type OpenWorkerStores = (options: unknown) => WorkerStores | Promise<WorkerStores>;
