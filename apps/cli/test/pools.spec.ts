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
const small = {
  ...{ name: 'small', slots: 3, description: null, includeDeferred: false },
  ...{ occupiedSlots: 2, deferredSlots: 5, queuedSlots: 4, openSlots: 1 },
};
const endless = { ...small, name: 'endless', slots: -1, description: 'all', openSlots: null, includeDeferred: true };

describe('pools', () => {
  it('are listed and shown with their slots', async () => {
    api.on('GET /pools', { body: { items: [endless, small], total: 2 } }).on('GET /pools/small', { body: small });
    expect(rowsOf((await call('pools', 'list')).out)).toEqual([
      ['endless', 'no limit', '2', '5', '4', 'no limit', 'all'],
      ['small', '3', '2', '5 (not counted)', '4', '1', '-'],
    ]);
    expect(rowsOf((await call('pools', 'get', 'small')).out)[0]).toEqual([
      'small',
      '3',
      '2',
      '5 (not counted)',
      '4',
      '1',
      '-',
    ]);
  });

  it('are set and deleted', async () => {
    api
      .on('PUT /pools/small', { body: small })
      .on('PUT /pools/endless', { body: endless })
      .on('DELETE /pools/small', { status: 204 });
    expect((await call('pools', 'set', 'small', '3', '--description', 'few', '--include-deferred')).out).toBe(
      'pool small has 3 slots\n',
    );
    await rondo(['--url', api.url, 'pools', 'set', 'endless', '--', '-1'], { cwd: folder });
    expect(api.received.map(({ body }) => body)).toEqual([
      { slots: 3, description: 'few', includeDeferred: true },
      { slots: -1 },
    ]);
    expect((await call('pools', 'delete', 'small')).out).toBe('pool small is deleted\n');
    expect(await call('pools', 'set', 'small', 'many')).toMatchObject({ code: 2 });
  });

  it('are exported and imported, also as Airflow writes them', async () => {
    api
      .on('GET /pools', { body: { items: [endless, small], total: 2 } })
      .on('PUT /pools', { body: { items: [endless, small] } });
    await call('pools', 'export', 'out.json');
    expect(JSON.parse(await readFile(join(folder, 'out.json'), 'utf8'))).toEqual({
      endless: { slots: -1, description: 'all', includeDeferred: true },
      small: { slots: 3, includeDeferred: false },
    });
    expect((await call('pools', 'import', 'out.json')).out).toBe('2 pools are set\n');
    await writeFile(join(folder, 'in.json'), JSON.stringify({ small: { slots: 1, include_deferred: false } }));
    await call('pools', 'import', 'in.json');
    expect(api.received.at(-1)?.body).toEqual({ pools: { small: { slots: 1, includeDeferred: false } } });
    await writeFile(join(folder, 'bad.json'), JSON.stringify({ small: 3 }));
    expect(await call('pools', 'import', 'bad.json')).toMatchObject({ code: 2 });
  });
});
