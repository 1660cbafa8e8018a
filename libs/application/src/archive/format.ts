import { eventHash } from '@rondo/contracts';
import type { AttemptRef } from '@rondo/domain';
import type { BlobStore, LogLine, RecordedEvent } from '@rondo/ports';
import { ArchiveError, type Pack } from './packs.ts';

/** The blob that an archive is named by: what the run was, and in which blobs its events and logs are. */
export interface RunArchive {
  readonly v: 1;
  readonly dagId: string;
  readonly runId: string;
  readonly stream: string;
  /** It holds the events before this revision. */
  readonly before: number;
  /** Of the last of them. */
  readonly hash: string;
  /** By revision. */
  readonly events: readonly Pack<number>[];
  /** By `logKey`, in its order. */
  readonly logs: readonly Pack<string>[];
  /** Versions that the run executed. They and what follows are in the blob store and stay there. */
  readonly versions: readonly string[];
  readonly bundles: readonly string[];
  /** Large values. */
  readonly blobs: readonly string[];
}

/** A line of a pack of events: the event as it stood. */
export type ArchivedEvent = Omit<RecordedEvent, 'stream'>;

/** A line of a pack of logs: some lines of the log of a try, from a line on. */
export interface ArchivedLog {
  readonly key: string;
  readonly from: number;
  readonly lines: readonly LogLine[];
}

/** All legs of a try are one log. */
export const logKey = ({
  taskId,
  mapIndex,
  tryNumber,
}: Pick<AttemptRef, 'taskId' | 'mapIndex' | 'tryNumber'>): string => `${taskId}:${mapIndex.join('.')}:${tryNumber}`;

export const hashOf = ({ stream, revision, id, type, data, meta }: RecordedEvent): string =>
  eventHash(stream, revision, id, type, data, meta);

const encoder = new TextEncoder();

export function putArchive(blobs: BlobStore, archive: RunArchive): Promise<string> {
  return blobs.put(encoder.encode(JSON.stringify(archive)));
}

/** Rejects with ArchiveError when it is gone. */
export async function getArchive(blobs: Pick<BlobStore, 'get'>, hash: string): Promise<RunArchive> {
  const bytes = await blobs.get(hash);
  if (bytes === undefined) throw new ArchiveError(`the archive ${hash} is gone`);
  return JSON.parse(Buffer.from(bytes).toString('utf8')) as RunArchive;
}
