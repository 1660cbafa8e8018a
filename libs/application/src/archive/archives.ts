import type { AttemptRef } from '@rondo/domain';
import type { BlobStore, LogLine, RecordedEvent, StreamTruncation } from '@rondo/ports';
import { runStream } from '../scheduler/envelope.ts';
import { getArchive, logKey, type ArchivedEvent, type ArchivedLog, type RunArchive } from './format.ts';
import { unpack } from './packs.ts';

const MOST_KEPT = 100;

/** Reads the archives of runs. */
export class Archives {
  private readonly blobs: Pick<BlobStore, 'get'>;
  private readonly truncation: Pick<StreamTruncation, 'cutOf'>;
  /** By hash: an archive never changes. */
  private readonly kept = new Map<string, Promise<RunArchive>>();

  constructor(blobs: Pick<BlobStore, 'get'>, truncation: Pick<StreamTruncation, 'cutOf'>) {
    this.blobs = blobs;
    this.truncation = truncation;
  }

  /** What was taken away of a stream; undefined: nothing. */
  async of(stream: string): Promise<RunArchive | undefined> {
    const cut = await this.truncation.cutOf(stream);
    return cut === undefined ? undefined : this.get(cut.note);
  }

  get(hash: string): Promise<RunArchive> {
    const known = this.kept.get(hash);
    if (known !== undefined) return known;
    const read = getArchive(this.blobs, hash);
    this.kept.set(hash, read);
    read.catch(() => this.kept.delete(hash));
    if (this.kept.size > MOST_KEPT) this.kept.delete(this.kept.keys().next().value!);
    return read;
  }

  /** Its events between two revisions, both included, a pack at a time. */
  async *events(
    archive: RunArchive,
    { from, to, backwards }: { readonly from: number; readonly to: number; readonly backwards: boolean },
  ): AsyncGenerator<readonly RecordedEvent[]> {
    const packs = archive.events.filter(({ first, last }) => first <= to && last >= from);
    for (const { blob } of backwards ? packs.toReversed() : packs) {
      const events = await unpack<ArchivedEvent>(this.blobs, blob);
      const page = events
        .filter(({ revision }) => revision >= from && revision <= to)
        .map(({ position, ...event }) => ({ position, stream: archive.stream, ...event }));
      yield backwards ? page.toReversed() : page;
    }
  }

  /** The log of a try; nothing for one that had none. */
  async log(attempt: AttemptRef): Promise<readonly LogLine[]> {
    const archive = await this.of(runStream(attempt.dagId, attempt.runId));
    const key = logKey(attempt);
    const lines: LogLine[] = [];
    for (const { blob, first, last } of archive?.logs ?? [])
      if (first <= key && key <= last)
        for (const part of await unpack<ArchivedLog>(this.blobs, blob)) if (part.key === key) lines.push(...part.lines);
    return lines;
  }
}
