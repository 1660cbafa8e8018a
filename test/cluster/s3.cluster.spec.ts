import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { fileBlobStore, fileBundleStore } from '@rondo/adapter-embedded';
import { s3Stores, type S3Options } from '@rondo/adapter-s3';
import type { AttemptRef } from '@rondo/domain';
import type { LogLine } from '@rondo/ports';
import {
  describeBlobStoreContract,
  describeBundleStoreContract,
  describeLogStoreContract,
  describeXComBackendContract,
} from '@rondo/testing';
import { startS3, type S3Server } from '../../tools/services/s3.mjs';

let server: S3Server;
let folder: string;
beforeAll(async () => {
  server = await startS3();
  folder = mkdtempSync(join(tmpdir(), 'rondo-s3-'));
}, 300_000);
afterAll(async () => {
  await server.stop();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (entry.isDirectory()) chmodSync(join(entry.parentPath, entry.name), 0o700);
  rmSync(folder, { recursive: true });
});

/** A store of bundles on this machine: what is materialised from the bucket. */
const aLocalStore = () => {
  const own = join(folder, randomUUID());
  return fileBundleStore({ folder: join(own, 'bundles'), blobs: fileBlobStore(join(own, 'blobs')) });
};

const stores = (prefix: string, options: Partial<S3Options> = {}) => {
  const { bucket, endpoint, credentials } = server;
  const followPauseMs = { first: 5, most: 40 };
  return s3Stores({ bucket, endpoint, credentials, prefix, local: aLocalStore(), followPauseMs, ...options });
};

const aPrefix = (): string => `${randomUUID()}/`;

describeBlobStoreContract('S3', async () => {
  const prefix = aPrefix();
  const { blobs, close } = stores(prefix);
  return {
    blobs,
    damage: async (hash) => {
      const { endpoint, credentials, bucket: Bucket } = server;
      const client = new S3Client({ endpoint, credentials, region: 'us-east-1', forcePathStyle: true });
      const Key = `${prefix}blobs/${hash.slice(0, 2)}/${hash.slice(2)}`;
      await client.send(new PutObjectCommand({ Bucket, Key, Body: 'other' }));
      client.destroy();
    },
    dispose: close,
  };
});

describeXComBackendContract('S3', async () => {
  const prefix = aPrefix();
  const [one, other] = [stores(prefix), stores(prefix)];
  return {
    backend: one.blobs,
    other: other.blobs,
    unknown: '0'.repeat(64),
    dispose: async () => void (await Promise.all([one.close(), other.close()])),
  };
});

describeBundleStoreContract('S3', async () => {
  const { bundles, close } = stores(aPrefix());
  return { bundles, dispose: close };
});

describeLogStoreContract('S3', async () => {
  const { logs, close } = stores(aPrefix());
  return { logs, dispose: close };
});

const anAttempt = (): AttemptRef => ({
  dagId: 'etl',
  runId: randomUUID(),
  taskId: 'extract',
  mapIndex: [],
  tryNumber: 1,
  leg: 1,
});
const line = (text: string, at = 1): LogLine => ({ at, stream: 'stdout', text });
const texts = ({ lines }: { readonly lines: readonly LogLine[] }): string[] => lines.map(({ text }) => text);

describe('stores in a bucket that several processes share', () => {
  it('materialise a bundle that another machine has stored, whole and the same', async () => {
    const prefix = aPrefix();
    const [here, there] = [stores(prefix), stores(prefix)];
    const files = new Map([
      ['dags/a.ts', Buffer.from('export {}')],
      ['dags/b.sql', Buffer.from('select 1')],
    ]);
    const hash = await here.bundles.putBundle(files);
    const root = await there.bundles.materialise(hash);
    expect(readdirSync(join(root, 'dags')).toSorted()).toEqual(['a.ts', 'b.sql']);
    expect(await there.bundles.getManifest(hash)).toEqual(await here.bundles.getManifest(hash));
    await Promise.all([here.close(), there.close()]);
  });

  it('keep every line of two writers of one log, those of each in their order', async () => {
    const prefix = aPrefix();
    const attempt = anAttempt();
    const [one, two] = [stores(prefix), stores(prefix)];
    for (let i = 0; i < 30; i++)
      await Promise.all([one.logs.append(attempt, [line(`one ${i}`)]), two.logs.append(attempt, [line(`two ${i}`)])]);
    const reader = stores(prefix);
    const all = texts(await reader.logs.read(attempt));
    expect(all).toHaveLength(60);
    for (const name of ['one', 'two'])
      expect(all.filter((text) => text.startsWith(name))).toEqual(Array.from({ length: 30 }, (_, i) => `${name} ${i}`));
    expect(texts(await one.logs.read(attempt))).toEqual(all);
    expect(texts(await reader.logs.read(attempt, 31, 4))).toEqual(all.slice(31, 35));
    await Promise.all([one, two, reader].map(({ close }) => close()));
  });

  it('show nothing of a log that another process has deleted, and what it has begun again', async () => {
    const prefix = aPrefix();
    const attempt = anAttempt();
    const [writer, reader] = [stores(prefix), stores(prefix)];
    await writer.logs.append(attempt, [line('one'), line('two')]);
    expect(texts(await reader.logs.read(attempt))).toEqual(['one', 'two']);
    await writer.logs.deleteRun(attempt.dagId, attempt.runId);
    expect(texts(await reader.logs.read(attempt))).toEqual([]);
    await stores(prefix).logs.append(attempt, [line('late')]);
    expect(texts(await reader.logs.read(attempt))).toEqual(['late']);
    await Promise.all([writer.close(), reader.close()]);
  });

  it('let a follower see the lines of another process', async () => {
    const prefix = aPrefix();
    const attempt = anAttempt();
    const [writer, reader] = [stores(prefix), stores(prefix)];
    const seen: string[] = [];
    const all = Promise.withResolvers<void>();
    const following = reader.logs.follow(attempt, 0, (lines, next) => {
      seen.push(...lines.map(({ text }) => text));
      if (next === 20) all.resolve();
    });
    for (let i = 0; i < 20; i++) await writer.logs.append(attempt, [line(String(i))]);
    await all.promise;
    following.stop();
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => String(i)));
    await Promise.all([writer.close(), reader.close()]);
  });

  it('delete the logs of one run, and write to it anew', async () => {
    const { logs, close } = stores(aPrefix());
    const [gone, kept] = [anAttempt(), anAttempt()];
    const other = { ...gone, taskId: 'load' };
    for (const attempt of [gone, kept, other]) await logs.append(attempt, [line('x')]);
    await logs.deleteRun(gone.dagId, gone.runId);
    for (const attempt of [gone, other]) expect(texts(await logs.read(attempt))).toEqual([]);
    expect(texts(await logs.read(kept))).toEqual(['x']);
    await logs.append(gone, [line('y')]);
    expect(texts(await logs.read(gone))).toEqual(['y']);
    await close();
  });
});

