import type { DagDefinition, DagVersion } from '@rondo/domain';
import type { BlobStore } from '@rondo/ports';

/** Definitions as they are kept: JSON of `DagVersion` by its hash. Undefined where the blob is gone. */
export async function definitionIn(blobs: Pick<BlobStore, 'get'>, version: string): Promise<DagDefinition | undefined> {
  const bytes = await blobs.get(version);
  if (bytes === undefined) return undefined;
  return (JSON.parse(Buffer.from(bytes).toString('utf8')) as DagVersion).definition;
}
