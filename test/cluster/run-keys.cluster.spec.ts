import { randomUUID } from 'node:crypto';
import { openPostgresRunKeys } from '@rondo/adapter-postgres';
import { StoreUnavailableError } from '@rondo/ports';
import { describeRunKeysContract } from '@rondo/testing';
import { Client } from 'pg';
import { aDatabase, type Database } from '../../tools/services/start.ts';

let server: Database;
beforeAll(async () => {
  server = await aDatabase();
}, 300_000);
afterAll(() => server.stop());

const newSchema = (): string => `keys_${randomUUID().replaceAll('-', '')}`;

describeRunKeysContract('PostgreSQL', async () => {
  const schema = newSchema();
  const open = () => openPostgresRunKeys({ url: server.url, schema });
  let keys = await open();
  return {
    keys,
    reopen: async () => {
      await keys.close();
      keys = await open();
      return keys;
    },
    dispose: () => keys.close(),
  };
});

describe('run keys of several processes', () => {
  const id = 'a'.repeat(32);

  it('are made in a schema that all of them make at once', async () => {
    const schema = newSchema();
    const all = await Promise.all(Array.from({ length: 5 }, () => openPostgresRunKeys({ url: server.url, schema })));
    const made = await Promise.all(all.map((keys, n) => keys.create(id, `key ${n}`)));
    expect(new Set(made.map((each) => JSON.stringify(each))).size).toBe(1);
    await all[0]!.delete(id);
    expect(await Promise.all(all.map((keys) => keys.get(id)))).toEqual(all.map(() => 'erased'));
    await Promise.all(all.map((keys) => keys.close()));
  });

  it('leave no dead row of a deleted key in the table', async () => {
    const schema = newSchema();
    const keys = await openPostgresRunKeys({ url: server.url, schema });
    await keys.create(id, 'the key');
    await keys.delete(id);
    const client = new Client({ connectionString: server.url });
    await client.connect();
    await client.query('create extension if not exists pageinspect');
    const { rows } = await client.query(
      `select count(*)::int as held from heap_page_items(get_raw_page('${schema}.run_keys', 0)) where t_data is not null`,
    );
    expect(rows).toEqual([{ held: 1 }]);
    await client.end();
    await keys.close();
  });

  it('say so when the database is away', async () => {
    const away = openPostgresRunKeys({ url: 'postgres://nobody@127.0.0.1:1/none' });
    await expect(away).rejects.toThrow(StoreUnavailableError);
  });
});
