import { fileBlobStore, fileBundleStore, fileLogStore } from '@rondo/adapter-embedded';

/** Where the worker's thread finds bundles and writes logs. Plain data: it crosses to the thread. */
export interface StoreFolders {
  readonly blobs: string;
  readonly bundles: string;
  readonly logs: string;
}

/** Called in the worker's thread. */
export function openWorkerStores(options: unknown) {
  const { blobs, bundles, logs } = options as StoreFolders;
  return {
    logs: fileLogStore(logs),
    bundles: fileBundleStore({ folder: bundles, blobs: fileBlobStore(blobs) }),
  };
}
