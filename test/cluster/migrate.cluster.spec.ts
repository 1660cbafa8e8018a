import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  dataPaths,
  fileBlobStore,
  fileBundleStore,
  fileLogStore,
  openDataFolder,
  openEmbeddedEventStore,
} from '@rondo/adapter-embedded';
import { eventStoreDb } from '@rondo/adapter-eventstoredb';
import { openPostgresRunKeys } from '@rondo/adapter-postgres';
import { s3Stores } from '@rondo/adapter-s3';
import { keyIdOf } from '@rondo/application';
import type { AttemptRef } from '@rondo/domain';
import type { EventStore, RecordedEvent } from '@rondo/ports';
import { rondo } from '../../apps/cli/test/fake-api.ts';
import { startEventStoreDb, type EventStoreDbServer } from '../../tools/services/eventstoredb/server.ts';
import { aDatabase } from '../../tools/services/start.ts';
import { startS3, type S3Server } from '../../tools/services/s3.mjs';

let folder: string;
let data: string;
let server: EventStoreDbServer;
let s3: S3Server;

const attempt: AttemptRef = {
  dagId: 'a/b',
  runId: 'x'.repeat(300),
  taskId: 't',
  mapIndex: [3],
  tryNumber: 1,
  leg: 1,
};
const files = new Map([
  ['dags/a.ts', Buffer.from('export {}')],
  ['dags/b.sql', Buffer.from('select 1')],
]);
let [blob, bundle] = ['', ''];

