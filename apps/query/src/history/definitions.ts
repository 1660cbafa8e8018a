import { Inject, Injectable } from '@nestjs/common';
import type { DagVersion } from '@rondo/domain';
import type { BlobStore } from '@rondo/ports';
import { BLOBS } from '../options.ts';

const CAPACITY = 200;

/** The versions of DAGs by their hash; those asked for lately stay in memory. */
@Injectable()
export class Definitions {
  private readonly known = new Map<string, Promise<DagVersion | undefined>>();

  constructor(@Inject(BLOBS) private readonly blobs: BlobStore) {}

  /** Undefined when there is no such version. */
  get(version: string): Promise<DagVersion | undefined> {
    const known = this.known.get(version);
    if (known !== undefined) return known;
    const read = this.read(version);
    this.known.set(version, read);
    read.then(
      (found) => found === undefined && this.known.delete(version),
      () => this.known.delete(version),
    );
    if (this.known.size > CAPACITY) this.known.delete(this.known.keys().next().value!);
    return read;
  }

  private async read(version: string): Promise<DagVersion | undefined> {
    const bytes = await this.blobs.get(version);
    return bytes === undefined ? undefined : (JSON.parse(Buffer.from(bytes).toString('utf8')) as DagVersion);
  }
}
