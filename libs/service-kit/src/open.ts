import { mkdir, access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fileBlobStore, fileBundleStore, fileLogStore, loadSecretKey, secretBox } from '@rondo/adapter-embedded';
import { eventStoreDb, eventStoreDbSubscriptions } from '@rondo/adapter-eventstoredb';
import { kafkaBus, type KafkaBus } from '@rondo/adapter-kafka';
import { openPostgresReadModels, openPostgresRunKeys, type PostgresReadModels } from '@rondo/adapter-postgres';
import { s3Stores } from '@rondo/adapter-s3';
import { Archives, logsWithArchives, RunKeyring, withArchives } from '@rondo/application';
import type { ConfigOf, Log, Metrics, Part, Section } from '@rondo/nest-platform/service';
import type {
  BlobStore,
  BundleStore,
  EventStore,
  LogStore,
  PersistentSubscriptions,
  RunKeys,
  SecretBox,
  TruncatingEventStore,
} from '@rondo/ports';
import * as projection from '@rondo/projections';
import { meterAppends, meterBus, meterReadModels } from './meters.ts';
import type {
  EVENTSTORE_SETTINGS,
  KAFKA_SETTINGS,
  POSTGRES_SETTINGS,
  SECRETS_SETTINGS,
  STORAGE_SETTINGS,
} from './settings.ts';

type Settings<S extends Section> = ConfigOf<{ readonly of: S }>['of'];
export type KafkaConfig = Settings<typeof KAFKA_SETTINGS>;
export type EventStoreConfig = Settings<typeof EVENTSTORE_SETTINGS>;
export type PostgresConfig = Settings<typeof POSTGRES_SETTINGS>;
export type StorageConfig = Settings<typeof STORAGE_SETTINGS>;
export type SecretsConfig = Settings<typeof SECRETS_SETTINGS>;

/** What a service gives to those who open something for it. */
export interface Opener {
  readonly log: Log;
  readonly instance: string;
  readonly metrics: Metrics;
  readonly add: <P extends Part>(part: P) => Promise<P>;
}

/** Deliveries in vain that are worth a warning: a partition that moves has one or two. */
const TELLING_TIMES = 3;

export async function openBus({ add, log, instance, metrics }: Opener, kafka: KafkaConfig): Promise<KafkaBus> {
  const { mechanism, username, password, prefix, tls, sessionTimeout, ...rest } = kafka;
  const sasl =
    mechanism === undefined || username === undefined || password === undefined
      ? {}
      : { sasl: { mechanism, username, password } as never };
  const bus = kafkaBus({
    ...rest,
    ...sasl,
    ...(tls ? { tls } : {}),
    ...(prefix === undefined ? {} : { prefix }),
    sessionTimeoutMs: sessionTimeout,
    clientId: instance,
    onWarning: (text) => log.debug(text, { part: 'bus' }),
    onDeadLetter: (letter) => log.warn('a message cannot be read, and lies among the dead letters', letter),
    onError: ({ topic, partition, error, attempt, retryInMs }) =>
      log[attempt < TELLING_TIMES ? 'debug' : 'warn']('messages are delivered again', {
        ...{ topic, partition, error, times: attempt, retryInMs },
      }),
  });
  await add({ name: 'bus', start: () => bus.check(), stop: () => bus.close(), check: () => bus.check() });
  meterBus(metrics, bus);
  return bus;
}

/** Resolves when the history answers; one that is away is waited for. */
export async function openEventStore(
  { add, log, metrics }: Opener,
  { url }: EventStoreConfig,
): Promise<TruncatingEventStore> {
  const store = eventStoreDb({ connectionString: url });
  meterAppends(metrics, store);
  let isClosed = false;
  await add({
    name: 'eventStore',
    start: () =>
      whileAway(
        () => store.head(),
        log,
        'event store',
        () => isClosed,
      ),
    stop: () => {
      isClosed = true;
      return store.close();
    },
    check: async () => `position ${await store.head()}`,
  });
  return store;
}

/** The history and the logs with what is in archives. */
export function archivesIncluded(
  store: TruncatingEventStore,
  { blobs, logs }: Pick<Storage, 'blobs' | 'logs'>,
): { readonly store: EventStore; readonly logs: LogStore } {
  const archives = new Archives(blobs, store);
  return { store: withArchives(store, archives), logs: logsWithArchives(logs, archives) };
}

export async function openSubscriptions({ add }: Opener, { url }: EventStoreConfig): Promise<PersistentSubscriptions> {
  const subscriptions = eventStoreDbSubscriptions({ connectionString: url });
  await add({ name: 'subscriptions', stop: () => subscriptions.close() });
  return subscriptions;
}

