import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync, readFileSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { EventStore, ProjectionModule, ReadModels } from '@rondo/ports';
import {
  appendHistory,
  describeReadModelsContract,
  memoryEventStore,
  randomHistory,
  RANDOM_VERSION_BYTES,
  type MemoryEventStore,
} from '@rondo/testing';
import { PositionWaiters, type ReadModelStatus } from '@rondo/read-models';
import { ReadModelService } from './service.ts';

const projection = (await import(import.meta.resolve('@rondo/projections'))) as ProjectionModule;

function memoryBlobs() {
  const blobs = new Map<string, Uint8Array>();
  return {
    get: async (hash: string) => blobs.get(hash),
    put: async (bytes: Uint8Array) => {
      const hash = createHash('sha256').update(bytes).digest('hex');
      blobs.set(hash, bytes);
      return hash;
    },
  };
}

interface Opened extends ReadModels {
  readonly service: ReadModelService;
}

/** The page where a table begins. */
function rootOf(file: string, table: string): { readonly root: number } {
  const database = new DatabaseSync(file, { readOnly: true });
  const row = database.prepare('select rootpage as root from sqlite_schema where name = ?').get(table);
  database.close();
  return row as { readonly root: number };
}

/** The service without its thread. */
async function open(folder: string, events: EventStore, blobs: ReturnType<typeof memoryBlobs>): Promise<Opened> {
  const waiters = new PositionWaiters();
  const onStatus = (status: ReadModelStatus): void => waiters.reached(status);
  const service = new ReadModelService({ folder, events, projection, blobs, onStatus });
  await service.start();
  return {
    ...service.queries,
    service,
    position: async () => service.status.position,
    settled: (position, timeoutMs = 10_000) => waiters.wait(position, timeoutMs, service.status),
    close: () => service.close(),
  };
}

async function fixture() {
  const folder = mkdtempSync(join(tmpdir(), 'rondo-reads-'));
  const store = memoryEventStore();
  const blobs = memoryBlobs();
  let models = await open(folder, store, blobs);
  return {
    folder,
    store,
    get models() {
      return models;
    },
    blobs,
    putBlob: blobs.put,
    reopen: async (rows: 'kept' | 'dropped') => {
      await models.close();
      if (rows === 'dropped')
        for (const suffix of ['', '-wal', '-shm']) rmSync(join(folder, `reads.db${suffix}`), { force: true });
      models = await open(folder, store, blobs);
      return models;
    },
    dispose: async () => {
      await models.close();
      await store.close();
      rmSync(folder, { recursive: true });
    },
  };
}

describeReadModelsContract('SQLite, in the same thread', fixture);

describe('the rows on disk', () => {
  let given: Awaited<ReturnType<typeof fixture>>;
  beforeEach(async () => {
    given = await fixture();
    await given.putBlob(RANDOM_VERSION_BYTES);
  });
  afterEach(() => given.dispose());

  const runs = (models: ReadModels) => models.runs({}, { offset: 0, limit: 100 });

  async function filled(): Promise<{ head: number; before: unknown }> {
    const head = await appendHistory(given.store, randomHistory(5, 300));
    await given.models.settled(head);
    return { head, before: await runs(given.models) };
  }

  it('are rebuilt when the file is torn', async () => {
    const { head, before } = await filled();
    await given.models.close();
    const file = join(given.folder, 'reads.db');
    const bytes = readFileSync(file);
    bytes.fill(0x5a, 4096, Math.min(bytes.length, 4096 * 6));
    writeFileSync(file, bytes);
    const models = await given.reopen('kept').catch(() => undefined);
    await models?.settled(head);
    expect(await runs(models!)).toEqual(before);
  });

  it('are rebuilt when the file was not closed and is torn deep inside', async () => {
    const { head, before } = await filled();
    const file = join(given.folder, 'reads.db');
    const database = new DatabaseSync(file);
    database.exec('pragma wal_checkpoint(truncate)');
    database.close();
    const bytes = readFileSync(file);
    // A page from the middle of a table: nothing that opening looks at.
    const { root } = rootOf(file, 'task_instances');
    bytes.fill(0x5a, (root - 1) * 4096 + 8, root * 4096);
    const folder = mkdtempSync(join(tmpdir(), 'rondo-torn-'));
    writeFileSync(join(folder, 'reads.db'), bytes);
    const models = await open(folder, given.store, given.blobs);
    expect(await models.position()).toBeLessThanOrEqual(head);
    await models.settled(head);
    expect(await runs(models)).toEqual(before);
    expect((await models.taskInstances({}, { offset: 0, limit: 1000 })).total).toBe(
      (await given.models.taskInstances({}, { offset: 0, limit: 1000 })).total,
    );
    await models.close();
    rmSync(folder, { recursive: true });
  });

  it('are rebuilt when the file is no database', async () => {
    const { head, before } = await filled();
    await given.models.close();
    writeFileSync(
      join(given.folder, 'reads.db'),
      'not a database, and longer than a header of one hundred bytes'.repeat(9),
    );
    const models = await given.reopen('kept');
    await models.settled(head);
    expect(await runs(models)).toEqual(before);
  });

  it('are rebuilt when they are of another history', async () => {
    await filled();
    await given.models.close();
    const other: MemoryEventStore = memoryEventStore();
    const blobs = memoryBlobs();
    await blobs.put(RANDOM_VERSION_BYTES);
    const models = await open(given.folder, other, blobs);
    expect(await runs(models)).toEqual({ items: [], total: 0 });
    await models.close();
    await other.close();
  });

  it('stop at an event that cannot be folded, and say so', async () => {
    const { head, before } = await filled();
    await given.store.append([
      {
        stream: 'dagRun-x:1',
        expected: 'any',
        events: [{ id: 'x', type: 'TaskStarted', data: '{}', meta: '{"at":1}' }],
      },
    ]);
    await expect(given.models.settled(head + 1)).rejects.toThrow(/run '1' of DAG 'x'/);
    expect(await runs(given.models)).toEqual(before);
  });

  it('are the same after a rebuild on demand', async () => {
    const { head, before } = await filled();
    const { service } = given.models as Opened;
    await service.rebuild();
    await given.reopen('kept').then((models) => models.settled(head));
    expect(await runs(given.models)).toEqual(before);
    expect(existsSync(join(given.folder, 'reads.db'))).toBe(true);
  });
});
