import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { appendHistory, describeReadModelsContract, randomHistory, RANDOM_VERSION_BYTES } from '@rondo/testing';
import { openEmbeddedEventStore } from '../event-store/open.ts';
import { fileBlobStore } from '../files/blob-store.ts';
import { openReadModels } from './client.ts';

async function fixture() {
  const folder = mkdtempSync(join(tmpdir(), 'rondo-reads-'));
  const blobs = join(folder, 'blobs');
  const store = await openEmbeddedEventStore({ folder });
  const open = () =>
    openReadModels({ folder, blobs, events: store.connect(), projection: import.meta.resolve('@rondo/projections') });
  let models = await open();
  return {
    store,
    get models() {
      return models;
    },
    putBlob: (bytes: Uint8Array) => fileBlobStore(blobs).put(bytes),
    reopen: async (rows: 'kept' | 'dropped') => {
      await models.close();
      if (rows === 'dropped')
        for (const suffix of ['', '-wal', '-shm']) rmSync(join(folder, `reads.db${suffix}`), { force: true });
      models = await open();
      return models;
    },
    dispose: async () => {
      await models.close();
      await store.close();
      rmSync(folder, { recursive: true });
    },
  };
}

describeReadModelsContract('SQLite, in a thread of its own', fixture);

describe('openReadModels', () => {
  let given: Awaited<ReturnType<typeof fixture>>;
  beforeEach(async () => {
    given = await fixture();
  });
  afterEach(() => given.dispose());

  it('has the same rows after a rebuild', async () => {
    await given.putBlob(RANDOM_VERSION_BYTES);
    const head = await appendHistory(given.store, randomHistory(7, 300));
    await given.models.settled(head);
    const before = await given.models.taskInstances({}, { offset: 0, limit: 1000 });
    await given.models.rebuild();
    await given.models.settled(head);
    expect(await given.models.taskInstances({}, { offset: 0, limit: 1000 })).toEqual(before);
    expect(given.models.status()).toMatchObject({ state: 'running' });
  });

  it('refuses calls after it was closed', async () => {
    await given.models.close();
    await expect(given.models.run('d', 'r')).rejects.toThrow('closed');
    await expect(given.models.settled(1)).rejects.toThrow('closed');
  });
});
