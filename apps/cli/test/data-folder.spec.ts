import { mkdtemp, rm } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backupDataFolder, dataPaths, openDataFolder, openEmbeddedEventStore } from '@rondo/adapter-embedded';
import { FakeApi, rondo, rowsOf } from './fake-api.ts';

let folder: string;
let data: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rondo-cli-data-'));
  data = join(folder, 'data');
  const opened = await openDataFolder(data);
  const store = await openEmbeddedEventStore({ folder: data });
  const event = (n: number) => ({
    id: `00000000-0000-4000-8000-00000000000${n}`,
    type: 'DagPaused',
    data: `{"n":${n}}`,
    meta: '{}',
  });
  await store.append([{ stream: 'dag-orders', expected: 'noStream', events: [event(1), event(2), event(3)] }]);
  const started = {
    id: '00000000-0000-4000-8000-000000000009',
    type: 'RunStarted',
    data: '{"at":0,"runId":"r1"}',
    meta: '{}',
  };
  await store.append([{ stream: 'dagRun-orders:r1', expected: 'noStream', events: [started] }]);
  await store.close();
  opened.release();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('history verify', () => {
  it('finds a whole history whole', async () => {
    const { code, out } = await rondo(['history', 'verify', '--data', data]);
    expect(code).toBe(0);
    expect(out).toMatch(/events +4\n/);
    expect(out).toContain('the history is whole');
  });

  it('names the stream and the position of a changed event', async () => {
    const db = new DatabaseSync(dataPaths(data).events);
    const changed = db.prepare(`update events set data = replace(data, '"n":2', '"n":7') where revision = 1`).run();
    db.close();
    expect(changed.changes).toBe(1);
    const { code, out } = await rondo(['history', 'verify', '--data', data, '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ faults: [{ kind: 'changed', stream: 'dag-orders', revision: 1 }] });
    expect((await rondo(['history', 'verify', '--data', data])).out).toMatch(/changed +dag-orders +1 +\d+/);
  });

  it('says that there is no history', async () => {
    const { code, err } = await rondo(['history', 'verify', '--data', join(folder, 'nowhere')]);
    expect(code).toBe(1);
    expect(err).toContain('there is no history to verify');
  });
});

describe('history show --offline', () => {
  const show = (run: string, folder: string) =>
    rondo(['history', 'show', 'orders', run, '--offline', '--data', folder]);

  it('reads the events of a run out of the data folder', async () => {
    const { code, out } = await show('r1', data);
    expect(code).toBe(0);
    expect(rowsOf(out)).toEqual([['4', '0', '1970-01-01 00:00:00Z', 'RunStarted', '{"runId":"r1"}']]);
  });

  it('refuses an unknown run, a folder without a history, and one that is in use', async () => {
    expect((await show('r2', data)).err).toContain("has no run 'r2' of DAG 'orders'");
    expect((await show('r1', join(folder, 'nowhere'))).err).toContain('there is no history');
    const held = await openDataFolder(data);
    const inUse = await show('r1', data);
    held.release();
    expect(inUse.code).toBe(1);
    expect(inUse.err).toContain('error: ');
  });
});

describe('backup and restore', () => {
  it('has the platform write the backup, where the user stands', async () => {
    const api = await FakeApi.start();
    api.on('POST /backup', { body: { path: join(folder, 'copy'), position: 3 } });
    const { out } = await rondo(['backup', 'copy', '--url', api.url], { cwd: folder });
    await api.stop();
    expect(api.received[0]?.body).toEqual({ path: join(folder, 'copy') });
    expect(out).toContain('backup at position 3');
  });

  it('restores into a folder that is not there yet, and into no other', async () => {
    await backupDataFolder(data, join(folder, 'copy'));
    const args = ['restore', 'copy', '--data', join(folder, 'again')];
    const restored = await rondo(args, { cwd: folder });
    expect(restored).toMatchObject({ code: 0, err: '' });
    expect(restored.out).toContain('4 events, verified');
    const again = await rondo(args, { cwd: folder });
    expect(again.code).toBe(1);
    expect(again.err).toContain('is not empty');
  });
});
