import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeEventStoreContract } from '@rondo/testing';
import { eventStoreClient } from './client.ts';
import { openEmbeddedEventStore } from './open.ts';

describeEventStoreContract('embedded', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rondo-store-'));
  const store = await openEmbeddedEventStore({ folder });
  return {
    store,
    connect: async () => eventStoreClient(store.connect()),
    dispose: async () => {
      await store.close();
      rmSync(folder, { recursive: true });
    },
  };
});
