import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { NestFactory } from '@nestjs/core';
import { GATEWAY } from '@rondo/app-executor-gateway';
import { SCHEDULER } from '@rondo/app-scheduler';
import { WORKER_SESSION } from '@rondo/app-worker';
import {
  openDataFolder,
  type DataFolder,
  type EmbeddedEventStore,
  type EmbeddedReadModels,
} from '@rondo/adapter-embedded';
import {
  BusCommands,
  DagSource,
  SensorEvents,
  sessionHost,
  TimetableAsker,
  type Gateway,
  type Scheduler,
} from '@rondo/application';
import type { DagDefinition, DagVersion, ImportFailure } from '@rondo/domain';
import { onFailPoint, type FailPoint } from '@rondo/kernel';
import type { WorkerSession } from '@rondo/ports';
import { openAdapters, type Adapters } from './adapters.ts';
import { checkDoor, serveApi, type ApiServer, type HttpOptions } from './api.ts';
import { StandaloneModule } from './standalone.module.ts';
import type { AttemptSettings } from '@rondo/sdk';
import { VERSION } from './version.ts';

export interface PlatformOptions {
  readonly data: string;
  readonly dags: string;
  /** Attempts at once. */
  readonly workers: number;
  /** Queues that the worker serves. Default: all. */
  readonly queues?: readonly string[] | undefined;
  readonly executor: 'local' | 'sequential';
  /** Milliseconds that a DAG file may take to load. Default 30 s. */
  readonly parseTimeoutMs?: number;
  /** Default 100,000. */
  readonly maxMapLength?: number;
  /** Every run is sealed, whatever its DAG says (I14). Default false. */
  readonly sealRuns?: boolean;
  /** What is configured of attempts. Default: all defaults. */
  readonly settings?: AttemptSettings;
  /** Undefined: no API. */
  readonly http: HttpOptions | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly failPoint?: { readonly point: FailPoint; readonly hit: number } | undefined;
  /** What whoever runs the platform should know. Default: lines on stderr. */
  readonly onNotice?: (text: string) => void;
}

/** Sums since the start: milliseconds, events and writes. */
export interface PlatformMeter {
  readonly decideMs: number;
  readonly appendMs: number;
  readonly dispatchMs: number;
  readonly executeMs: number;
  readonly projectMs: number;
  readonly events: number;
  readonly batches: number;
}

/** Every service in one process on the embedded adapters. */
export interface Platform {
  readonly version: string;
  /** Address of the API. */
  readonly url: string | undefined;
  /** `host:port` of the API over gRPC; undefined: it was not asked for. */
  readonly grpcAddress: string | undefined;
  readonly store: EmbeddedEventStore;
  readonly readModels: EmbeddedReadModels;
  readonly commands: BusCommands;
  readonly scheduler: Scheduler;
  /** Takes events from outside. */
  readonly sensorEvents: SensorEvents;
  /** What was wrong with the DAG files when they were last read. */
  readonly importErrors: readonly ImportFailure[];
  /** Milliseconds that each part of the start took. */
  readonly startPhases: Readonly<Record<string, number>>;
  definition(version: string): Promise<DagDefinition>;
  meter(): PlatformMeter;
  childPids(): readonly number[];
  /** Resolves when every DAG file that there was at the start has been read: the start does not wait for ever. */
  dagsRead(): Promise<void>;
  /** Lets running attempts end for `graceMs` (default 0), then stops; what has not ended is a lost attempt of the next start. */
  stop(graceMs?: number): Promise<void>;
}

/** Takes the data folder, recovers, reads the DAG folder and serves. Rejects with the reason, leaving nothing behind. */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  if (!statSync(options.dags, { throwIfNoEntry: false })?.isDirectory())
    throw new Error(`--dags '${options.dags}' is not a folder: the path of a folder with DAG files is wanted`);
  if (options.http !== undefined) checkDoor(options.http);
  const isFresh = !existsSync(join(options.data, 'events.db'));
  const folder = await openDataFolder(options.data);
  const started = new StandalonePlatform(options, folder, isFresh);
  try {
    await started.start();
    started.isStarted = true;
    return started;
  } catch (error) {
    await started.stop().catch(() => undefined);
    throw error;
  }
}

/** `import error  etl.ts:12  what is wrong`. */
export function importErrorText({ file, line, message }: ImportFailure): string {
  return `import error  ${file}${line === undefined ? '' : `:${line}`}  ${message}`;
}

class StandalonePlatform implements Platform {
  readonly version = VERSION;
  readonly startPhases: Record<string, number> = {};
  isStarted = false;
  private readonly options: PlatformOptions;
  private readonly folder: DataFolder;
  private readonly isFresh: boolean;
  private readonly failures = new Map<string, readonly ImportFailure[]>();
  private readonly pids = new Set<number>();
  private readonly notice: (text: string) => void;
  private adapters: Adapters | undefined;
  private context: { close(): Promise<void>; get(token: symbol): unknown } | undefined;
  private source: DagSource | undefined;
  private timetables: TimetableAsker | undefined;
  private bus: BusCommands | undefined;
  private events: SensorEvents | undefined;
  private gateway: Gateway | undefined;
  private api: ApiServer | undefined;
  private work: Scheduler | undefined;

  constructor(options: PlatformOptions, folder: DataFolder, isFresh: boolean) {
    this.options = options;
    this.folder = folder;
    this.isFresh = isFresh;
    this.notice = options.onNotice ?? ((text) => void process.stderr.write(`rondo: ${text}\n`));
  }

