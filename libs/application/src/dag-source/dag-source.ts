import type { DagFileLoadedData, DagVersion, ImportEvent, ImportFailure } from '@rondo/domain';
import type { Actor, CommandBus } from '@rondo/contracts';
import type {
  BlobStore,
  BundleStore,
  Clock,
  EventStore,
  Ids,
  ParseResult,
  ReadModels,
  WorkerSession,
} from '@rondo/ports';
import { envelope, traceOf } from '../scheduler/envelope.ts';
import { fingerprintOf, isDagFile, listFolder, readFiles, type FolderFile } from './folder.ts';

export interface DagSourceOptions {
  readonly root: string;
  /** Part of every fingerprint: another release parses everything again. */
  readonly release: string;
  readonly session: Pick<WorkerSession, 'parse'>;
  readonly store: EventStore;
  readonly blobs: BlobStore;
  readonly bundles: BundleStore;
  readonly commands: CommandBus;
  readonly readModels: Pick<ReadModels, 'dags' | 'settled'>;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Milliseconds between two looks at the folder. Default 700: an edit is seen within 2 s. */
  readonly intervalMs?: number;
  /** Files parsed at the same time. Default 2. */
  readonly parallel?: number;
  readonly onChange?: (summary: {
    readonly file: string;
    readonly dagIds: readonly string[];
    readonly failures: readonly ImportFailure[];
  }) => void;
}

/** How long the read models may take to catch up before the question is put off. */
const ORPHANS_MS = 600_000;
const ACTOR: Actor = { kind: 'service', name: 'dag-source' };

interface KnownFile {
  /** Stamps of the file and of all files of its bundle when it was last looked at. */
  stamps: string;
  files: readonly string[];
  dagIds: readonly string[];
  fingerprint: string;
  /** The last event of its stream. */
  last: string;
}

/** Watches a folder of DAG files and turns what changed into versions, retirements and import errors. */
export class DagSource {
  private readonly options: DagSourceOptions;
  private readonly known = new Map<string, KnownFile>();
  private cancelTimer: (() => void) | undefined;
  private running: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(options: DagSourceOptions) {
    this.options = options;
  }

  /** Resolves when the folder has been read once and everything in it is published or refused. */
  async start(): Promise<void> {
    await this.recall();
    await this.look();
    this.schedule();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.cancelTimer?.();
    await this.running.catch(() => undefined);
  }

  private schedule(): void {
    if (this.stopped) return;
    const { clock, intervalMs = 700 } = this.options;
    this.cancelTimer = clock.at(clock.now() + intervalMs, () => {
      this.running = this.look().catch((error: unknown) => {
        if (!this.stopped)
          this.options.onChange?.({ file: '.', dagIds: [], failures: [{ file: '.', message: String(error) }] });
      });
      void this.running.then(() => this.schedule());
    });
  }

  /** What earlier starts made of the files: an unchanged file is not parsed again. */
  private async recall(): Promise<void> {
    for (const { stream } of await this.options.store.listStreams('imports-'))
      for await (const page of this.options.store.readStream(stream, { backwards: true, limit: 1 })) {
        const event = page[0];
        if (event === undefined || event.type === 'DagFileRemoved') continue;
        const data = JSON.parse(event.data) as Partial<DagFileLoadedData>;
        this.known.set(stream.slice('imports-'.length), {
          stamps: '',
          files: data.files ?? [],
          dagIds: data.dagIds ?? [],
          fingerprint: data.fingerprint ?? '',
          last: `${event.type}${event.data}`,
        });
      }
  }

  /** One look: parses files that changed, retires what is gone. */
  async look(): Promise<void> {
    const listing = await listFolder(this.options.root);
    const stamps = new Map(listing.map((f) => [f.path, f.stamp]));
    const changed: string[] = [];
    const present = new Set<string>();
    for (const file of listing) {
      const known = this.known.get(file.path);
      if (known !== undefined && known.stamps !== '' && known.stamps === stampsOf(file, known.files, stamps))
        present.add(file.path);
      else if (await isDagFile(this.options.root, file.path)) {
        present.add(file.path);
        changed.push(file.path);
      }
    }
    const queue = [...changed];
    const lane = async (): Promise<void> => {
      for (let path = queue.shift(); path !== undefined && !this.stopped; path = queue.shift())
        await this.refresh(path, stamps);
    };
    await Promise.all(Array.from({ length: this.options.parallel ?? 2 }, lane));
    for (const path of Array.from(this.known.keys())) if (!present.has(path)) await this.remove(path);
    this.orphans ??= this.retireOrphans().catch(() => {
      // The read models were not there in time: the next look asks again.
      this.orphans = undefined;
    });
  }

  private async refresh(path: string, stamps: ReadonlyMap<string, string>): Promise<void> {
    const { root, session, ids, release } = this.options;
    const known = this.known.get(path);
    if (known !== undefined && known.fingerprint !== '' && known.files.every((f) => stamps.has(f))) {
      const files = await readFiles(root, known.files);
      if (fingerprintOf(files, release) === known.fingerprint) {
        known.stamps = stampsOf({ path, stamp: stamps.get(path) ?? '' }, known.files, stamps);
        return;
      }
    }
    const result = await session.parse({ id: ids.uuid(), root, file: path });
    const clash = this.clashOf(path, result);
    const failures = clash === undefined ? result.errors : [...result.errors, clash];
    if (this.stopped) return;
    if (failures.length > 0) await this.fail(path, result, failures, stamps);
    else await this.publish(path, result, stamps);
  }

