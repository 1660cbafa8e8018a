import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { copyLog, fileBlobStore, fileBundleStore, type DataPaths, type StoredLog } from '@rondo/adapter-embedded';
import type { BlobStore, BundleStore } from '@rondo/ports';
import { UsageError } from '../exit-codes.ts';

export interface FileTargetOptions {
  /** A folder, or `s3://bucket/prefix`. */
  readonly target: string;
  readonly endpoint?: string;
  readonly region?: string;
}

/** Where what a history refers to is brought. */
export interface FileTarget {
  readonly name: string;
  readonly blobs: BlobStore;
  readonly bundles: BundleStore;
  /** Answers whether any of it was missing. */
  putLog(log: StoredLog): Promise<boolean>;
  putFile(name: string, bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

export async function openFileTarget(options: FileTargetOptions, paths: DataPaths): Promise<FileTarget> {
  return options.target.startsWith('s3:') ? openBucket(options, paths) : openFolder(options.target);
}

function openFolder(folder: string): FileTarget {
  const blobs = fileBlobStore(join(folder, 'blobs'));
  return {
    name: folder,
    blobs,
    bundles: fileBundleStore({ folder: join(folder, 'bundles'), blobs }),
    putLog: (log) => copyLog(log, join(folder, 'logs')),
    putFile: async (name, bytes) => {
      await mkdir(dirname(join(folder, name)), { recursive: true, mode: 0o700 });
      await writeFile(join(folder, name), bytes);
    },
    close: async () => undefined,
  };
}

async function openBucket({ target, endpoint, region }: FileTargetOptions, paths: DataPaths): Promise<FileTarget> {
  const [, bucket, rest = ''] = /^s3:\/\/([\w.-]+)(?:\/(.*))?$/.exec(target) ?? [];
  if (bucket === undefined)
    throw new UsageError(`--files '${target}' is not allowed: a folder, or s3://BUCKET or s3://BUCKET/PREFIX`);
  const { s3Stores } = await import('@rondo/adapter-s3');
  const stores = s3Stores({
    bucket,
    prefix: rest === '' || rest.endsWith('/') ? rest : `${rest}/`,
    local: fileBundleStore({ folder: paths.bundles, blobs: fileBlobStore(paths.blobs) }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
  });
  await stores.check();
  return {
    name: target,
    blobs: stores.blobs,
    bundles: stores.bundles,
    putLog: async (log) => (await stores.importLog(log.path, (line) => log.linesFrom(line))) > 0,
    putFile: (name, bytes) => stores.putFile(name, bytes),
    close: () => stores.close(),
  };
}
