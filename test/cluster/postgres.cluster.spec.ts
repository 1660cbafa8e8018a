import { createHash, randomUUID } from 'node:crypto';
import { openPostgresReadModels, type PostgresReadModels } from '@rondo/adapter-postgres';
import type { EventStore, ProjectionModule, SubscribeOptions, Subscription } from '@rondo/ports';
import * as projections from '@rondo/projections';
import type { ReadModelStatus } from '@rondo/read-models';
import {
  appendHistory,
  describeReadModelsContract,
  memoryEventStore,
  randomHistory,
  RANDOM_VERSION_BYTES,
  type HistoryEvent,
} from '@rondo/testing';
import { Client } from 'pg';
import { aDatabase, type Database } from '../../tools/services/start.ts';

let server: Database;
beforeAll(async () => {
  server = await aDatabase();
}, 300_000);
afterAll(() => server.stop());

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

const newSchema = (): string => `rows_${randomUUID().replaceAll('-', '')}`;

interface Change {
  readonly events?: EventStore;
  readonly projection?: ProjectionModule;
  readonly blobs?: ReturnType<typeof memoryBlobs>;
  readonly onStatus?: (status: ReadModelStatus) => void;
  readonly writes?: boolean;
}

/** A history, and the rows of it in a schema of their own. */
function aHistory(url = server.url) {
  const schema = newSchema();
  const store = memoryEventStore();
  const blobs = memoryBlobs();
  const open = (change: Change = {}): Promise<PostgresReadModels> =>
    openPostgresReadModels({ url, schema, events: store, projection: projections, blobs, ...change });
  return { schema, store, blobs, open };
}

async function onServer(text: string): Promise<void> {
  const client = new Client({ connectionString: server.url });
  await client.connect();
  await client.query(text);
  await client.end();
}

async function fixture() {
  const { schema, store, blobs, open } = aHistory();
  let models = await open();
  return {
    store,
    get models() {
      return models;
    },
    putBlob: blobs.put,
    reopen: async (rows: 'kept' | 'dropped') => {
      await models.close();
      if (rows === 'dropped') await onServer(`drop schema ${schema} cascade`);
      models = await open();
      return models;
    },
    dispose: async () => {
      await models.close();
      await store.close();
      await onServer(`drop schema ${schema} cascade`);
    },
  };
}

describeReadModelsContract('PostgreSQL', fixture);

const slots = (n: number, more: object = {}): HistoryEvent => ({
  stream: 'pool-p',
  type: 'PoolSet',
  data: { name: 'p', slots: n, includeDeferred: false, ...more },
  at: n,
});

/** A store whose next batch can be held on its way to a subscriber, as that of a process that is stopped is. */
function holdable(store: EventStore) {
  let held: { arrived: PromiseWithResolvers<void>; goOn: PromiseWithResolvers<void> } | undefined;
  let done: Promise<void> = Promise.resolve();
  const subscribe = (options: SubscribeOptions): Subscription =>
    store.subscribe({
      ...options,
      onBatch: async (batch, through) => {
        const hold = held;
        held = undefined;
        hold?.arrived.resolve();
        await hold?.goOn.promise;
        const taken = Promise.resolve(options.onBatch(batch, through));
        done = taken.catch(() => undefined);
        await taken;
      },
    });
  const events = new Proxy(store, {
    get: (target, name: keyof EventStore) =>
      name === 'subscribe' ? subscribe : (target[name] as () => unknown).bind(target),
  });
  return {
    events,
    holdNext: () => {
      const hold = { arrived: Promise.withResolvers<void>(), goOn: Promise.withResolvers<void>() };
      held = hold;
      return {
        arrived: hold.arrived.promise,
        /** Resolves when the subscriber is through with the batch, or has refused it. */
        goOn: async () => {
          hold.goOn.resolve();
          await new Promise(setImmediate);
          await done;
        },
      };
    },
  };
}

