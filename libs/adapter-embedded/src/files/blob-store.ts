import { createHash } from 'node:crypto';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BlobStore } from '@rondo/ports';
import { isMissing } from '../faults.ts';
import { writeFileAtomic } from './atomic.ts';

const HASH = /^[0-9a-f]{64}$/;

export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Refuses what is no hash: it would become a path. */
export function checkHash(hash: string): void {
  if (!HASH.test(hash))
    throw new TypeError(`'${hash}' is not the hash of a blob or bundle: 64 lower-case hex digits are allowed`);
}

/** Blobs as files, `ab/cdef…` by their hash. The folder is made when it is first written to. */
export function fileBlobStore(folder: string): BlobStore {
  return new FileBlobStore(folder);
}

class FileBlobStore implements BlobStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async put(bytes: Uint8Array): Promise<string> {
    const hash = sha256(bytes);
    const file = this.#fileOf(hash);
    if ((await sizeOf(file)) === bytes.length) return hash;
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFileAtomic(file, bytes, 0o400);
    return hash;
  }

  async get(hash: string): Promise<Uint8Array | undefined> {
    checkHash(hash);
    const file = this.#fileOf(hash);
    let bytes: Buffer;
    try {
      bytes = await readFile(file);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
    if (sha256(bytes) !== hash) throw new Error(`${file} is damaged: its bytes do not match its hash`);
    return bytes;
  }

  #fileOf(hash: string): string {
    return join(this.#folder, hash.slice(0, 2), hash.slice(2));
  }
}

async function sizeOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