  get url(): string | undefined {
    return this.api?.url;
  }

  get grpcAddress(): string | undefined {
    return this.api?.grpcAddress;
  }

  get store(): EmbeddedEventStore {
    return this.opened.store;
  }
  get readModels(): EmbeddedReadModels {
    return this.opened.readModels;
  }
  get commands(): BusCommands {
    return present(this.bus);
  }
  get scheduler(): Scheduler {
    return present(this.work);
  }
  get importErrors(): readonly ImportFailure[] {
    return [...this.failures.values()].flat();
  }
  get sensorEvents(): SensorEvents {
    return present(this.events);
  }
  private get opened(): Adapters {
    return present(this.adapters);
  }

  /** The worker's session comes before the scheduler: what its last process left is known before orders are stated again. */
  async start(): Promise<void> {
    const { options, folder } = this;
    this.setFailPoint();
    const adapters = await this.phase('open', () =>
      openAdapters({ ...options, paths: folder.paths, isFresh: this.isFresh, notice: this.notice }),
    );
    this.adapters = adapters;
    const { bus, clock, ids, store, blobs, bundles, readModels, keyring, eraser } = adapters;
    this.bus = new BusCommands(bus, clock, ids);
    const module = StandaloneModule.register({
      worker: adapters.worker,
      gateway: (session) => ({
        bus,
        store,
        clock,
        host: sessionHost(session, {
          ...{ executor: options.executor, parallelism: options.workers },
          ...{ boot: String(process.pid), release: VERSION },
        }),
        onPid: (pid) => this.pids.add(pid),
      }),
      scheduler: (gateway) => ({
        ...{ store, bus, blobs, clock, ids, keyring, eraser, sealsAll: options.sealRuns ?? false },
        ...(options.maxMapLength === undefined ? {} : { maxMapLength: options.maxMapLength }),
        onDurable: (reports) => gateway.durable(reports),
        onProblem: (p) =>
          this.notice(
            `${p.kind}${p.dagId === '' ? '' : ` DAG '${p.dagId}'`}${p.runId === undefined ? '' : ` run '${p.runId}'`}: ${p.message}`,
          ),
      }),
    });
    this.context = await NestFactory.createApplicationContext(module, {
      logger: ['error', 'warn'],
      abortOnError: false,
    });
    const gateway = (this.gateway = this.context.get(GATEWAY) as Gateway);
    this.work = this.context.get(SCHEDULER) as Scheduler;
    await this.bus.start();
    await this.phase('worker', () => gateway.start());
    const session = this.context.get(WORKER_SESSION) as WorkerSession;
    this.timetables = new TimetableAsker({ bus, session, commands: this.bus, ids, root: options.dags });
    await this.timetables.start();
    await this.phase('recover', () => this.scheduler.start());
    this.events = new SensorEvents({ store, bus, clock, onRefused: this.notice });
    await this.events.start();
    this.source = new DagSource({
      ...{ session, store, blobs, bundles, commands: this.bus, readModels, clock, ids },
      root: options.dags,
      release: VERSION,
      onChange: ({ file, failures }) => this.onFile(file, failures),
    });
    await this.phase('dags', () => present(this.source).start());
    const { http } = options;
    if (http !== undefined)
      this.api = await this.phase('api', () =>
        serveApi({
          ...adapters,
          commands: this.commands,
          scheduler: this.scheduler,
          gateway,
          sensorEvents: this.sensorEvents,
          http,
          folder: folder.paths.folder,
          version: VERSION,
          confOverridesParams: options.settings?.confOverridesParams ?? true,
        }),
      );
  }

  async definition(version: string): Promise<DagDefinition> {
    const bytes = await this.opened.blobs.get(version);
    if (bytes === undefined) throw new Error(`version ${version} is not in the blob store`);
    return (JSON.parse(new TextDecoder().decode(bytes)) as DagVersion).definition;
  }

  meter(): PlatformMeter {
    const { decideMs, appendMs, dispatchMs, events, batches } = this.scheduler.meter;
    return {
      decideMs,
      appendMs,
      dispatchMs,
      events,
      batches,
      executeMs: present(this.gateway).executedMs,
      projectMs: this.readModels.status().busyMs,
    };
  }

  childPids(): readonly number[] {
    return [...this.pids];
  }

  dagsRead(): Promise<void> {
    return present(this.source).firstLook;
  }

  async stop(graceMs = 0): Promise<void> {
    await this.api?.close();
    await this.events?.stop();
    await this.source?.stop();
    await this.gateway?.stop(graceMs);
    await this.timetables?.stop();
    await this.work?.stop();
    await this.bus?.stop();
    await this.context?.close();
    await this.adapters?.close();
    this.folder.release();
  }

  private onFile(file: string, failures: readonly ImportFailure[]): void {
    this.failures.set(file, failures);
    // Those of the start are shown together.
    if (this.isStarted) for (const failure of failures) this.notice(importErrorText(failure));
  }

  private setFailPoint(): void {
    const spec = this.options.failPoint;
    if (spec === undefined) return;
    let hits = 0;
    onFailPoint((point) => {
      if (point === spec.point && ++hits === spec.hit) process.kill(process.pid, 'SIGKILL');
    });
  }

  private async phase<T>(name: string, run: () => Promise<T>): Promise<T> {
    const begin = performance.now();
    try {
      return await run();
    } finally {
      this.startPhases[name] = Math.round(performance.now() - begin);
    }
  }
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the platform has not started');
  return value;
}
