import type { AddressInfo } from 'node:net';
import type { INestApplication, INestApplicationContext, NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import type { GrpcListenOptions } from '@rondo/adapter-grpc';
import type { GrpcApiServer } from './grpc/server.ts';
import type { QueryOptions } from './options.ts';
import { QueryModule } from './query.module.ts';

/** How an application that imports QueryModule is to be created: bodies are read behind the door. */
export const API_APPLICATION: NestApplicationOptions = {
  bodyParser: false,
  forceCloseConnections: true,
  abortOnError: false,
};

export interface ApiServer {
  readonly url: string;
  /** `host:port` of the service over gRPC, when it was asked for. */
  readonly grpcAddress?: string;
  close(): Promise<void>;
}

/** Settings of Express that QueryModule counts on. */
export function prepareApi(app: NestExpressApplication): void {
  app.disable('x-powered-by');
  // Strong tags of large answers cost more than they save; positions tell what has changed.
  app.disable('etag');
}

/** Serves the API alone, with `grpc` over gRPC too. `port` 0: any free one. Rejects when it cannot listen there. */
export async function serveApi(
  options: QueryOptions,
  host: string,
  port: number,
  grpc?: GrpcListenOptions,
): Promise<ApiServer> {
  const app = await NestFactory.create<NestExpressApplication>(QueryModule.register(options), new ExpressAdapter(), {
    ...API_APPLICATION,
    logger: ['error', 'warn'],
  });
  prepareApi(app);
  await app.listen(port, host);
  const url = urlOf(app, host);
  if (grpc === undefined) return { url, close: () => app.close() };
  try {
    const server = await serveGrpcApi(app, grpc);
    const close = async () => {
      await server.close();
      await app.close();
    };
    return { url, grpcAddress: server.address, close };
  } catch (error) {
    await app.close();
    throw error;
  }
}

/** The API over gRPC, beside an application that imports QueryModule. What that takes is loaded only here. */
export async function serveGrpcApi(app: INestApplicationContext, options: GrpcListenOptions): Promise<GrpcApiServer> {
  const { serveGrpc } = await import('./grpc/server.ts');
  return serveGrpc(app, options);
}

export function urlOf(app: INestApplication, host: string): string {
  const { port } = app.getHttpServer().address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
