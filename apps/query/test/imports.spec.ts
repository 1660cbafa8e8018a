import { maskedVariable } from '../src/variables/masking.ts';
import { ApiUnderTest } from './api-kit.ts';

describe('importing and exporting over HTTP', () => {
  let api: ApiUnderTest;
  beforeAll(async () => {
    api = await ApiUnderTest.start();
  });
  afterAll(() => api.stop());

  it('sets many variables, and gives them in clear', async () => {
    const variables = { region: 'eu', limits: { rows: 5 }, api_token: 'abc' };
    expect(await api.call('POST', '/import/variables', { body: { variables } })).toMatchObject({
      status: 200,
      body: { imported: 3 },
    });
    expect((await api.get('/export/variables')).body).toEqual({ ...variables, limits: '{"rows":5}' });
    expect((await api.get('/variables/api_token')).body).toMatchObject({ value: '***', masked: true });
    const bad = { variables: { 'a b': '1' } };
    expect(await api.call('POST', '/import/variables', { body: bad })).toMatchObject({ status: 400 });
  });

  it('sets many connections of URIs and objects, or none', async () => {
    const connections = {
      shop: 'http://https://me:p%40ss@shop.example.org:8443/api?__extra__=%7B%22a%22%3A%5B1%5D%7D',
      db: { conn_type: 'postgres', host: 'h', port: 5432, password: 'secret' },
    };
    expect(await api.call('POST', '/import/connections', { body: { connections } })).toMatchObject({
      body: { imported: 2 },
    });
    const shop = (await api.get('/connections/shop')).body;
    expect(shop).toMatchObject({ connType: 'http', host: 'https://shop.example.org', port: 8443, schema: 'api' });
    expect(JSON.stringify((await api.get('/connections')).body)).not.toMatch(/p@ss|secret/);
    const { status, body } = await api.call('POST', '/import/connections', {
      body: { connections: { other: 'http://x', broken: 'no uri', worse: { host: 'x' } } },
    });
    expect(status).toBe(400);
    expect((body as { errors: { name: string }[] }).errors.map(({ name }) => name)).toEqual([
      'connections.broken',
      'connections.worse',
    ]);
    expect((await api.get('/connections/other')).status).toBe(404);
  });
});

describe('a variable that is shown', () => {
  it.each([
    ['region', 'eu', 'eu'],
    ['DB_PASSWORD', 'x', '***'],
    ['google_keyfile_dict', '{}', '***'],
    ['monkey', 'x', 'x'],
    [
      'shop',
      '{"url":"u","password":"p","inner":[{"token":"t","n":1}]}',
      '{"url":"u","password":"***","inner":[{"token":"***","n":1}]}',
    ],
    ['shop', '{ "url": "u" }', '{ "url": "u" }'],
    ['shop', '{broken', '{broken'],
  ])('%s: %s is %s', (key, value, shown) => {
    expect(maskedVariable(key, value)).toEqual({ value: shown, masked: shown !== value });
  });
});
