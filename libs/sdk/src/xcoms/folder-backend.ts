import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { XComBackend } from './backend.ts';

const HASH = /^[0-9a-f]{64}$/;

/** A folder that every machine with a worker sees: a file for each content, named by its SHA-256. */
export function folderBackend(folder: string): XComBackend {
  const fileOf = (hash: string): string => join(folder, hash.slice(0, 2), hash);
  return {
    name: 'folder',
    async put(bytes) {
      const hash = createHash('sha256').update(bytes).digest('hex');
      await mkdir(join(folder, hash.slice(0, 2)), { recursive: true });
      const parts = join(folder, hash.slice(0, 2), `.${randomUUID()}`);
      const handle = await open(parts, 'wx');
      try {
        await handle.writeFile(bytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(parts, fileOf(hash));
      return hash;
    },
    async get(reference) {
      if (!HASH.test(reference)) throw new TypeError(`'${reference}' is no reference of the folder ${folder}`);
      try {
        return await readFile(fileOf(reference));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    },
  };
}
