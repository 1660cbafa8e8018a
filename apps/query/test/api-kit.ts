import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  embeddedBus,
  fileBlobStore,
  fileBundleStore,
  fileLogStore,
  noDeadLetters,
  openEmbeddedEventStore,
  openReadModels,
  secretBox,
  systemClock,
  systemIds,
  type EmbeddedEventStore,
} from '@rondo/adapter-embedded';
import type { GrpcListenOptions } from '@rondo/adapter-grpc';
import { AdminService, SensorEvents, StoredWorkers } from '@rondo/application';
import type { AdmissionQueries, CommandAnswer, CommandBus } from '@rondo/contracts';
import type { BlobStore, BundleStore, LogStore, ReadModels } from '@rondo/ports';
import { PROJECTION_MODULE } from '@rondo/projections';
import type { QueryOptions } from '../src/options.ts';
import { serveApi, type ApiServer } from '../src/server.ts';

type Sent = Parameters<CommandBus['send']>[0];

export interface GivenEvent {
  readonly stream: string;
  readonly type: string;
  readonly data: unknown;
  /** When it occurred, epoch milliseconds. */
  readonly at: number;
}

export interface Answer<T = unknown> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

export interface RequestOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A listening API over a real event store and real read models; only the scheduler is played by the test. */
export class ApiUnderTest {
  readonly folder = mkdtempSync(join(tmpdir(), 'rondo-api-'));
  readonly sent: Sent[] = [];
  onCommand: (command: Sent) => Promise<CommandAnswer> = async () => ({
    ok: false,
    code: 'unavailable',
    message: 'no scheduler',
  });
  onAdmission: AdmissionQueries['admissionOf'] = async () => ({ stand: 'unknown', reasons: [] });
  store!: EmbeddedEventStore;
  readModels!: ReadModels;
  blobs!: BlobStore;
  bundles!: BundleStore;
  logs!: LogStore;
  server!: ApiServer;

  static async start(change: Partial<QueryOptions> = {}, grpc?: GrpcListenOptions): Promise<ApiUnderTest> {
    const api = new ApiUnderTest();
    const { folder } = api;
    api.store = await openEmbeddedEventStore({ folder });
    api.blobs = fileBlobStore(join(folder, 'blobs'));
    api.bundles = fileBundleStore({ folder: join(folder, 'bundles'), blobs: api.blobs });
    api.logs = fileLogStore(join(folder, 'logs'));
    api.readModels = await openReadModels({
      folder,
      blobs: join(folder, 'blobs'),
      events: api.store.connect(),
      projection: PROJECTION_MODULE,
    });
    const secrets = secretBox(Buffer.alloc(32, 7));
    const clock = systemClock();
    const options: QueryOptions = {
      readModels: api.readModels,
      eventStore: api.store,
      commands: { send: (message) => (api.sent.push(message), api.onCommand(message)) },
      logs: api.logs,
      blobs: api.blobs,
      bundles: api.bundles,
      secrets,
      admin: new AdminService({ eventStore: api.store, secrets, clock, ids: systemIds }),
      sensorEvents: new SensorEvents({ store: api.store, bus: embeddedBus(), clock }),
      admission: {
        admissionOf: (id, demand) => api.onAdmission(id, demand),
        poolLoads: async (names) => names.map(() => ({ occupied: 2, deferred: 1, queued: 1 })),
      },
      workers: new StoredWorkers({ store: api.store, readModels: api.readModels, clock }),
      deadLetters: noDeadLetters,
      clock,
      health: async () => ({ status: 'ok', components: { eventStore: { status: 'ok' } } }),
      version: '9.9.9',
      ...change,
    };
    api.server = await serveApi(options, '127.0.0.1', 0, grpc);
    return api;
  }

  async stop(): Promise<void> {
    await this.server.close();
    await this.readModels.close();
    await this.logs.close();
    await this.store.close();
    rmSync(this.folder, { recursive: true });
  }

  /** Appends and waits until the rows include it; answers the last position. */
  async given(...history: readonly GivenEvent[]): Promise<number> {
    const chain = history.map(({ stream, type, data, at }) => {
      const event = { id: randomUUID(), type, data: JSON.stringify(data), meta: JSON.stringify({ at }) };
      return { stream, expected: 'any' as const, events: [event] };
    });
    await this.store.append(chain);
    const position = await this.store.head();
    await this.readModels.settled(position);
    return position;
  }

  async call<T = Record<string, unknown>>(
    method: string,
    path: string,
    { body, headers = {} }: RequestOptions = {},
  ): Promise<Answer<T>> {
    const response = await fetch(`${this.server.url}/api/v1${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: (text === '' ? undefined : JSON.parse(text)) as T,
    };
  }

  get<T = Record<string, unknown>>(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer<T>> {
    return this.call<T>('GET', path, { headers });
  }
}

export interface ServerEvent {
  readonly id: number | undefined;
  readonly event: string;
  readonly data: unknown;
}

/** The server-sent events of an answer, until `enough` says so. */
export async function serverEvents(
  url: string,
  enough: (event: ServerEvent) => boolean,
  headers: Readonly<Record<string, string>> = {},
): Promise<ServerEvent[]> {
  const controller = new AbortController();
  const response = await fetch(url, {
    headers: { accept: 'text/event-stream', ...headers },
    signal: controller.signal,
  });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  const events: ServerEvent[] = [];
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for await (const chunk of response.body!) {
      const blocks = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n\n');
      rest = blocks.pop()!;
      for (const block of blocks) {
        const field = (name: string): string | undefined =>
          block
            .split('\n')
            .find((line) => line.startsWith(`${name}: `))
            ?.slice(name.length + 2);
        const data = field('data');
        if (data === undefined) continue;
        const event = {
          id: field('id') === undefined ? undefined : Number(field('id')),
          event: field('event') ?? 'message',
          data: JSON.parse(data) as unknown,
        };
        events.push(event);
        if (enough(event)) return events;
      }
    }
    return events;
  } finally {
    controller.abort();
  }
}
