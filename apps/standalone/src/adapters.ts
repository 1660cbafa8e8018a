import { join } from 'node:path';
import type { WorkerOptions } from '@rondo/app-worker';
import {
  embeddedBus,
  fileBlobStore,
  fileBundleStore,
  fileLogStore,
  loadSecretKey,
  openEmbeddedEventStore,
  openReadModels,
  secretBox,
  systemClock,
  systemIds,
  type DataPaths,
  type EmbeddedEventStore,
  type EmbeddedReadModels,
} from '@rondo/adapter-embedded';
import { attemptServices, openedReadModels, RunEraser, RunKeyring, StoredSecrets } from '@rondo/application';
import type { FailPoint, Result } from '@rondo/kernel';
import {
  ALL_QUEUES,
  type BlobStore,
  type BundleStore,
  type Clock,
  type Ids,
  type LogStore,
  type MessageBus,
  type SecretBox,
} from '@rondo/ports';
import { PROJECTION_MODULE } from '@rondo/projections';
import { connectionFromEnv, variableFromEnv, type AttemptSettings } from '@rondo/sdk';
import type { StoreFolders } from './worker-stores.ts';

const checkout = join(import.meta.dirname, '../../..');

export interface AdapterOptions {
  readonly paths: DataPaths;
  readonly dags: string;
  readonly workers: number;
  readonly queues?: readonly string[] | undefined;
  readonly parseTimeoutMs?: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly failPoint?: { readonly point: FailPoint; readonly hit: number } | undefined;
  readonly settings?: AttemptSettings;
  readonly isFresh: boolean;
  readonly notice: (text: string) => void;
}

/** The embedded adapters of every port, over one data folder. */
export interface Adapters {
  readonly store: EmbeddedEventStore;
  readonly readModels: EmbeddedReadModels;
  readonly bus: MessageBus;
  readonly blobs: BlobStore;
  readonly bundles: BundleStore;
  readonly logs: LogStore;
  readonly secrets: SecretBox;
  /** The keys of sealed runs (I14). */
  readonly keyring: RunKeyring;
  readonly eraser: RunEraser;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly worker: WorkerOptions;
  close(): Promise<void>;
}

export async function openAdapters(options: AdapterOptions): Promise<Adapters> {
  const {
    paths,
    dags,
    workers,
    queues = [ALL_QUEUES],
    parseTimeoutMs,
    settings,
    env,
    failPoint,
    isFresh,
    notice,
  } = options;
  const store = await openEmbeddedEventStore({
    folder: paths.folder,
    ...(failPoint === undefined ? {} : { failPoint }),
  });
  const secrets = secretBox(loadSecretKey(paths.keys, env as NodeJS.ProcessEnv));
  const keyring = new RunKeyring(store.runKeys, secrets);
  const rows = await openReadModels({
    folder: paths.folder,
    blobs: paths.blobs,
    events: store.connect(),
    projection: PROJECTION_MODULE,
  });
  const readModels = openedReadModels(rows, keyring);
  const blobs = fileBlobStore(paths.blobs);
  const bundles = fileBundleStore({ folder: paths.bundles, blobs });
  const logs = fileLogStore(paths.logs);
  const bus = embeddedBus({
    onError: ({ topic, error }) =>
      notice(`a message of ${topic} is delivered again: ${error instanceof Error ? error.message : String(error)}`),
  });
  const clock = systemClock();
  const eraser = new RunEraser({ keyring, logs, clock, onProblem: notice });
  const lookup = new StoredSecrets({
    environment: {
      variable: (key) => variableFromEnv(env, key),
      connection: (id) => orThrow(connectionFromEnv(env, id)),
    },
    readModels,
    secrets,
  });
  const folders: StoreFolders = { blobs: paths.blobs, bundles: paths.bundles, logs: paths.logs };
  return {
    ...{ store, readModels, bus, blobs, bundles, logs, secrets, keyring, eraser, clock },
    ids: systemIds,
    worker: {
      dataFolder: paths.folder,
      isFreshDataFolder: isFresh,
      bundlesFolder: paths.bundles,
      // As from the DAG file itself, and then what this installation has.
      moduleRoots: [dags, checkout],
      stores: { module: new URL('./worker-stores.ts', import.meta.url), options: folders },
      services: attemptServices({ lookup, readModels, store, blobs, keyring }),
      limits: { slots: workers },
      queues,
      ...(settings === undefined ? {} : { settings }),
      ...(parseTimeoutMs === undefined ? {} : { parse: { timeoutMs: parseTimeoutMs } }),
      passEnv: ['RONDO_EXAMPLE_*'],
      onNotice: notice,
      ...(failPoint === undefined ? {} : { failPoint }),
    },
    close: async () => {
      await bus.close();
      await readModels.close();
      await logs.close();
      await store.close();
    },
  };
}

function orThrow<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.error);
  return result.value;
}
