import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Address } from '../config/setting.ts';

export interface DependencyState {
  readonly state: 'ok' | 'failing' | 'starting' | 'stopping';
  readonly detail?: string;
}

export interface HealthOptions {
  readonly listen: Address;
  /** Every dependency by its name. */
  readonly ready: () => Promise<Readonly<Record<string, DependencyState>>>;
  /** The body of `/metrics` and its content type; undefined: there are none. */
  readonly metrics?: () => Promise<{ readonly type: string; readonly body: string } | undefined>;
}

export interface HealthServer {
  readonly url: string;
  close(): Promise<void>;
}

/** `/healthz`: the process lives; `/readyz`: it may be sent work, with the state of each dependency; `/metrics`. */
export async function startHealthServer(options: HealthOptions): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, { error: 'GET is allowed' });
    respond(options, path, response).catch((error: unknown) =>
      send(response, 500, { error: error instanceof Error ? error.message : String(error) }),
    );
  });
  await listen(server, options.listen);
  const { port } = server.address() as AddressInfo;
  const { host } = options.listen;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, { host, port }: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
}

async function respond(options: HealthOptions, path: string | undefined, response: ServerResponse): Promise<void> {
  if (path === '/healthz') return send(response, 200, { status: 'ok' });
  if (path === '/readyz') {
    const dependencies = await options.ready();
    const isReady = Object.values(dependencies).every(({ state }) => state === 'ok');
    return send(response, isReady ? 200 : 503, { status: isReady ? 'ok' : 'failing', dependencies });
  }
  if (path === '/metrics') {
    const metrics = await options.metrics?.();
    if (metrics === undefined) return send(response, 404, { error: 'this service has no metrics' });
    response.writeHead(200, { 'Content-Type': metrics.type }).end(metrics.body);
    return;
  }
  send(response, 404, { error: 'there are /healthz, /readyz and /metrics' });
}

function send(response: ServerResponse, status: number, body: unknown): void {
  if (response.headersSent) return;
  response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
  response.end(`${JSON.stringify(body)}\n`);
}
