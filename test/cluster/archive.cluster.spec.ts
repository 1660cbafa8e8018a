import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventStoreDBClient } from '@eventstore/db-client';
import { fileBlobStore, fileLogStore } from '@rondo/adapter-embedded';
import { eventStoreDb } from '@rondo/adapter-eventstoredb';
import { openPostgresReadModels, type PostgresReadModels } from '@rondo/adapter-postgres';
import { Archives, BundleCheck, logsWithArchives, RunArchiver, withArchives } from '@rondo/application';
import type { DagCommand } from '@rondo/contracts';
import type { EventStore, ProjectionModule, RecordedEvent } from '@rondo/ports';
import { aDefinition, aTask } from '@rondo/testing';
import { rondo } from '../../apps/cli/test/fake-api.ts';
import { startEventStoreDb, type EventStoreDbServer } from '../../tools/services/eventstoredb/server.ts';
import { aDatabase, type Database } from '../../tools/services/start.ts';
import { clock, Node } from '../application/harness.ts';

const projection = (await import(import.meta.resolve('@rondo/projections'))) as ProjectionModule;
const ATTEMPT = { dagId: 'd', runId: 'r', taskId: 'a', mapIndex: [], tryNumber: 1, leg: 1 };
const LINES = [{ at: 1, stream: 'stdout', text: 'hello' }] as const;

let folder: string;
let server: EventStoreDbServer;
let database: Database;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rondo-archive-'));
  server = await startEventStoreDb({ folder: join(folder, 'server') });
  database = await aDatabase();
}, 300_000);
afterAll(async () => {
  await database.stop();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

async function all(store: EventStore, stream: string): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for await (const page of store.readStream(stream)) events.push(...page);
  return events;
}

async function about(rows: PostgresReadModels) {
  const { items } = await rows.taskInstances({ dagId: 'd', runId: 'r' }, { offset: 0, limit: 10 });
  const tries = await rows.tries('d', 'r', 'a', '');
  return { run: await rows.run('d', 'r'), items, tries, xcoms: await rows.xcoms('d', 'r') };
}

it('a run of services is archived, read from its archive, and restored', async () => {
  const history = eventStoreDb({ connectionString: server.connectionString });
  const blobs = fileBlobStore(join(folder, 'blobs'));
  const bare = fileLogStore(join(folder, 'logs'));
  const archives = new Archives(blobs, history);
  const [store, logs] = [withArchives(history, archives), logsWithArchives(bare, archives)];
  const node = await new Node(store, blobs).start();
  node.worker.outcome = () => ({ kind: 'success', xcoms: { return_value: { value: 'Ada' } } });
  const rows = await openPostgresReadModels({ url: database.url, events: store, projection, blobs });
  const archiver = new RunArchiver({
    ...{ store, logs, blobs, truncation: history, readModels: rows, commands: node.commands, clock, settleMs: 0 },
    bundles: new BundleCheck({ getManifest: async () => ({ files: {} }), readFile: async () => undefined }),
    isOwner: () => true,
    onProblem: (problem) => problems.push(problem),
  });
  const problems: string[] = [];
  const send = async (command: DagCommand): Promise<void> => {
    expect(await node.send('d', command)).toMatchObject({ ok: true });
    await rows.settled(await history.head());
  };
  await node.publish(aDefinition('d', [aTask('a'), aTask('b', { upstream: ['a'] })]));
  await node.trigger('d', { runId: 'r' });
  await node.until('dag-d', 'RunClosed');
  await bare.append(ATTEMPT, LINES);
  await rows.settled(await history.head());
  const [events, before] = [await all(history, 'dagRun-d:r'), await about(rows)];
  expect(before.items).toHaveLength(2);

  await send({ type: 'archiveRun', runId: 'r' });
  expect(await archiver.turn()).toBe(1);
  await rows.settled(await history.head());
  expect(problems).toEqual([]);
  expect(await all(history, 'dagRun-d:r')).toEqual([events.at(-1)]);
  expect(await all(store, 'dagRun-d:r')).toEqual(events);
  expect((await logs.read(ATTEMPT)).lines).toEqual(LINES);
  expect(await rondo(['history', 'verify', '--store', server.connectionString])).toMatchObject({
    ...{ code: 0, out: expect.stringContaining('the history is whole') },
  });
  const client = EventStoreDBClient.connectionString(server.connectionString);
  expect((await client.getStreamMetadata('dagRun-d:r')).metadata).toMatchObject({ truncateBefore: events.length - 1 });
  await client.dispose();
  expect(await about(rows)).toMatchObject({
    run: { archive: 'archived', state: 'success' },
    items: [],
    tries: [],
    xcoms: [],
  });
  const due = await rows.runs(
    { archive: 'archived', sealed: false, endedBefore: Date.now() + 1 },
    { offset: 0, limit: 9 },
  );
  expect(due.items.map(({ runId }) => runId)).toEqual(['r']);

  await rows.rebuild();
  await rows.settled(await history.head());
  expect(await about(rows)).toMatchObject({ run: { archive: 'archived' }, items: [], xcoms: [] });
  await send({ type: 'restoreRun', runId: 'r' });
  const { run, ...details } = await about(rows);
  expect({ run: { ...run, archive: null, archiveAt: null }, ...details }).toEqual(before);
  await send({ type: 'clearTasks', runId: 'r', selection: { taskIds: ['b'] } });
  await node.until('dag-d', 'RunClosed', 2);

  await node.crash();
  await rows.close();
  await bare.close();
  await history.close();
}, 120_000);
