import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeRunKeysContract } from '@rondo/testing';
import { openEmbeddedEventStore } from '../event-store/open.ts';
import { backupRunKeys } from './backup.ts';

describeRunKeysContract('embedded', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rondo-run-keys-'));
  let store = await openEmbeddedEventStore({ folder });
  return {
    keys: store.runKeys,
    reopen: async () => {
      await store.close();
      store = await openEmbeddedEventStore({ folder });
      return store.runKeys;
    },
    dispose: async () => {
      await store.close();
      rmSync(folder, { recursive: true });
    },
  };
});

describe('run keys in the data folder', () => {
  const id = 'a'.repeat(32);
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rondo-run-keys-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const holds = (text: string): string[] =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && readFileSync(join(entry.parentPath, entry.name)).includes(text))
      .map((entry) => entry.name);

  it('make no file before there is one', async () => {
    const store = await openEmbeddedEventStore({ folder });
    expect(await store.runKeys.get(id)).toBeUndefined();
    await store.close();
    expect(readdirSync(folder)).not.toContain('run-keys.db');
  });

  it('leave no byte of a deleted key behind, also while the store is open', async () => {
    const store = await openEmbeddedEventStore({ folder });
    for (let n = 0; n < 200; n++) await store.runKeys.create(n.toString(16).padStart(32, '0'), `filler-${n}`);
    await store.runKeys.create(id, 'the-key-in-question');
    expect(holds('the-key-in-question')).toEqual(['run-keys.db']);
    await store.runKeys.delete(id);
    expect(holds('the-key-in-question')).toEqual([]);
    expect(holds('filler-7')).toEqual(['run-keys.db']);
    await store.close();
  });

  it('are copied apart, without those that are deleted, over an older copy', async () => {
    const store = await openEmbeddedEventStore({ folder });
    const copy = join(folder, 'copies', 'keys.db');
    expect(() => backupRunKeys(folder, copy)).toThrow('there are no keys of sealed runs');
    await store.runKeys.create(id, 'the-key-in-question');
    await store.runKeys.create('b'.repeat(32), 'another-key');
    expect(backupRunKeys(folder, copy)).toEqual({ path: copy, keys: 2 });
    await store.runKeys.delete(id);
    expect(backupRunKeys(folder, copy)).toEqual({ path: copy, keys: 1 });
    expect(holds('the-key-in-question')).toEqual([]);
    expect(holds('another-key').sort()).toEqual(['keys.db', 'run-keys.db']);
    await store.close();
  });
});
