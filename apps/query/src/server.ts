import type { AddressInfo } from 'node:net';
import { type INestApplication, type NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
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
  close(): Promise<void>;
}

/** Settings of Express that QueryModule counts on. */
export function prepareApi(app: NestExpressApplication): void {
  app.disable('x-powered-by');
  // Strong tags of large answers cost more than they save; positions tell what has changed.
  app.disable('etag');
}

/** Serves the API alone. `port` 0: any free one. Rejects when it cannot listen there. */
export async function serveApi(options: QueryOptions, host: string, port: number): Promise<ApiServer> {
  const app = await NestFactory.create<NestExpressApplication>(QueryModule.register(options), new ExpressAdapter(), {
    ...API_APPLICATION,
    logger: ['error', 'warn'],
  });
  prepareApi(app);
  await app.listen(port, host);
  return { url: urlOf(app, host), close: () => app.close() };
}

export function urlOf(app: INestApplication, host: string): string {
  const { port } = app.getHttpServer().address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
