import { availableParallelism, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import type { MessagePort } from 'node:worker_threads';
import type { AttemptServices } from '@rondo/ports';
import type { AttemptSettings } from '@rondo/sdk';
import { childEnvironment } from './pool/environment.ts';
import { DEFAULT_LIMITS, defaultMaxChildren, type PoolLimits } from './pool/limits.ts';
import type { ThreadOptions } from './thread/messages.ts';
import { TRIGGERER_LIMITS, type TriggererLimits } from './triggerer/limits.ts';

export interface WorkerOptions {
  /** Name of the worker, in its reports. Default `local`. */
  readonly worker?: string;
  /** Queues whose tasks it takes. Default `['default']`. */
  readonly queues?: readonly string[];
  /** The platform's data folder: closed to user code but for what is named below. */
  readonly dataFolder: string;
  /** True: the data folder was made just now, so that there is nothing to have been lost. */
  readonly isFreshDataFolder: boolean;
  /** Where the bundle store unpacks. Default `bundles` in the data folder. */
  readonly bundlesFolder?: string;
  /** The worker's own folder. Default `worker` in the data folder. */
  readonly folder?: string;
  /** Scratch space of user code (`TMPDIR`, caches). Default `tmp` in the data folder. */
  readonly tmpFolder?: string;
  /** Working folder of tasks. Default: this process's. */
  readonly cwd?: string;
  /** Folders from where the npm packages of DAG files are found when the bundle's place has none. Default: `cwd`. */
  readonly moduleRoots?: readonly string[];
  /** What the thread stores to: see `OpenWorkerStores`. `options` has to be plain data. */
  readonly stores: {
    readonly module: URL;
    readonly options: unknown;
    /** Ports in `options`, which go over to the thread. */
    readonly transfer?: readonly MessagePort[];
  };
  /** What attempts may ask for. */
  readonly services: AttemptServices;
  /** Default: `slots` is the number of cores, `maxChildren` by `defaultMaxChildren`; see `DEFAULT_LIMITS`. */
  readonly limits?: Partial<PoolLimits>;
  /** Of the processes that look after waits. Default: `TRIGGERER_LIMITS`. */
  readonly triggerer?: Partial<TriggererLimits>;
  /** Children started ahead of work. Default: `slots`. */
  readonly prestart?: number;
  /** Names, or `PREFIX_*`, of environment variables that user code sees beside the usual ones. Default: none. */
  readonly passEnv?: readonly string[];
  /** Environment variables for user code. Default: none. */
  readonly env?: Readonly<Record<string, string>>;
  /** User and group that user code runs as. Needs root. Default: this process's. */
  readonly runAsUser?: { readonly uid: number; readonly gid: number };
  /** False: user code is not kept out of the data folder. Default true. */
  readonly permissions?: boolean;
  /** Texts to mask in logs, errors and rendered fields, beside what attempts look up. Default: none. */
  readonly secrets?: readonly string[];
  /** What is configured of attempts. Default: all defaults. */
  readonly settings?: AttemptSettings;
  /** Default 30 s, 512 MiB of heap, as many at once as there are cores. */
  readonly parse?: Partial<ThreadOptions['parse']>;
  /** A process beside the worker kills what runs beyond its lease, and everything when the worker is gone. Default false. */
  readonly warden?: boolean;
  /** What whoever runs the platform should know. Default: lines on stderr. */
  readonly onNotice?: (text: string) => void;
  /** The thread failed, and with it the worker. Default: thrown, which ends the process. */
  readonly onFailure?: (error: Error) => void;
  readonly failPoint?: NonNullable<ThreadOptions['failPoint']>;
}

/** With all defaults. */
export function threadOptions(options: WorkerOptions): ThreadOptions {
  const { dataFolder, failPoint, runAsUser } = options;
  const data = resolve(dataFolder);
  const cwd = resolve(options.cwd ?? process.cwd());
  const slots = options.limits?.slots ?? availableParallelism();
  return {
    worker: options.worker ?? 'local',
    queues: options.queues ?? ['default'],
    limits: { ...DEFAULT_LIMITS, slots, maxChildren: defaultMaxChildren(slots, totalmem()), ...options.limits },
    triggerer: { ...TRIGGERER_LIMITS, ...options.triggerer },
    launch: {
      dataFolder: data,
      bundlesFolder: resolve(options.bundlesFolder ?? join(data, 'bundles')),
      tmpFolder: resolve(options.tmpFolder ?? join(data, 'tmp')),
      cwd,
      moduleRoots: (options.moduleRoots ?? [cwd]).map((folder) => resolve(folder)),
      env: childEnvironment(process.env, options.passEnv ?? [], options.env ?? {}),
      permissions: options.permissions ?? true,
      settings: options.settings ?? {},
      ...(runAsUser === undefined ? {} : { runAsUser }),
    },
    folder: resolve(options.folder ?? join(data, 'worker')),
    isFreshDataFolder: options.isFreshDataFolder,
    warden: options.warden ?? false,
    secrets: options.secrets ?? [],
    prestart: options.prestart ?? slots,
    parse: { timeoutMs: 30_000, heapMiB: 512, concurrency: availableParallelism(), ...options.parse },
    stores: { module: options.stores.module.href, options: options.stores.options },
    ...(failPoint === undefined ? {} : { failPoint }),
  };
}
