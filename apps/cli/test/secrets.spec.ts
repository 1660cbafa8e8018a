import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeApi, rondo, rowsOf } from './fake-api.ts';

let api: FakeApi;
let folder: string;
beforeEach(async () => {
  api = await FakeApi.start();
  folder = await mkdtemp(join(tmpdir(), 'rondo-cli-'));
});
afterEach(async () => {
  await api.stop();
  await rm(folder, { recursive: true, force: true });
});

const call = (...args: string[]) => rondo([...args, '--url', api.url], { cwd: folder });

describe('variables and connections', () => {
  it('sets, reads and deletes a variable', async () => {
    api
      .on('PUT /variables/k', { body: {} })
      .on('GET /variables/k', { body: { key: 'k', description: null, value: 'v', masked: false } })
      .on('DELETE /variables/k', { status: 204 });
    await rondo(['variables', 'set', 'k', '-', '--url', api.url], { input: 'secret\n' });
    expect(api.received[0]?.body).toEqual({ value: 'secret' });
    expect((await call('variables', 'get', 'k')).out).toBe('v\n');
    expect((await call('variables', 'delete', 'k')).out).toBe('variable k is deleted\n');
  });

  it('says how to see a value that is masked', async () => {
    api.on('GET /variables/token', ({ query }) => ({
      body: {
        key: 'token',
        description: null,
        value: query.reveal === 'true' ? 'v' : '***',
        masked: query.reveal !== 'true',
      },
    }));
    expect(await call('variables', 'get', 'token')).toMatchObject({
      code: 0,
      out: '***\n',
      err: 'the key sounds secret: --reveal shows the value\n',
    });
    expect(await call('variables', 'get', 'token', '--reveal')).toMatchObject({ out: 'v\n', err: '' });
  });

  it('exports what it imports, to a file for its owner alone', async () => {
    let stored: unknown;
    api
      .on('POST /import/variables', ({ body }) => {
        stored = (body as { variables: unknown }).variables;
        return { body: { imported: 2 } };
      })
      .on('GET /export/variables', () => ({ body: stored }));
    await writeFile(join(folder, 'in.json'), JSON.stringify({ a: 'x', b: { c: 1 } }));
    expect((await call('variables', 'import', 'in.json')).out).toBe('2 variables are set\n');
    expect((await call('variables', 'export', 'out.json')).code).toBe(0);
    expect(JSON.parse(await readFile(join(folder, 'out.json'), 'utf8'))).toEqual({ a: 'x', b: { c: 1 } });
    await writeFile(join(folder, 'list.json'), '[]');
    expect((await call('variables', 'import', 'list.json')).code).toBe(2);
  });

  it('sets a connection from a URI and options, with the password from the input', async () => {
    api.on('PUT /connections/db', { body: {} });
    const args = [
      'connections',
      'set',
      'db',
      '--uri',
      'postgres://me:p%40ss@host:5432/shop?ssl=1',
      '--host',
      'other',
      '--url',
      api.url,
    ];
    await rondo(args);
    expect(api.received[0]?.body).toEqual({
      connType: 'postgres',
      host: 'other',
      port: 5432,
      schema: 'shop',
      login: 'me',
      password: 'p@ss',
      extra: { ssl: '1' },
    });
    await rondo([...args, '--password-input'], { input: 'hidden\n' });
    expect(api.received[1]?.body).toMatchObject({ password: 'hidden' });
    expect((await call('connections', 'set', 'db')).code).toBe(2);
    expect((await call('connections', 'set', 'db', '--uri', 'nonsense')).code).toBe(2);
  });

  it('shows a connection and lists them', async () => {
    const connection = {
      connId: 'db',
      connType: 'sqlite',
      host: null,
      port: null,
      schema: '/tmp/x.db',
      login: null,
      description: null,
    };
    api
      .on('GET /connections/db', { body: connection })
      .on('GET /connections', { body: { items: [connection], total: 1 } });
    expect((await call('connections', 'get', 'db')).out).toBe('id      db\ntype    sqlite\nschema  /tmp/x.db\n');
    expect(rowsOf((await call('connections', 'list')).out)[0]).toEqual([
      'db',
      'sqlite',
      '-',
      '-',
      '/tmp/x.db',
      '-',
      '-',
    ]);
  });
});
