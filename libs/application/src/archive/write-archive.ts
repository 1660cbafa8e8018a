import type { AttemptRef, DagVersion } from '@rondo/domain';
import type { BundleCheck } from './bundle-check.ts';
import type { BlobStore, EventStore, LogLine, LogStore, RecordedEvent } from '@rondo/ports';
import { runStream } from '../scheduler/envelope.ts';
import {
  getArchive,
  hashOf,
  logKey,
  putArchive,
  type ArchivedEvent,
  type ArchivedLog,
  type RunArchive,
} from './format.ts';
import { ArchiveError, Packer, unpack } from './packs.ts';

export interface ArchiveParts {
  /** Events as they are stored; of a run that was archived before, all of them. */
  readonly store: Pick<EventStore, 'readStream'>;
  readonly logs: Pick<LogStore, 'read'>;
  readonly blobs: BlobStore;
  readonly bundles: BundleCheck;
}

const MOST_LINES = 1_000;
const HASH = /\b[0-9a-f]{64}\b/g;

/** What the events name: tries, versions, and large values. */
class Mentions {
  readonly attempts = new Map<string, AttemptRef>();
  readonly versions = new Set<string>();
  readonly hashes = new Set<string>();

  private readonly run: { readonly dagId: string; readonly runId: string };

  constructor(run: { readonly dagId: string; readonly runId: string }) {
    this.run = run;
  }

  add({ type, data }: RecordedEvent): void {
    const { taskId, mapIndex, tryNumber, version } = JSON.parse(data) as Partial<AttemptRef> & { version?: string };
    if ((type === 'RunStarted' || type === 'RunVersionChanged') && version !== undefined) this.versions.add(version);
    for (const [hash] of data.matchAll(HASH)) this.hashes.add(hash);
    if (taskId === undefined || !Array.isArray(mapIndex) || typeof tryNumber !== 'number') return;
    const attempt = { ...this.run, taskId, mapIndex, tryNumber, leg: 1 };
    this.attempts.set(logKey(attempt), attempt);
  }
}

/**
 * Writes the archive of a run that has ended, but for its last event, which stays; reads all of it back; answers its hash. The
 * same run gives the same archive, however often it is written.
 */
export async function writeArchive(
  parts: ArchiveParts,
  run: { readonly dagId: string; readonly runId: string },
): Promise<{ readonly hash: string; readonly archive: RunArchive } | undefined> {
  const stream = runStream(run.dagId, run.runId);
  const mentions = new Mentions(run);
  const events = new Packer<number>(parts.blobs);
  let last: RecordedEvent | undefined;
  let held: RecordedEvent | undefined;
  for await (const page of parts.store.readStream(stream))
    for (const event of page) {
      mentions.add(event);
      if (last !== undefined) {
        const { stream: _, ...row } = last;
        await events.add(row.revision, row satisfies ArchivedEvent);
        held = last;
      }
      last = event;
    }
  if (last === undefined || held === undefined) return undefined;
  const versions = [...mentions.versions];
  const archive: RunArchive = {
    ...{ v: 1, ...run, stream, before: last.revision, hash: hashOf(held) },
    events: await events.end(),
    logs: await writeLogs(parts, mentions),
    versions,
    bundles: await bundlesOf(parts, versions),
    blobs: await largeValues(parts, mentions),
  };
  const hash = await putArchive(parts.blobs, archive);
  await checkArchive(parts.blobs, hash);
  return { hash, archive };
}

async function writeLogs({ blobs, logs }: ArchiveParts, { attempts }: Mentions): Promise<RunArchive['logs']> {
  const packs = new Packer<string>(blobs);
  for (const [key, attempt] of [...attempts].sort(([a], [b]) => (a < b ? -1 : 1)))
    for (let from = 0; ;) {
      const { lines, next } = await logs.read(attempt, from, MOST_LINES);
      if (lines.length === 0) break;
      await packs.add(key, { key, from, lines } satisfies ArchivedLog);
      from = next;
    }
  return packs.end();
}

/** They stay where they are: that they are all there is looked at, for what is missing cannot be restored. */
async function bundlesOf({ blobs, bundles }: ArchiveParts, versions: readonly string[]): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const version of versions) {
    const bytes = await blobs.get(version);
    if (bytes === undefined) throw new ArchiveError(`version ${version} is not in the blob store`);
    const { bundle } = JSON.parse(Buffer.from(bytes).toString('utf8')) as DagVersion;
    await bundles.check(bundle.hash);
    found.add(bundle.hash);
  }
  return [...found];
}

/** Whatever looks like a hash and is one of a blob: rather one too many than one too few. */
async function largeValues({ blobs }: ArchiveParts, { hashes, versions }: Mentions): Promise<readonly string[]> {
  const found: string[] = [];
  for (const hash of hashes) if (!versions.has(hash) && (await blobs.get(hash)) !== undefined) found.push(hash);
  return found;
}

/** Reads all of an archive: the events must be a chain without a gap that ends with the hash that it tells. */
export async function checkArchive(blobs: Pick<BlobStore, 'get'>, hash: string): Promise<RunArchive> {
  const archive = await getArchive(blobs, hash);
  const [next, found] = [{ revision: 0 }, { hash: '' }];
  for (const { blob } of archive.events)
    for (const event of await unpack<ArchivedEvent>(blobs, blob)) {
      const prev = (JSON.parse(event.meta) as { readonly prev?: string }).prev;
      if (event.revision !== next.revision || prev !== found.hash)
        throw new ArchiveError(`event ${event.revision} of '${archive.stream}' does not follow what is before it`);
      next.revision++;
      found.hash = hashOf({ ...event, stream: archive.stream });
    }
  if (next.revision !== archive.before || found.hash !== archive.hash)
    throw new ArchiveError(`the archive ${hash} of '${archive.stream}' is not whole`);
  for (const { blob } of archive.logs)
    for (const part of await unpack<ArchivedLog>(blobs, blob))
      if (!Array.isArray(part.lines satisfies readonly LogLine[])) throw new ArchiveError(`${blob} holds no logs`);
  return archive;
}