describe('read models that several processes share', () => {
  it('are never overwritten by a writer that was paused while another took over', async () => {
    const { store, open } = aHistory();
    const { events, holdNext } = holdable(store);
    const paused = await open({ events });
    await paused.settled(await appendHistory(store, [slots(1)]));
    const held = holdNext();
    await appendHistory(store, [slots(2)]);
    await held.arrived;
    const other = await open();
    const head = await appendHistory(store, [slots(3)]);
    await other.settled(head);
    // What it would write next must not hide what it wrote.
    const next = holdNext();
    await held.goOn();
    expect(await other.pool('p')).toMatchObject({ slots: 3 });
    await next.goOn();
    await paused.settled(head);
    await other.close();
    // The one that stands by takes over from one that is gone.
    await paused.settled(await appendHistory(store, [slots(4)]), 60_000);
    expect(await paused.pool('p')).toMatchObject({ slots: 4 });
    await paused.close();
  }, 90_000);

  it('are not written by a statement that waited while another took over', async () => {
    const { schema, store, open } = aHistory();
    const models = await open();
    await models.settled(await appendHistory(store, [slots(1)]));
    const [other, looker] = [
      new Client({ connectionString: server.url }),
      new Client({ connectionString: server.url }),
    ];
    await Promise.all([other.connect(), looker.connect()]);
    await other.query(`begin; update ${schema}.writer set generation = generation + 1`);
    await other.query(`update ${schema}.pools set slots = 9`);
    const head = await appendHistory(store, [slots(2)]);
    const waiting = async (): Promise<boolean> => {
      const { rowCount } = await looker.query(
        `select from pg_locks join pg_stat_activity using (pid) where not granted and query like 'with fence as%'`,
      );
      return rowCount !== 0;
    };
    while (!(await waiting())) await new Promise((resolve) => setTimeout(resolve, 10));
    await other.query('commit');
    while (await waiting()) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await models.pool('p')).toMatchObject({ slots: 9 });
    // The other never writes: its turn ends.
    await models.settled(head, 60_000);
    expect(await models.pool('p')).toMatchObject({ slots: 2 });
    await Promise.all([models.close(), other.end(), looker.end()]);
  }, 90_000);

  it('are the same as of one process, when two follow a history together', async () => {
    const { store, blobs, open } = aHistory();
    await blobs.put(RANDOM_VERSION_BYTES);
    const history = randomHistory(21, 600);
    const [a, b] = await Promise.all([open(), open()]);
    for (let at = 0; at < history.length; at += 50) await appendHistory(store, history.slice(at, at + 50));
    const head = await store.head();
    const alone = await aHistory().open({ events: store, blobs });
    const rowsOf = async (models: PostgresReadModels): Promise<unknown> => {
      await models.settled(head, 60_000);
      const all = { offset: 0, limit: 1000 };
      return Promise.all([models.runs({}, all), models.taskInstances({}, all), models.xcoms('random', 'run:1')]);
    };
    const expected = await rowsOf(alone);
    expect(expected).toMatchObject([{ total: 3 }, {}, {}]);
    expect(await rowsOf(a)).toEqual(expected);
    expect(await rowsOf(b)).toEqual(expected);
    await Promise.all([a.close(), b.close(), alone.close()]);
  }, 90_000);

  it('are made anew by a release that projects otherwise, and left alone by an older one', async () => {
    const { schema, store, open } = aHistory();
    const head = await appendHistory(store, [slots(1)]);
    const version = (change: number): ProjectionModule => ({
      ...projections,
      PROJECTION_VERSION: projections.PROJECTION_VERSION + change,
    });
    const old = await open();
    await old.settled(head);
    await onServer(`update ${schema}.pools set slots = 9`);
    const next = await open({ projection: version(1) });
    await next.settled(head);
    expect(await next.pool('p')).toMatchObject({ slots: 1 });
    await old.close();
    const older = await open();
    expect(older.status()).toMatchObject({ state: 'stopped', error: expect.stringMatching(/projection version/) });
    expect(await older.pool('p')).toMatchObject({ slots: 1 });
    await Promise.all([older.close(), next.close()]);
  });

  it('have the same rows after a rebuild, also of one that stands by', async () => {
    const { store, open } = aHistory();
    const [a, b] = [await open(), await open()];
    const head = await appendHistory(store, [slots(1), slots(2)]);
    for (const models of [a, b]) {
      await models.rebuild();
      await models.settled(head);
      expect(await models.pools()).toMatchObject([{ slots: 2 }]);
    }
    await Promise.all([a.close(), b.close()]);
  });
});

