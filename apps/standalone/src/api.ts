import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { backupDataFolder, noDeadLetters } from '@rondo/adapter-embedded';
import {
  AdminService,
  OwnWorkers,
  type SensorEvents,
  type BusCommands,
  type Gateway,
  type Scheduler,
} from '@rondo/application';
import { serveApi as serve, type ApiServer, type HealthReport } from '@rondo/app-query';
import type { Adapters } from './adapters.ts';

export type { ApiServer };

export interface HttpOptions {
  readonly host: string;
  /** Undefined: 8080, or the next free one. */
  readonly port: number | undefined;
  /** Undefined: the API is not served over gRPC. */
  readonly grpcPort?: number | undefined;
  /** Wanted by everybody who does not come over loopback. */
  readonly token: string | undefined;
  /** Names under which others address the API, beside `host` itself. */
  readonly hosts: readonly string[];
}

export interface ApiOptions extends Adapters {
  readonly commands: BusCommands;
  readonly scheduler: Scheduler;
  readonly gateway: Gateway;
  readonly sensorEvents: SensorEvents;
  readonly http: HttpOptions;
  /** The data folder. */
  readonly folder: string;
  readonly version: string;
  readonly confOverridesParams: boolean;
}

const FIRST_PORT = 8080;
const PORTS_TRIED = 100;

/** I17. */
export function checkDoor({ host, token }: HttpOptions): void {
  if (isLoopback(host) || token !== undefined) return;
  throw new Error(
    `--host ${host} opens the API to others, who need a token: set RONDO_API_TOKEN (16 characters or more), or use 127.0.0.1`,
  );
}

/** Serves the API and says in the data folder where: `api.json` with `url` and `pid`. */
export async function serveApi(options: ApiOptions): Promise<ApiServer> {
  const server = await listen(options);
  const file = join(options.folder, 'api.json');
  // Whoever reads the file is on this machine: to them a wildcard address is the loopback one.
  const url = server.url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
  await writeFile(file, `${JSON.stringify({ url, pid: process.pid })}\n`, { mode: 0o600 });
  return {
    ...server,
    close: async () => {
      await server.close();
      if ((await readFile(file, 'utf8').catch(() => '')).includes(`"pid":${process.pid}`))
        await rm(file, { force: true });
    },
  };
}

async function listen(options: ApiOptions): Promise<ApiServer> {
  const { host, port, grpcPort } = options.http;
  const grpc =
    grpcPort === undefined ? undefined : { listen: `${host.includes(':') ? `[${host}]` : host}:${grpcPort}` };
  const chosen = port === undefined ? await freePort(host) : await wantedPort(host, port);
  return serve(queryOptions(options), host, chosen, grpc);
}

/** The first that is free from 8080 on. */
async function freePort(host: string): Promise<number> {
  for (let port = FIRST_PORT; port < FIRST_PORT + PORTS_TRIED; port++) if (await isFree(host, port)) return port;
  throw new Error(`ports ${FIRST_PORT} to ${FIRST_PORT + PORTS_TRIED - 1} of ${host} are all in use`);
}

async function wantedPort(host: string, port: number): Promise<number> {
  if (port === 0 || (await isFree(host, port))) return port;
  throw new Error(`port ${port} of ${host} is in use: choose another with --port, or leave the choice to the platform`);
}

/** Asked before the API is made, which says on stderr that it could not listen. */
function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(false) : reject(error),
    );
    probe.listen(port, host, () => probe.close(() => resolve(true)));
  });
}

function queryOptions(options: ApiOptions): Parameters<typeof serve>[0] {
  const { store, readModels, commands, logs, blobs, bundles, secrets, clock, ids, version, folder } = options;
  const { confOverridesParams, keyring } = options;
  const { token, host, hosts } = options.http;
  return {
    admission: options.gateway,
    workers: new OwnWorkers(options.gateway, clock.now()),
    deadLetters: noDeadLetters,
    ...{ readModels, eventStore: store, commands, logs, blobs, bundles, secrets, clock, version },
    ...{ confOverridesParams, keyring },
    sensorEvents: options.sensorEvents,
    admin: new AdminService({ eventStore: store, secrets, clock, ids }),
    adminCommands: { backup: (path) => backupDataFolder(folder, path) },
    health: () => health(options),
    door: { hosts: [host, ...hosts], ...(token === undefined ? {} : { token }) },
  };
}

/** What each part says of itself. */
async function health({ readModels, store, scheduler, gateway }: ApiOptions): Promise<HealthReport> {
  const head = await store.head().catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
  const rows = readModels.status();
  const worker = gateway.status();
  const quarantined = scheduler.quarantine().size;
  const components: HealthReport['components'] = {
    eventStore:
      typeof head === 'number' ? { status: 'ok', detail: `position ${head}` } : { status: 'failing', detail: head },
    readModels: {
      status: rows.state === 'running' ? 'ok' : 'failing',
      detail: rows.error ?? `position ${rows.position}`,
    },
    scheduler: {
      status: quarantined === 0 ? 'ok' : 'failing',
      detail:
        quarantined === 0
          ? 'no run is quarantined'
          : `${quarantined} quarantined: ${[...scheduler.quarantine().keys()].join(', ')}`,
    },
    worker: {
      status: worker.slots > 0 ? 'ok' : 'failing',
      detail: `${worker.slots} slots, ${worker.assigned} assigned, ${worker.waiting} waiting`,
    },
  };
  const isOk = Object.values(components).every((c) => c.status === 'ok');
  return { status: isOk ? 'ok' : 'failing', components };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}
