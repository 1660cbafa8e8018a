import type { BlobStore, BundleStore, LogLine, LogStore } from '@rondo/ports';
import { s3BlobStore } from './blob-store.ts';
import { Bucket, type BucketOptions } from './bucket.ts';
import { s3BundleStore } from './bundle-store.ts';
import { s3LogStore, type S3LogOptions } from './log-store.ts';

export interface S3Options extends BucketOptions, S3LogOptions {
  /** Where bundles are materialised on this machine: a store of files that may be thrown away at any time. */
  readonly local: BundleStore;
}

export interface S3Stores {
  readonly blobs: BlobStore;
  readonly bundles: BundleStore;
  readonly logs: LogStore;
  /**
   * Brings in a log that was kept elsewhere under this path, `{dag}/{run}/{task}/{map index or -}/{try}`: what is there already
   * is gone on from. Answers the number of lines that were missing.
   */
  importLog(path: string, linesFrom: (line: number) => AsyncIterable<readonly LogLine[]>): Promise<number>;
  /** Keeps a small file under a name of its own. */
  putFile(name: string, bytes: Uint8Array): Promise<void>;
  /** Rejects, with the reason, when the bucket cannot be used. */
  check(): Promise<void>;
  close(): Promise<void>;
}

/** Blobs, bundles and logs in one bucket of Amazon S3 or of a server that speaks its protocol and knows conditional writes. */
export function s3Stores(options: S3Options): S3Stores {
  const bucket = new Bucket(options);
  const blobs = s3BlobStore(bucket);
  const logs = s3LogStore(bucket, options);
  return {
    blobs,
    bundles: s3BundleStore(bucket, blobs, options.local),
    logs,
    importLog: (path, linesFrom) => logs.import(path, linesFrom),
    putFile: (name, bytes) => bucket.put(name, bytes),
    check: () => bucket.check(),
    close: async () => {
      await logs.close();
      bucket.close();
    },
  };
}
