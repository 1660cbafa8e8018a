import { isAbsolute } from 'node:path';
import type { TaskContext } from '@rondo/sdk';

export interface Downloaded {
  readonly path: string;
  readonly bytes: number;
  readonly status: number;
}

/** Streams an answer to a file that appears when it is whole. */
export async function download(ctx: TaskContext, response: Response, url: URL, path: string): Promise<Downloaded> {
  const [{ createWriteStream }, { mkdir, rename, rm }, { dirname }, { Readable, Transform }, { pipeline }] =
    await Promise.all([
      import('node:fs'),
      import('node:fs/promises'),
      import('node:path'),
      import('node:stream'),
      import('node:stream/promises'),
    ]);
  if (!isAbsolute(path)) throw new Error(`saveTo is '${path}'; allowed: an absolute path`);
  if (!response.ok)
    throw new Error(
      `${url.origin}${url.pathname} answered ${response.status} ${response.statusText}: ${(await response.text()).slice(0, 500)}`,
    );
  const part = `${path}.${ctx.ti.attemptId.replaceAll(/[^\w.-]/g, '_')}.part`;
  await mkdir(dirname(path), { recursive: true });
  let bytes = 0;
  const counter = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  try {
    await pipeline(
      response.body === null
        ? Readable.from([])
        : Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]),
      counter,
      createWriteStream(part),
      { signal: ctx.signal },
    );
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    ctx.signal.throwIfAborted();
    throw new Error(
      `the download of ${url.origin}${url.pathname} broke off after ${bytes} bytes: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
  ctx.log.info(`saved ${bytes} bytes to ${path}`);
  return { path, bytes, status: response.status };
}
