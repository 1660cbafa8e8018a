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
  RecordedEvent,
  WorkerSession,
} from '@rondo/ports';
import { envelope, traceOf } from '../scheduler/envelope.ts';
import { fingerprintOf, isDagFile, listFolder, readFiles, type FolderFile } from './folder.ts';
import { Lanes } from './lanes.ts';

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
  /** How long the start waits while nothing gets done. Default 10 s. */
  readonly patienceMs?: number;
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
  /** The file that defines one of its DAGs already: when that changes, this one is read again. */
  readonly clash?: string;
}

/** Watches a folder of DAG files and turns what changed into versions, retirements and import errors. */
export class DagSource {
  private readonly options: DagSourceOptions;
  private readonly known = new Map<string, KnownFile>();
  /** Which file defines a DAG. Taken before anything is published, so that of two files that are read at once one gets it. */
  private readonly owners = new Map<string, string>();
  /** Settles when everything that the folder held at the start has been read. */
  firstLook: Promise<void> = Promise.resolve();
  private cancelTimer: (() => void) | undefined;
  private running: Promise<void> = Promise.resolve();
  /** Files that are being read. A look neither begins them again nor waits for them: one that takes long delays no other. */
  private readonly refreshing = new Map<string, Promise<void>>();
  private readonly lanes: Lanes;
  private readonly stopping = Promise.withResolvers<undefined>();
  private stopped = false;

  constructor(options: DagSourceOptions) {
    this.options = options;
    this.lanes = new Lanes(options.parallel ?? 2);
  }

  /**
   * Resolves when the folder has been read once and everything in it is published or refused; or when none of the files that
   * are left has got done for `patienceMs`: `firstLook` then waits for them.
   */
  async start(): Promise<void> {
    await this.recall();
    const begun = await this.scan();
    this.firstLook = Promise.allSettled(begun.values()).then(() => undefined);
    await this.whileSomethingIsDone([...begun.values()]);
    this.reportLater(begun);
    this.schedule();
  }

  private whileSomethingIsDone(work: readonly Promise<void>[]): Promise<void> {
    const { clock, patienceMs = 10_000 } = this.options;
    return new Promise((resolve, reject) => {
      const wait = (): (() => void) => clock.at(clock.now() + patienceMs, resolve);
      let left = work.length;
      if (left === 0) return resolve();
      let cancel = wait();
      const onDone = (): void => {
        cancel();
        left--;
        if (left === 0) resolve();
        else cancel = wait();
      };
      const onFailed = (error: unknown): void => {
        cancel();
        reject(error as Error);
      };
      for (const done of work) done.then(onDone, onFailed);
    });
  }

  /** What is being parsed is left to whoever parses; what is being published is waited for. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.stopping.resolve(undefined);
    this.cancelTimer?.();
    await this.running;
    await Promise.allSettled(this.refreshing.values());
  }

  private schedule(): void {
    if (this.stopped) return;
    const { clock, intervalMs = 700 } = this.options;
    this.cancelTimer = clock.at(clock.now() + intervalMs, () => {
      this.running = this.scan().then(
        (begun) => this.reportLater(begun),
        (error: unknown) => this.report('.', error),
      );
      void this.running.then(() => this.schedule());
    });
  }

  /** Nobody waits for these: what goes wrong with them is told. */
  private reportLater(begun: ReadonlyMap<string, Promise<void>>): void {
    for (const [path, done] of begun) done.catch((error: unknown) => this.report(path, error));
  }

  private report(file: string, error: unknown): void {
    if (!this.stopped) this.options.onChange?.({ file, dagIds: [], failures: [{ file, message: String(error) }] });
  }

  /** What earlier starts made of the files: an unchanged file is not parsed again. A broken one has the DAGs that it had. */
  private async recall(): Promise<void> {
    for (const { stream } of await this.options.store.listStreams('imports-')) {
      const path = stream.slice('imports-'.length);
      const events = await this.lastEvents(stream);
      const [last] = events;
      if (last === undefined || last.type === 'DagFileRemoved') continue;
      const loaded = events.find((event) => event.type === 'DagFileLoaded');
      const data = (loaded === undefined ? {} : JSON.parse(loaded.data)) as Partial<DagFileLoadedData>;
      const { dagIds = [], files = [] } = data;
      const fingerprint = loaded === last ? (data.fingerprint ?? '') : '';
      this.known.set(path, { stamps: '', files, dagIds, fingerprint, last: `${last.type}${last.data}` });
      for (const dagId of dagIds) this.owners.set(dagId, path);
    }
  }

  /** From the last one back to the last that was not a failure. */
  private async lastEvents(stream: string): Promise<readonly RecordedEvent[]> {
    const events: RecordedEvent[] = [];
    for await (const page of this.options.store.readStream(stream, { backwards: true }))
      for (const event of page) {
        events.push(event);
        if (event.type !== 'DagFileFailed') return events;
      }
    return events;
  }

  /** One look: parses files that changed, retires what is gone. Resolves when all that is done. */
  async look(): Promise<void> {
    const begun = await this.scan();
    await Promise.all(begun.values());
  }