beforeAll(async () => {
  s3 = await startS3();
  process.env['AWS_ACCESS_KEY_ID'] = s3.credentials.accessKeyId;
  process.env['AWS_SECRET_ACCESS_KEY'] = s3.credentials.secretAccessKey;
}, 300_000);
afterAll(() => s3.stop());

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rondo-migrate-'));
  data = join(folder, 'data');
  server = await startEventStoreDb({ folder: join(folder, 'server') });
  const opened = await openDataFolder(data);
  const store = await openEmbeddedEventStore({ folder: data });
  for (let n = 0; n < 200; n++) {
    const event = { id: randomUUID(), type: 'Happened', data: JSON.stringify({ n }), meta: `{"at":${n}}` };
    // As bytes that JSON.stringify would write otherwise.
    const odd = { id: randomUUID(), type: 'Odd', data: `{ "n": ${n}.0 }`, meta: '{}' };
    await store.append([{ stream: `s-${n % 5}`, expected: 'any', events: n % 10 === 0 ? [event, odd] : [event] }]);
  }
  await store.close();
  const paths = dataPaths(data);
  const blobs = fileBlobStore(paths.blobs);
  blob = await blobs.put(Buffer.from('large'));
  bundle = await fileBundleStore({ folder: paths.bundles, blobs }).putBundle(files);
  const logs = fileLogStore(paths.logs);
  await logs.append(attempt, [
    { at: 1, stream: 'log', text: 'one' },
    { at: 2, stream: 'stdout', text: 'two' },
  ]);
  await logs.close();
  opened.release();
});
afterEach(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

async function eventsOf(store: EventStore): Promise<Omit<RecordedEvent, 'position'>[]> {
  const events = [];
  for await (const page of store.readAll(0)) events.push(...page.map(({ position: _position, ...rest }) => rest));
  await store.close();
  return events;
}

const target = () => eventStoreDb({ connectionString: server.connectionString });
const migrate = (...more: string[]) => rondo(['migrate', server.connectionString, '--data', data, ...more]);

describe('rondo migrate', () => {
  it('brings every event to the store as it was, and files to a shared folder', async () => {
    const shared = join(folder, 'shared');
    const { code, out } = await migrate('--files', shared, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      events: 220,
      found: 0,
      signedHeads: 1,
      files: { blobs: 3, bundles: 1, logs: 1 },
    });
    expect(await eventsOf(target())).toEqual(await eventsOf(await openEmbeddedEventStore({ folder: data })));
    const blobs = fileBlobStore(join(shared, 'blobs'));
    expect(Buffer.from((await blobs.get(blob))!).toString()).toBe('large');
    const bundles = fileBundleStore({ folder: join(shared, 'bundles'), blobs });
    expect(Buffer.from((await bundles.readFile(bundle, 'dags/b.sql'))!).toString()).toBe('select 1');
    const logs = fileLogStore(join(shared, 'logs'));
    expect((await logs.read(attempt)).lines.map(({ text }) => text)).toEqual(['one', 'two']);
    for (const name of ['anchors.jsonl', 'history.pub'])
      expect(await readFile(join(shared, 'history', name), 'utf8')).toBe(
        await readFile(name === 'history.pub' ? join(data, 'keys', name) : dataPaths(data).anchors, 'utf8'),
      );
    expect((await rondo(['history', 'verify', '--data', data])).code).toBe(0);
  });

  it('brings files to a bucket, and only what is missing the second time', async () => {
    const where = ['--files', `s3://${s3.bucket}/mine`, '--s3-endpoint', s3.endpoint];
    expect(await migrate(...where)).toMatchObject({ code: 0 });
    const open = await openDataFolder(data);
    const source = fileLogStore(dataPaths(data).logs);
    await source.append(attempt, [{ at: 3, stream: 'log', text: 'three' }]);
    await source.close();
    open.release();
    const { code, out } = await migrate(...where);
    expect(code).toBe(0);
    expect(out).toMatch(/events +220, 220 of them found there/);
    const local = fileBundleStore({ folder: join(folder, 'own'), blobs: fileBlobStore(join(folder, 'own-blobs')) });
    const { bucket, endpoint, credentials } = s3;
    const stores = s3Stores({ bucket, endpoint, credentials, prefix: 'mine/', local });
    expect((await stores.logs.read(attempt)).lines.map(({ text }) => text)).toEqual(['one', 'two', 'three']);
    expect(Buffer.from((await stores.blobs.get(blob))!).toString()).toBe('large');
    expect(await readFile(join(await stores.bundles.materialise(bundle), 'dags/a.ts'), 'utf8')).toBe('export {}');
    await stores.close();
  });

  it('brings keys of sealed runs as they are, and those of erased runs as erased', async () => {
    const [one, two, three, known] = ['kept', 'erased', 'restored', 'known'].map((run) => keyIdOf('d', run));
    const source = await openEmbeddedEventStore({ folder: data });
    for (const key of [one!, two!, three!]) await source.runKeys.create(key, `sealed ${key}`);
    await source.runKeys.delete(two!);
    await source.runKeys.finish(two!);
    await source.runKeys.delete(known!);
    // Its key was put back with an older copy of the keys.
    const event = {
      id: randomUUID(),
      type: 'RunErased',
      data: '{"runId":"restored","at":1,"by":"user:ada"}',
      meta: '{}',
    };
    await source.append([{ stream: 'dag-d', expected: 'noStream', events: [event] }]);
    await source.close();
    expect((await migrate()).out).toMatch(/keys of sealed runs +2 are left behind/);
    const postgres = await aDatabase();
    for (let times = 0; times < 2; times++) {
      const { code, out } = await migrate('--run-keys', postgres.url, '--json');
      expect(code).toBe(0);
      expect(JSON.parse(out)).toMatchObject({ runKeys: { keys: 1, erased: 3 } });
    }
    const keys = await openPostgresRunKeys({ url: postgres.url });
    expect(await keys.get(one!)).toEqual({ key: `sealed ${one}` });
    expect(await Promise.all([two!, three!, known!].map((key) => keys.get(key)))).toEqual([
      'erased',
      'erased',
      'erased',
    ]);
    expect([...(await keys.unfinished([one!, two!, three!, known!]))].sort()).toEqual([one, three, known].sort());
    await keys.close();
    await postgres.stop();
    expect(await migrate('--run-keys', 'http://user:secret@host')).toMatchObject({ code: 2 });
  }, 120_000);

  it('refuses a store that holds something else, and writes nothing to it', async () => {
    const store = target();
    const other = { id: randomUUID(), type: 'Other', data: '{}', meta: '{}' };
    await store.append([{ stream: 'other', expected: 'noStream', events: [other] }]);
    await store.close();
    const { code, err } = await migrate();
    expect(code).toBe(1);
    expect(err).toMatch(/not the beginning of this history: event 1 of the whole is Other \(0 of 'other'\)/);
    expect(await eventsOf(target())).toHaveLength(1);
  });

  it('refuses a history that is not whole, and one that is in use', async () => {
    const held = await openDataFolder(data);
    expect(await migrate()).toMatchObject({ code: 1, err: expect.stringMatching(/is in use by/) });
    held.release();
    const db = new DatabaseSync(dataPaths(data).events);
    db.exec(`update events set data = '{"n":-1}' where position = 7`);
    db.close();
    expect(await migrate()).toMatchObject({ code: 1, err: expect.stringMatching(/not whole, nothing was migrated/) });
    expect(await eventsOf(target())).toEqual([]);
  });

  it('says what is wrong with a target', async () => {
    const bad = await rondo(['migrate', 'http://user:secret@host', '--data', data]);
    expect(bad).toMatchObject({ code: 2, err: expect.stringMatching(/esdb:\/\//) });
    expect(bad.err).not.toContain('secret');
    const { code, err } = await migrate('--files', 's3://');
    expect(code).toBe(2);
    expect(err).toContain('s3://BUCKET/PREFIX');
    const nowhere = await rondo(['migrate', 'esdb://127.0.0.1:1?tls=false', '--data', data]);
    expect(nowhere).toMatchObject({ code: 1, err: expect.stringMatching(/does not answer[^]*run the command again/) });
  });
});
