import { existsSync } from 'node:fs';
import {
  dataPaths,
  DataFolderError,
  loadSecretKey,
  openDataFolder,
  openEmbeddedEventStore,
  secretBox,
} from '@rondo/adapter-embedded';
import { RunKeyring, runStream, sealedEventStore } from '@rondo/application';
import type { EventAnswer } from '../http/answers.ts';

/** The events of a run out of a data folder on which no platform runs; it is locked meanwhile. */
export async function storedEvents(folder: string, dagId: string, runId: string): Promise<readonly EventAnswer[]> {
  const { events: file, keys } = dataPaths(folder);
  if (!existsSync(file)) throw new DataFolderError('unusable', `there is no history: ${file} does not exist`);
  const held = await openDataFolder(folder);
  try {
    const store = await openEmbeddedEventStore({ folder });
    const found: EventAnswer[] = [];
    try {
      const keyring = new RunKeyring(store.runKeys, secretBox(loadSecretKey(keys)));
      const opened = sealedEventStore(store, keyring);
      for await (const page of opened.readStream(runStream(dagId, runId))) {
        for (const { position, revision, type, data, meta } of page)
          found.push({
            ...{ position, revision, type },
            data: JSON.parse(data) as EventAnswer['data'],
            meta: JSON.parse(meta) as EventAnswer['meta'],
          });
      }
    } finally {
      await store.close();
    }
    return found;
  } finally {
    held.release();
  }
}