/** `writes`: this service keeps the rows; others read what it wrote. */
export async function openReadModels(
  { add, log, metrics }: Opener,
  { url, schema, connections }: PostgresConfig,
  more: { readonly events: EventStore; readonly blobs: BlobStore; readonly writes: boolean },
): Promise<PostgresReadModels> {
  let models: PostgresReadModels | undefined;
  await add({
    name: 'readModels',
    start: async () => {
      models = await openPostgresReadModels({
        ...{ url, schema, connections, projection, ...more },
        onStatus: ({ state, error }) => {
          if (state !== 'running') log.warn(`read models: ${state}`, { error });
        },
      });
    },
    stop: async () => models?.close(),
    check: async () => {
      const { state, position, error } = models!.status();
      if (state !== 'running') throw new Error(error ?? state);
      return `position ${position}`;
    },
  });
  if (more.writes) meterReadModels(metrics, models!, more.events);
  return models!;
}

export interface Storage {
  readonly blobs: BlobStore;
  readonly bundles: BundleStore;
  readonly logs: LogStore;
}

export async function openStorage({ add }: Opener, config: StorageConfig): Promise<Storage> {
  const { stores, check, close } = config.url.startsWith('file:') ? await inFolder(config) : await inBucket(config);
  await add({ name: 'storage', start: check, stop: close, check });
  return stores;
}

interface OpenStores {
  readonly stores: Storage;
  readonly check: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Folders as in a data folder, so that a data folder can be served on. */
async function inFolder({ url }: StorageConfig): Promise<OpenStores> {
  const folder = fileURLToPath(url);
  await mkdir(folder, { recursive: true });
  const blobs = fileBlobStore(join(folder, 'blobs'));
  const logs = fileLogStore(join(folder, 'logs'));
  return {
    stores: { blobs, logs, bundles: fileBundleStore({ folder: join(folder, 'bundles'), blobs }) },
    check: () => access(folder, constants.R_OK | constants.W_OK),
    close: () => logs.close(),
  };
}

async function inBucket({ url, accessKeyId, secretAccessKey, cache }: StorageConfig): Promise<OpenStores> {
  const { hostname, pathname, searchParams } = new URL(url);
  const option = (name: string): object => {
    const value = searchParams.get(name);
    return value === null ? {} : { [name]: value };
  };
  const path = pathname.replace(/^\/+|\/+$/g, '');
  const folder = join(cache, 'bundles');
  await mkdir(folder, { recursive: true });
  const stores = s3Stores({
    bucket: hostname,
    ...(path === '' ? {} : { prefix: `${path}/` }),
    ...option('endpoint'),
    ...option('region'),
    ...(accessKeyId === undefined || secretAccessKey === undefined
      ? {}
      : { credentials: { accessKeyId, secretAccessKey } }),
    local: fileBundleStore({ folder, blobs: fileBlobStore(join(cache, 'blobs')) }),
  });
  return { stores, check: () => stores.check(), close: () => stores.close() };
}

export function openSecrets({ key }: SecretsConfig): SecretBox {
  return secretBox(loadSecretKey('', { RONDO_SECRET_KEY: key }));
}

/** The keys of sealed runs (I14); a database that is away is waited for. */
export async function openKeyring(
  { add, log }: Opener,
  secrets: SecretsConfig,
  postgres: PostgresConfig,
): Promise<RunKeyring> {
  let keys: RunKeys | undefined;
  let isClosed = false;
  const open = async (): Promise<RunKeys> =>
    (keys = await openPostgresRunKeys({ url: secrets.runKeys ?? postgres.url }));
  await add({
    name: 'runKeys',
    start: () => whileAway(open, log, 'database of the keys of runs', () => isClosed),
    stop: async () => {
      isClosed = true;
      await keys?.close();
    },
    check: async () => void (await keys!.unfinished([])),
  });
  return new RunKeyring(keys!, openSecrets(secrets));
}

const AWAY_MS = 1_000;

async function whileAway<T>(ask: () => Promise<T>, log: Log, what: string, isClosed: () => boolean): Promise<T> {
  for (let times = 1; ; times++)
    try {
      return await ask();
    } catch (error) {
      if ((error as { readonly retryable?: unknown }).retryable !== true || isClosed()) throw error;
      if (times === 1) log.warn(`the ${what} is away: it is waited for`, { error });
      await new Promise((resolve) => setTimeout(resolve, AWAY_MS));
    }
}