  /** Two files must not define the same DAG. */
  private clashOf(path: string, result: ParseResult): ImportFailure | undefined {
    for (const dag of result.dags)
      for (const [other, known] of this.known)
        if (other !== path && known.dagIds.includes(dag.dagId))
          return {
            file: path,
            dagId: dag.dagId,
            message: `DAG id '${dag.dagId}' is defined in '${other}' already; DAG ids are unique in the folder`,
          };
    return undefined;
  }

  private async publish(path: string, result: ParseResult, stamps: ReadonlyMap<string, string>): Promise<void> {
    const { root, bundles, blobs, commands, release } = this.options;
    const files = await readFiles(root, result.bundleFiles);
    const bundle = { hash: await bundles.putBundle(files), file: path };
    const previous = this.known.get(path)?.dagIds ?? [];
    const dagIds = result.dags.map((d) => d.dagId);
    for (const definition of result.dags) {
      const version = await blobs.put(
        new TextEncoder().encode(JSON.stringify({ definition, bundle } satisfies DagVersion)),
      );
      await commands.send({
        dagId: definition.dagId,
        actor: ACTOR,
        command: { type: 'publishVersion', version, definition, bundle },
      });
    }
    for (const dagId of previous)
      if (!dagIds.includes(dagId)) await this.retire(dagId, `'${path}' no longer defines it`);
    const data: DagFileLoadedData = {
      file: path,
      dagIds,
      files: result.bundleFiles,
      fingerprint: fingerprintOf(files, release),
    };
    await this.record(
      path,
      { type: 'DagFileLoaded', data },
      {
        files: data.files,
        dagIds,
        fingerprint: data.fingerprint,
        stamps: stampsOf({ path, stamp: stamps.get(path) ?? '' }, data.files, stamps),
      },
    );
    this.options.onChange?.({ file: path, dagIds, failures: [] });
  }

  /** A broken file keeps the versions that it had; what is wrong with it is shown. */
  private async fail(
    path: string,
    result: ParseResult,
    failures: readonly ImportFailure[],
    stamps: ReadonlyMap<string, string>,
  ): Promise<void> {
    const known = this.known.get(path);
    const files = result.bundleFiles.length > 0 ? result.bundleFiles : [path];
    await this.record(
      path,
      { type: 'DagFileFailed', data: { file: path, failures } },
      {
        files,
        dagIds: known?.dagIds ?? [],
        fingerprint: '',
        stamps: stampsOf({ path, stamp: stamps.get(path) ?? '' }, files, stamps),
      },
    );
    this.options.onChange?.({ file: path, dagIds: [], failures });
  }

  private async remove(path: string): Promise<void> {
    const dagIds = this.known.get(path)?.dagIds ?? [];
    for (const dagId of dagIds) await this.retire(dagId, `its file '${path}' was removed`);
    await this.record(path, { type: 'DagFileRemoved', data: { file: path } }, undefined);
    this.known.delete(path);
    this.options.onChange?.({ file: path, dagIds: [], failures: [] });
  }

  private async retire(dagId: string, reason: string): Promise<void> {
    await this.options.commands.send({ dagId, actor: ACTOR, command: { type: 'retireDag', reason } });
  }

  private orphans: Promise<void> | undefined;

  /**
   * A DAG whose retirement was cut short by the end of the process: no file defines it, and it is not retired. Nothing waits
   * for this, since the read models may have a long history to catch up with.
   */
  private async retireOrphans(): Promise<void> {
    const { readModels, store } = this.options;
    await readModels.settled(await store.head(), ORPHANS_MS);
    if (this.stopped) return;
    const defined = new Set([...this.known.values()].flatMap((k) => k.dagIds));
    for (let offset = 0; ; offset += 1_000) {
      const page = await readModels.dags({}, { offset, limit: 1_000 });
      for (const dag of page.items)
        if (!defined.has(dag.dagId) && !this.known.has(dag.file))
          await this.retire(dag.dagId, `its file '${dag.file}' is gone`);
      if (offset + page.items.length >= page.total || page.items.length === 0) return;
    }
  }

  /** Appends what became of the file, unless that is what the history says already. */
  private async record(path: string, event: ImportEvent, next: Omit<KnownFile, 'last'> | undefined): Promise<void> {
    const last = `${event.type}${JSON.stringify(event.data)}`;
    if (this.known.get(path)?.last !== last) {
      const { store, clock, ids } = this.options;
      const trace = traceOf('imports', path);
      const cause = { causationId: 'dag-source', actor: 'service:dag-source' };
      await store.append([
        { stream: `imports-${path}`, expected: 'any', events: [envelope(event, trace, cause, clock.now(), ids)] },
      ]);
    }
    if (next !== undefined) this.known.set(path, { ...next, last });
  }
}

function stampsOf(file: FolderFile, bundle: readonly string[], stamps: ReadonlyMap<string, string>): string {
  return [file.stamp, ...bundle.map((f) => stamps.get(f) ?? 'gone')].join('|');
}
