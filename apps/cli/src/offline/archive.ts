import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  cutArchived,
  DataFolderError,
  dataPaths,
  openDataFolder,
  openEmbeddedEventStore,
  restoreArchive,
  verifyHistory,
  writeArchive,
  type ArchiveManifest,
  type CutReport,
  type DataPaths,
  type RunToArchive,
} from '@rondo/adapter-embedded';
import { dagStream, decodeEvent, runStream } from '@rondo/application';
import { evolveDag, initialDag, type DagEvent } from '@rondo/domain';
import type { EventStore } from '@rondo/ports';
import { join } from 'node:path';

export interface ArchiveOptions {
  readonly folder: string;
  /** Runs that ended before this time; epoch milliseconds. */
  readonly before: number;
  readonly dagId?: string;
  readonly to: string;
  readonly isDelete: boolean;
  readonly now: number;
}

export interface ArchiveReport {
  /** Absent: there was nothing to archive. */
  readonly archive?: string;
  readonly runs: number;
  /** Runs that ended before the time and are sealed: their keys are not archived, so neither are they. */
  readonly sealed: number;
  readonly deleted?: CutReport;
}

/** Writes an archive of ended runs, and takes them away where that is asked for. */
export async function archiveRuns(options: ArchiveOptions): Promise<ArchiveReport> {
  return onWholeHistory(options.folder, async (paths) => {
    const { runs, sealed } = await runsEndedBefore(options);
    if (runs.length === 0) return { runs: 0, sealed };
    const { now, to: folder } = options;
    const id = `${new Date(now).toISOString().slice(0, 19).replaceAll(':', '-')}Z-${randomBytes(4).toString('hex')}`;
    await writeArchive(paths, runs, { folder, id, at: now });
    const archive = join(folder, id);
    const deleted = options.isDelete ? await cutArchived(paths, archive, now) : undefined;
    return { archive, runs: runs.length, sealed, ...(deleted === undefined ? {} : { deleted }) };
  });
}

export async function restoreRuns(
  folder: string,
  archive: string,
): Promise<{ readonly manifest: ArchiveManifest; readonly events: number }> {
  return onWholeHistory(folder, (paths) => restoreArchive(paths, archive));
}

/** Holds the folder, and looks at the whole history before and after. */
async function onWholeHistory<T>(folder: string, work: (paths: DataPaths) => Promise<T>): Promise<T> {
  const paths = dataPaths(folder);
  if (!existsSync(paths.events))
    throw new DataFolderError('unusable', `there is no history: ${paths.events} does not exist`);
  const held = await openDataFolder(folder);
  try {
    // Its end signs the head: what is taken away later is under a signature by then.
    await (await openEmbeddedEventStore({ folder })).close();
    await mustBeWhole(paths, 'nothing was done');
    const done = await work(paths);
    await mustBeWhole(paths, 'restore it from a backup');
    return done;
  } finally {
    held.release();
  }
}

async function mustBeWhole(paths: DataPaths, what: string): Promise<void> {
  const { faults } = await verifyHistory(paths);
  if (faults[0] !== undefined)
    throw new DataFolderError(
      'unusable',
      `the history of ${paths.folder} is not whole, ${what}: ${faults[0].message} (${faults.length} faults)`,
    );
}

async function runsEndedBefore({ folder, before, dagId }: ArchiveOptions) {
  const store = await openEmbeddedEventStore({ folder });
  try {
    const runs: RunToArchive[] = [];
    let sealed = 0;
    const prefix = dagStream('');
    const all = dagId === undefined ? await store.listStreams(prefix) : [{ stream: dagStream(dagId) }];
    for (const { stream } of all) {
      const ended = await endedOf(store, stream.slice(prefix.length), before);
      for (const run of ended) if (!run.isSealed) runs.push(run.run);
      sealed += ended.filter(({ isSealed }) => isSealed).length;
    }
    return { runs, sealed };
  } finally {
    await store.close();
  }
}

/** Ended runs of a DAG that have events to take away. */
async function endedOf(store: EventStore, dagId: string, before: number) {
  const dag = initialDag(dagId);
  for await (const page of store.readStream(dagStream(dagId)))
    for (const event of page) evolveDag(dag, decodeEvent<DagEvent>(event));
  const ended: { readonly run: RunToArchive; readonly isSealed: boolean }[] = [];
  for (const runId of dag.closed.keys()) {
    if (dag.active.has(runId) || dag.queued.has(runId)) continue;
    const stream = runStream(dagId, runId);
    const first = await oneOf(store, stream, false);
    const last = await oneOf(store, stream, true);
    // One that was archived before begins later.
    if (first?.revision !== 0 || last === undefined || last.revision < 2) continue;
    const { at: endedAt } = JSON.parse(last.data) as { readonly at?: number };
    if (endedAt === undefined || endedAt >= before) continue;
    ended.push({ run: { dagId, runId, stream, endedAt }, isSealed: dag.sealed.has(runId) });
  }
  return ended;
}

async function oneOf(store: EventStore, stream: string, backwards: boolean) {
  for await (const page of store.readStream(stream, { backwards, limit: 1 })) return page[0];
  return undefined;
}