  /** Begins what there is to do; answers the files whose reading has begun. */
  private async scan(): Promise<ReadonlyMap<string, Promise<void>>> {
    const listing = await listFolder(this.options.root);
    const stamps = new Map(listing.map((f) => [f.path, f.stamp]));
    const changed: string[] = [];
    const present = new Set<string>(this.refreshing.keys());
    for (const file of listing) {
      if (this.refreshing.has(file.path)) continue;
      const known = this.known.get(file.path);
      if (known !== undefined && known.stamps !== '' && known.stamps === stampsOf(file, known.files, stamps))
        present.add(file.path);
      else if (await isDagFile(this.options.root, file.path)) {
        present.add(file.path);
        changed.push(file.path);
      }
    }
    // First what is gone: a file that was renamed defines the same DAG.
    for (const path of Array.from(this.known.keys())) if (!present.has(path)) await this.remove(path);
    const begun = new Map(changed.map((path) => [path, this.begin(path, stamps)]));
    this.orphans ??= Promise.allSettled(begun.values())
      .then(() => this.retireOrphans())
      .catch(() => {
        // The read models were not there in time: the next look asks again.
        this.orphans = undefined;
      });
    return begun;
  }

  private begin(path: string, stamps: ReadonlyMap<string, string>): Promise<void> {
    const done = this.lanes
      .run(async () => {
        if (!this.stopped) await this.refresh(path, stamps);
      })
      .finally(() => this.refreshing.delete(path));
    this.refreshing.set(path, done);
    return done;
  }

  private async refresh(path: string, stamps: ReadonlyMap<string, string>): Promise<void> {
    const { root, session, ids, release } = this.options;
    const known = this.known.get(path);
    if (known !== undefined && known.fingerprint !== '' && known.files.every((f) => stamps.has(f))) {
      const files = await readFiles(root, known.files);
      if (fingerprintOf(files, release) === known.fingerprint) {
        known.stamps = stampsOf({ stamp: stamps.get(path) ?? '' }, known.files, stamps);
        return;
      }
    }
    const parsing = session.parse({ id: ids.uuid(), root, file: path });
    const result = await Promise.race([parsing, this.stopping.promise]);
    if (result === undefined || this.stopped) return;
    const clash = result.dags.find(({ dagId }) => (this.owners.get(dagId) ?? path) !== path)?.dagId;
    const failures = clash === undefined ? result.errors : [...result.errors, this.clashOf(path, clash)];
    if (failures.length > 0) return this.fail(path, result, failures, stamps, clash);
    for (const { dagId } of result.dags) this.owners.set(dagId, path);
    await this.publish(path, result, stamps);
  }

  private clashOf(path: string, dagId: string): ImportFailure {
    const message = `DAG id '${dagId}' is defined in '${this.owners.get(dagId)}' already; DAG ids are unique in the folder`;
    return { file: path, dagId, message };
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
      const { dagId } = definition;
      const answer = await commands.send({
        dagId,
        actor: ACTOR,
        command: { type: 'publishVersion', version, definition, bundle },
      });
      // Nothing is recorded of the file: the next look reads it again.
      if (!answer.ok) throw new Error(`DAG '${dagId}' was not published: ${answer.message}`);
    }
    for (const dagId of previous)
      if (!dagIds.includes(dagId)) await this.retire(dagId, path, `'${path}' no longer defines it`);
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
        stamps: stampsOf({ stamp: stamps.get(path) ?? '' }, data.files, stamps),
      },
    );
    this.readAgain(path);
    this.options.onChange?.({ file: path, dagIds, failures: [] });
  }

  /** A broken file keeps the versions that it had; what is wrong with it is shown. */
  private async fail(
    path: string,
    result: ParseResult,
    failures: readonly ImportFailure[],
    stamps: ReadonlyMap<string, string>,
    clash: string | undefined,
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
        stamps: stampsOf({ stamp: stamps.get(path) ?? '' }, files, stamps),
        ...(clash === undefined ? {} : { clash: this.owners.get(clash)! }),
      },
    );
    this.options.onChange?.({ file: path, dagIds: [], failures });
  }

  private async remove(path: string): Promise<void> {
    const dagIds = this.known.get(path)?.dagIds ?? [];
    for (const dagId of dagIds) await this.retire(dagId, path, `its file '${path}' was removed`);
    await this.record(path, { type: 'DagFileRemoved', data: { file: path } }, undefined);
    this.known.delete(path);
    this.readAgain(path);
    this.options.onChange?.({ file: path, dagIds: [], failures: [] });
  }

  /** What was refused because of this file may be right now. */
  private readAgain(path: string): void {
    for (const file of this.known.values()) if (file.clash === path) file.stamps = '';
  }

  private async retire(dagId: string, path: string, reason: string): Promise<void> {
    if (this.owners.get(dagId) === path) this.owners.delete(dagId);
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
          await this.retire(dag.dagId, dag.file, `its file '${dag.file}' is gone`);
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

function stampsOf(
  file: Pick<FolderFile, 'stamp'>,
  bundle: readonly string[],
  stamps: ReadonlyMap<string, string>,
): string {
  return [file.stamp, ...bundle.map((f) => stamps.get(f) ?? 'gone')].join('|');
}
