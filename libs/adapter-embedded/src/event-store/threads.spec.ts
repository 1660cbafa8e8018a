import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { openEmbeddedEventStore } from './open.ts';

const client = JSON.stringify(new URL('./client.ts', import.meta.url).href);

/** Follows the history from its own thread, and echoes each event of `source` to a stream of its own. */
const echo = `
  import { workerData, parentPort } from 'node:worker_threads';
  import { eventStoreClient } from ${client};
  const store = eventStoreClient(workerData);
  let seen = 0;
  store.subscribe({
    name: 'echo',
    after: 0,
    filter: { streamPrefixes: ['source'] },
    onBatch: async (events) => {
      const echoes = events.map((e) => ({ id: e.id, type: 'Echo', data: e.data, meta: '{}' }));
      if (echoes.length > 0) await store.append([{ stream: 'echo', expected: 'any', events: echoes }]);
      seen += events.length;
      if (seen === 200) parentPort.postMessage(seen);
    },
    onDrop: () => process.exit(0),
  });
`;

describe('clients in several threads', () => {
  it('lets another thread follow and append without the first one in between', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rondo-threads-'));
    const store = await openEmbeddedEventStore({ folder });
    const port = store.connect();
    const url = new URL(`data:text/javascript,${encodeURIComponent(echo)}`);
    const worker = new Worker(url, { workerData: port, transferList: [port], execArgv: [] });
    const done = new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    const exited = new Promise((resolve) => worker.once('exit', resolve));
    for (let i = 0; i < 100; i++) {
      const events = [0, 1].map((n) => ({ id: randomUUID(), type: 'E', data: `{"n":${i * 2 + n}}`, meta: '{}' }));
      await store.append([{ stream: 'source', expected: i === 0 ? 'noStream' : i * 2 - 1, events }]);
    }
    expect(await done).toBe(200);
    const echoed: string[] = [];
    for await (const page of store.readStream('echo')) echoed.push(...page.map((e) => e.data));
    expect(echoed).toEqual(Array.from({ length: 200 }, (_, n) => `{"n":${n}}`));
    await store.close();
    await exited;
    rmSync(folder, { recursive: true });
  });
});