describe('read models that a process only reads', () => {
  it('include what another writes, and get as far as the history is', async () => {
    const { store, open } = aHistory();
    const reader = await open({ writes: false });
    const writer = await open();
    await reader.settled(await appendHistory(store, [slots(1)]));
    expect(await reader.pool('p')).toMatchObject({ slots: 1 });
    // Nothing of this is projected.
    const event = { id: randomUUID(), type: 'Happened', data: '{}', meta: '{}' };
    await store.append([{ stream: 'elsewhere', expected: 'any', events: [event] }]);
    await reader.settled(await store.head());
    await expect(reader.rebuild()).rejects.toThrow('only reads');
    await writer.close();
    const head = await appendHistory(store, [slots(2)]);
    await expect(reader.settled(head, 3_000)).rejects.toMatchObject({ name: 'StoreUnavailableError' });
    expect(await reader.pool('p')).toMatchObject({ slots: 1 });
    await reader.close();
    await expect(reader.settled(head)).rejects.toThrow('closed');
  });
});

describe('a database that is away', () => {
  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'is waited for, and nothing is lost (stopped: %s)',
    async (how) => {
      const own = await aDatabase();
      const { store, open } = aHistory(own.url);
      const states = new Set<string>();
      const models = await open({ onStatus: ({ state }) => states.add(state) });
      await models.settled(await appendHistory(store, [slots(1)]));
      await own.halt(how);
      const head = await appendHistory(store, [slots(2), slots(3)]);
      await expect(models.pool('p')).rejects.toMatchObject({ name: 'StoreUnavailableError', retryable: true });
      while (!states.has('retrying')) await new Promise((resolve) => setTimeout(resolve, 10));
      await own.resume();
      await models.settled(head, 60_000);
      expect(await models.pool('p')).toMatchObject({ slots: 3 });
      expect(models.status()).toMatchObject({ state: 'running' });
      await models.close();
      await own.stop();
    },
    90_000,
  );

  it('is waited for when the read models are opened; one that refuses the login is not', async () => {
    const own = await aDatabase();
    await own.halt();
    const { store, open } = aHistory(own.url);
    const retrying = Promise.withResolvers<void>();
    const opening = open({ onStatus: ({ state }) => state === 'retrying' && retrying.resolve() });
    await retrying.promise;
    await own.resume();
    const models = await opening;
    await models.settled(await appendHistory(store, [slots(1)]));
    await models.close();
    await expect(aHistory(own.url.replace(':rondo@', ':wrong@')).open()).rejects.toThrow(/password/);
    await own.stop();
  }, 90_000);
});

describe('rows in PostgreSQL', () => {
  it('take any text and any number', async () => {
    const { store, open } = aHistory();
    const models = await open();
    await models.settled(await appendHistory(store, [slots(2.5, { description: 'a\0b \u{1F680} "{}\\,NULL' })]));
    expect(await models.pool('p')).toMatchObject({ slots: 3, description: 'a\uFFFDb \u{1F680} "{}\\,NULL' });
    await models.close();
    await expect(models.settled(99)).rejects.toThrow('closed');
  });

  it('refuse a schema whose name is none', async () => {
    const { store, blobs } = aHistory();
    const options = { url: server.url, events: store, projection: projections, blobs };
    await expect(openPostgresReadModels({ ...options, schema: 'a-b' })).rejects.toThrow(/schema 'a-b'/);
  });
});
