/**
 * The HTTP server that the logs come from, and a client for it.
 *
 * Each download has a server of its own for as long as it takes: it listens on a free port of the loopback interface and is
 * gone, with all its connections, before the task ends. So downloads run in parallel in as many processes as there are.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const LOG_NAME = /^[\w-]+\.log$/;

async function answer(folder: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const name = basename(new URL(request.url ?? '/', 'http://localhost').pathname);
  const file = join(folder, name);
  const found = LOG_NAME.test(name) ? await stat(file).catch(() => undefined) : undefined;
  if (found?.isFile() !== true) {
    response.writeHead(404, { connection: 'close' }).end(`no log ${name}\n`);
    return;
  }
  response.writeHead(200, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': found.size,
    connection: 'close',
  });
  await pipeline(createReadStream(file), response);
}

async function listen(folder: string): Promise<Server> {
  const server = createServer((request, response) => {
    answer(folder, request, response).catch((error: unknown) =>
      response.destroy(error instanceof Error ? error : new Error(String(error))),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  return server;
}

/** Serves the folder's `*.log` files while `use` runs; `use` gets the address, without a slash at its end. */
export async function withLogServer<T>(folder: string, use: (url: string) => Promise<T>): Promise<T> {
  const server = await listen(folder);
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    await new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  }
}

/** Downloads to a file, which is there only when it is whole. False where the server has no such log (404). */
export async function download(url: string, target: string, signal?: AbortSignal): Promise<boolean> {
  const response = await fetch(url, signal === undefined ? {} : { signal });
  if (response.status === 404) {
    await response.body?.cancel();
    return false;
  }
  if (!response.ok || response.body === null)
    throw new Error(`GET ${url} answered ${response.status} ${response.statusText}`);
  await mkdir(dirname(target), { recursive: true });
  await pipeline(Readable.fromWeb(response.body), createWriteStream(`${target}.part`));
  await rename(`${target}.part`, target);
  return true;
}
