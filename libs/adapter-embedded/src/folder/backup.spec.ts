import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openEmbeddedEventStore, type EmbeddedEventStore } from '../event-store/open.ts';
import { fileBlobStore } from '../files/blob-store.ts';
import { fileBundleStore } from '../files/bundle-store.ts';
import { fileLogStore } from '../files/log-store.ts';
import { verifyHistory } from '../history/verify.ts';
import { loadSecretKey } from '../secrets/secret-box.ts';
import { backupDataFolder, restoreDataFolder } from './backup.ts';
import { openDataFolder } from './data-folder.ts';

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'rondo-backup-'));
});
afterEach(() => {
  for (const entry of readdirSync(base, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) chmodSync(join(entry.parentPath, entry.name), 0o700);
  }
  rmSync(base, { recursive: true });
});

const attempt = { dagId: 'd', runId: 'r', taskId: 't', mapIndex: [], tryNumber: 1, leg: 1 };
const append = (store: EmbeddedEventStore, stream: string): Promise<unknown> =>
  store.append([{ stream, expected: 'any', events: [{ id: randomUUID(), type: 'E', data: '{}', meta: '{}' }] }]);

describe('backup and restore', () => {
  it('copies a folder in use, and makes one of it that verifies and holds everything', async () => {
    const data = await openDataFolder(join(base, 'data'));
    const { paths } = data;
    const store = await openEmbeddedEventStore({ folder: paths.folder, anchorMs: 5 });
    const blobs = fileBlobStore(paths.blobs);
    const bundles = fileBundleStore({ folder: paths.bundles, blobs });
    const logs = fileLogStore(paths.logs);
    const key = loadSecretKey(paths.keys, {});
    const bundle = await bundles.putBundle(new Map([['dags/a.ts', Buffer.from('a')]]));
    await bundles.materialise(bundle);
    await logs.append(attempt, [{ at: 1, stream: 'log', text: 'said' }]);

    let writing = true;
    const writer = (async () => {
      for (let i = 0; writing; i++) await append(store, `s${i % 5}`);
    })();
    while ((await store.head()) < 50) await store.seal();
    const { path, position } = await backupDataFolder(paths.folder, join(base, 'backup'));
    writing = false;
    await writer;
    await store.close();
    data.release();
    expect(path).toBe(join(base, 'backup'));
    expect(position).toBeGreaterThanOrEqual(50);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(readdirSync(path).toSorted()).toEqual([
      'anchors.jsonl',
      'blobs',
      'bundles',
      'events.db',
      'format.json',
      'keys',
      'logs',
    ]);

    const report = await restoreDataFolder(path, join(base, 'restored'));
    expect(report).toMatchObject({ events: position, head: position, faults: [] });
    expect(report.signedHeads).toBeGreaterThan(0);
    const restored = await openDataFolder(join(base, 'restored'));
    const again = await openEmbeddedEventStore({ folder: restored.paths.folder });
    expect(await again.head()).toBe(position);
    await append(again, 's0');
    await again.close();
    const restoredBundles = fileBundleStore({
      folder: restored.paths.bundles,
      blobs: fileBlobStore(restored.paths.blobs),
    });
    expect(await restoredBundles.readFile(bundle, 'dags/a.ts')).toEqual(Buffer.from('a'));
    expect((await fileLogStore(restored.paths.logs).read(attempt)).lines.map((l) => l.text)).toEqual(['said']);
    expect(loadSecretKey(restored.paths.keys, {})).toEqual(key);
    expect(await verifyHistory(restored.paths)).toMatchObject({ head: position + 1, faults: [] });
    restored.release();
  });

  it('refuses a target that holds something, and leaves it alone', async () => {
    await makeBackup();
    mkdirSync(join(base, 'full'));
    writeFileSync(join(base, 'full', 'x'), '');
    await expect(backupDataFolder(join(base, 'data'), join(base, 'full'))).rejects.toThrow(/full is not empty/);
    await expect(restoreDataFolder(join(base, 'backup'), join(base, 'full'))).rejects.toThrow(/full is not empty/);
    await expect(restoreDataFolder(join(base, 'backup'), join(base, 'data'))).rejects.toThrow(/data is not empty/);
    expect(readdirSync(base).toSorted()).toEqual(['backup', 'data', 'full']);
  });

  it('refuses a backup that was changed, and leaves nothing behind', async () => {
    await makeBackup();
    const db = new DatabaseSync(join(base, 'backup', 'events.db'));
    db.exec(`update events set data = '{"x":1}' where position = 2`);
    db.close();
    await expect(restoreDataFolder(join(base, 'backup'), join(base, 'restored'))).rejects.toThrow(
      /not what was backed up.*position 2/,
    );
    expect(existsSync(join(base, 'restored'))).toBe(false);
    expect(readdirSync(base).toSorted()).toEqual(['backup', 'data']);
  });

  it('refuses what is no backup', async () => {
    await expect(restoreDataFolder(base, join(base, 'restored'))).rejects.toThrow(/is no backup/);
    await expect(backupDataFolder(join(base, 'none'), join(base, 'backup'))).rejects.toThrow(/nothing to back up/);
  });

  async function makeBackup(): Promise<void> {
    const data = await openDataFolder(join(base, 'data'));
    const store = await openEmbeddedEventStore({ folder: data.paths.folder });
    for (let i = 0; i < 3; i++) await append(store, 's');
    await store.close();
    await backupDataFolder(data.paths.folder, join(base, 'backup'));
    data.release();
  }
});
