/** The partition of a key: FNV-1a over its UTF-16 units, folded. The same on every machine and in every release. */
export function partitionOfKey(key: string, partitions: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return ((hash ^ (hash >>> 16)) >>> 0) % partitions;
}

/** A key of the partition, for what is sent to a partition and has no key of its own. `partitionOf`: of the topic. */
export function keyOfPartition(partition: number, partitionOf: (key: string) => number): string {
  for (let n = 0; n < MOST_TRIES; n++) if (partitionOf(`partition ${n}`) === partition) return `partition ${n}`;
  throw new Error(`no key of partition ${partition} was found in ${MOST_TRIES}`);
}

const MOST_TRIES = 100_000;