type Fault = 'refuse' | 'lose the answer';

/** Passes requests on, but for those that it is told to fail. */
async function faulty(next: (from: IncomingMessage) => Fault | undefined): Promise<{ server: Server; url: string }> {
  const proxy = createServer((from, to) => {
    const fault = next(from);
    if (fault === 'refuse') {
      from.resume();
      to.writeHead(503, { 'content-type': 'application/xml' }).end('<Error><Code>SlowDown</Code></Error>');
      return;
    }
    const { method, url, headers } = from;
    const on = request({ host: '127.0.0.1', port: server.port, method, path: url, headers }, (answer) => {
      if (fault === 'lose the answer') {
        answer.resume();
        answer.once('end', () => from.socket.destroy());
        return;
      }
      to.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(to);
    });
    from.pipe(on);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return { server: proxy, url: `http://127.0.0.1:${(proxy.address() as { port: number }).port}` };
}

describe('an object store that is not at its best', () => {
  it('is asked again, and a log line whose answer was lost is there once', async () => {
    const faults: Fault[] = [];
    const proxy = await faulty(({ method }) => (method === 'PUT' ? faults.shift() : undefined));
    const { logs, blobs, close } = stores(aPrefix(), { endpoint: proxy.url });
    const attempt = anAttempt();
    faults.push('refuse', 'lose the answer');
    await logs.append(attempt, [line('a'), line('b')]);
    faults.push('lose the answer', 'refuse', 'refuse');
    await logs.append(attempt, [line('c')]);
    faults.push('lose the answer');
    const hash = await blobs.put(Buffer.from('x'));
    expect(texts(await logs.read(attempt))).toEqual(['a', 'b', 'c']);
    expect(Buffer.from((await blobs.get(hash))!).toString()).toBe('x');
    expect(faults).toEqual([]);
    await close();
    proxy.server.closeAllConnections();
    proxy.server.close();
  }, 60_000);

  it.each(['the same process', 'another process'])(
    'fails an append that it does not answer; repeated by %s it is written once',
    async (who) => {
      let isAway = false;
      const proxy = await faulty(({ method }) => (isAway && method === 'PUT' ? 'lose the answer' : undefined));
      const prefix = aPrefix();
      const options = { endpoint: proxy.url, attempts: 1 };
      const first = stores(prefix, options);
      const attempt = anAttempt();
      await first.logs.append(attempt, [line('a')]);
      isAway = true;
      await expect(first.logs.append(attempt, [line('b')])).rejects.toMatchObject({
        name: 'StoreUnavailableError',
        retryable: true,
      });
      isAway = false;
      const second = who === 'the same process' ? first : stores(prefix, options);
      await second.logs.append(attempt, [line('b'), line('c')]);
      expect(texts(await second.logs.read(attempt))).toEqual(['a', 'b', 'c']);
      await Promise.all([first.close(), second.close()]);
      proxy.server.closeAllConnections();
      proxy.server.close();
    },
  );

  it('says which bucket is missing', async () => {
    const { check, blobs, close } = stores(aPrefix(), { bucket: 'nobody-made-it' });
    await expect(blobs.put(Buffer.from('x'))).rejects.toThrow(/no bucket 'nobody-made-it'/);
    await expect(check()).rejects.toThrow(/nobody-made-it/);
    await close();
    const found = stores(aPrefix());
    await found.check();
    await found.close();
  });
});
