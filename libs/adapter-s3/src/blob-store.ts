import { createHash } from 'node:crypto';
import type { BlobStore } from '@rondo/ports';
import type { Bucket } from './bucket.ts';

const HASH = /^[0-9a-f]{64}$/;

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Refuses what is no hash: it would become a key. */
export function checkHash(hash: string): void {
  if (!HASH.test(hash))
    throw new TypeError(`'${hash}' is not the hash of a blob or bundle: 64 lower-case hex digits are allowed`);
}

/** Blobs as objects `blobs/ab/cdef…` by their hash. */
export function s3BlobStore(bucket: Bucket): BlobStore {
  const keyOf = (hash: string): string => `blobs/${hash.slice(0, 2)}/${hash.slice(2)}`;
  return {
    async put(bytes) {
      const hash = sha256(bytes);
      if ((await bucket.sizeOf(keyOf(hash))) !== bytes.length) await bucket.put(keyOf(hash), bytes);
      return hash;
    },
    async get(hash) {
      checkHash(hash);
      const bytes = await bucket.get(keyOf(hash));
      if (bytes !== undefined && sha256(bytes) !== hash)
        throw new Error(`the object ${keyOf(hash)} is damaged: its bytes do not match its hash`);
      return bytes;
    },
  };
}
