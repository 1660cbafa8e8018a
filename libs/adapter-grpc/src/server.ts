import { Server, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { Health } from './health.ts';
import { loadProtos, serviceOf } from './protos.ts';
import { serverCredentials, type ServerTls } from './tls.ts';

/** A message of more is refused. Frames are cut into pieces long before; a line of a log is not. */
export const MAX_MESSAGE = 64 * 1024 * 1024;

/** After how long without a word a connection is tried; nearly as long again is given to the answer, for a loop that is busy. Milliseconds. */
export const KEEPALIVE_MS = 10_000;

export interface GrpcListenOptions {
  /** `host:port`; port 0: any free one. */
  readonly listen: string;
  /** Default: plain text. */
  readonly tls?: ServerTls;
  /** A connection from which nothing comes back for twice as long is given up. Milliseconds, default 10,000. */
  readonly keepaliveMs?: number;
}

export interface GrpcServerOptions extends GrpcListenOptions {
  /** Files under `proto` that have the services. */
  readonly protos: readonly string[];
  /** By full name: `rondo.v1.WorkerSessions`. */
  readonly services: Readonly<Record<string, UntypedServiceImplementation>>;
}

/** A server with the health service and reflection beside its own. */
export interface GrpcServer {
  /** `host:port` where it listens. */
  readonly address: string;
  /** What the health service answers. */
  setServing(serving: boolean): void;
  /** Takes no new calls, waits for those there are, and ends them after `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

export function keepaliveOptions(keepaliveMs = KEEPALIVE_MS): Record<string, number> {
  return {
    'grpc.keepalive_time_ms': keepaliveMs,
    'grpc.keepalive_timeout_ms': Math.ceil(keepaliveMs * 0.9),
    'grpc.keepalive_permit_without_calls': 1,
  };
}

/** Rejects when it cannot listen there. */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const { listen, tls, keepaliveMs, protos, services } = options;
  const files = [...protos, 'grpc/health/v1/health.proto'];
  const definition = loadProtos(files);
  const health = new Health(Object.keys(services));
  const server = new Server({
    ...keepaliveOptions(keepaliveMs),
    'grpc.max_receive_message_length': MAX_MESSAGE,
    'grpc.max_send_message_length': MAX_MESSAGE,
  });
  for (const [name, implementation] of Object.entries(services))
    server.addService(serviceOf(definition, name), implementation);
  server.addService(serviceOf(definition, 'grpc.health.v1.Health'), health.implementation);
  // Whoever asks gets the names as the files have them.
  new ReflectionService(loadProtos(files, { keepCase: true })).addToServer(server);
  const port = await bind(server, listen, tls);
  return {
    address: `${listen.slice(0, listen.lastIndexOf(':'))}:${port}`,
    setServing: (serving) => health.set(serving),
    stop: (graceMs) => {
      health.end();
      return shutDown(server, graceMs);
    },
  };
}

function bind(server: Server, listen: string, tls: ServerTls | undefined): Promise<number> {
  return new Promise((resolve, reject) =>
    server.bindAsync(listen, serverCredentials(tls), (error, port) => {
      if (error === null) resolve(port);
      else reject(new Error(`cannot listen on '${listen}': ${error.message}`));
    }),
  );
}

function shutDown(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, graceMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
