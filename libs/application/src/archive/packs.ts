import { gunzipSync, gzipSync } from 'node:zlib';
import type { BlobStore } from '@rondo/ports';

/** Characters of one pack before it is compressed. */
const MOST_CHARS = 4 * 1024 * 1024;

/** A blob of lines: the first and the last tell what is in it. */
export interface Pack<Key> {
  readonly blob: string;
  readonly first: Key;
  readonly last: Key;
}

/** What an archive holds is not what was archived. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError';
}

/** Gathers lines into compressed blobs. */
export class Packer<Key> {
  private readonly blobs: BlobStore;
  private readonly packs: Pack<Key>[] = [];
  private lines: string[] = [];
  private chars = 0;
  private first: Key | undefined;
  private last: Key | undefined;

  constructor(blobs: BlobStore) {
    this.blobs = blobs;
  }

  async add(key: Key, value: unknown): Promise<void> {
    const line = JSON.stringify(value);
    if (this.lines.length === 0) this.first = key;
    this.last = key;
    this.lines.push(line);
    this.chars += line.length;
    if (this.chars >= MOST_CHARS) await this.flush();
  }

  async end(): Promise<readonly Pack<Key>[]> {
    await this.flush();
    return this.packs;
  }

  private async flush(): Promise<void> {
    if (this.lines.length === 0) return;
    const blob = await this.blobs.put(gzipSync(Buffer.from(this.lines.join('\n'))));
    this.packs.push({ blob, first: this.first!, last: this.last! });
    [this.lines, this.chars] = [[], 0];
  }
}

export async function unpack<T>(blobs: Pick<BlobStore, 'get'>, blob: string): Promise<readonly T[]> {
  const bytes = await blobs.get(blob);
  if (bytes === undefined) throw new ArchiveError(`the blob ${blob} of an archive is gone`);
  return gunzipSync(bytes)
    .toString('utf8')
    .split('\n')
    .map((line) => JSON.parse(line) as T);
}
