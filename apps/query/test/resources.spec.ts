import { RANDOM_DEFINITION, RANDOM_VERSION_BYTES, RANDOM_VERSION, type HistoryEvent } from '@rondo/testing';
import { ApiUnderTest } from './api-kit.ts';

describe('DAGs, variables, connections and the platform over HTTP', () => {
  let api: ApiUnderTest;
  let healthy = true;
  const published = (bundle: string): HistoryEvent => ({
    stream: 'dag-random',
    type: 'DagVersionPublished',
    data: {
      version: RANDOM_VERSION,
      file: 'random.ts',
      bundle,
      scheduling: {
        timetable: { kind: 'none' },
        timezone: 'UTC',
        catchup: false,
        maxActiveRuns: 16,
        maxConsecutiveFailedDagRuns: 0,
        isPausedUponCreation: false,
      },
    },
    at: 1,
  });
  beforeAll(async () => {
    api = await ApiUnderTest.start({
      health: async () => ({
        status: healthy ? 'ok' : 'failing',
        components: { readModels: { status: healthy ? 'ok' : 'failing' } },
      }),
      adminCommands: {
        backup: async (path) => {
          if (path === '/exists') throw new Error("folder '/exists' exists already");
          return { path, position: 3 };
        },
      },
    });
    await api.blobs.put(RANDOM_VERSION_BYTES);
    const bundle = await api.bundles.putBundle(new Map([['random.ts', Buffer.from('export default dag;\n')]]));
    await api.given(published(bundle), {
      stream: 'imports-bad.ts',
      type: 'DagFileFailed',
      data: { file: 'bad.ts', failures: [{ file: 'bad.ts', message: "unexpected token ')'", line: 3, column: 7 }] },
      at: 5,
    });
  });
  afterAll(() => api.stop());

  describe('dags', () => {
    it('are listed, and got with their definition, source, versions and tasks', async () => {
      expect((await api.get('/dags?pattern=RAND&tag=nightly&paused=false')).body).toMatchObject({
        total: 1,
        items: [{ dagId: 'random', owners: ['ops', 'rondo'] }],
      });
      expect((await api.get('/dags?paused=true')).body).toEqual({ items: [], total: 0 });
      expect((await api.get('/dags/random')).body).toMatchObject({
        dagId: 'random',
        definition: JSON.parse(JSON.stringify(RANDOM_DEFINITION)) as object,
      });
      expect((await api.get(`/dags/random?version=${RANDOM_VERSION}`)).status).toBe(200);
      expect((await api.get(`/dags/random?version=${'0'.repeat(64)}`)).status).toBe(404);
      expect((await api.get('/dags/random/source')).body).toEqual({
        dagId: 'random',
        version: RANDOM_VERSION,
        file: 'random.ts',
        text: 'export default dag;\n',
      });
      expect((await api.get('/dags/random/versions')).body).toMatchObject({ total: 1, items: [{ number: 1 }] });
      expect((await api.get('/dags/random/tasks')).body).toMatchObject({
        total: 4,
        items: [{ taskId: 'first' }, { taskId: 'second', upstream: ['first'] }, {}, {}],
      });
    });

    it('tell their next runs, which the scheduler knows', async () => {
      const run = { logicalDate: 1, dataInterval: [1, 2], runAfter: 2 };
      api.onCommand = async () => ({ ok: true, position: 1, result: { runs: [run] } });
      expect((await api.get('/dags/random/next?count=3')).body).toEqual({ items: [run] });
      expect(api.sent.at(-1)).toMatchObject({ dagId: 'random', command: { type: 'previewRuns', count: 3 } });
    });

    it('are paused and unpaused', async () => {
      api.onCommand = async ({ command }) => {
        const type = command.type === 'pauseDag' ? 'DagPaused' : 'DagUnpaused';
        const position = await api.given({ stream: 'dag-random', type, data: {}, at: 9 });
        return { ok: true, position, result: {} };
      };
      expect((await api.call('PATCH', '/dags/random', { body: { paused: true } })).body).toMatchObject({
        paused: true,
      });
      expect((await api.call('POST', '/dags/random/unpause')).body).toMatchObject({ paused: false });
      expect((await api.call('POST', '/dags/random/pause', { body: {} })).body).toMatchObject({ paused: true });
    });

    it('that do not load are listed with the place', async () => {
      expect((await api.get('/import-errors')).body).toMatchObject({
        total: 1,
        items: [{ file: 'bad.ts', line: 3, column: 7, message: "unexpected token ')'" }],
      });
    });
  });

  describe('variables', () => {
    it('are created, read, set and deleted', async () => {
      expect(await api.call('POST', '/variables', { body: { key: 'region', value: 'eu' } })).toMatchObject({
        status: 201,
        body: { key: 'region', value: 'eu', masked: false },
      });
      expect(await api.call('POST', '/variables', { body: { key: 'region', value: 'us' } })).toMatchObject({
        status: 409,
      });
      expect(await api.call('PUT', '/variables/region', { body: { value: 'us', description: 'where' } })).toMatchObject(
        { status: 200 },
      );
      expect((await api.get('/variables/region')).body).toEqual({
        key: 'region',
        value: 'us',
        masked: false,
        description: 'where',
      });
      expect((await api.get('/variables')).body).toMatchObject({ total: 1, items: [{ key: 'region', value: 'us' }] });
      expect(await api.call('DELETE', '/variables/region')).toMatchObject({ status: 204 });
      expect(await api.call('DELETE', '/variables/region')).toMatchObject({ status: 404 });
      expect(await api.get('/variables/region')).toMatchObject({ status: 404 });
    });

    it('whose keys sound secret are masked unless they are asked for', async () => {
      for (const key of ['db_password', 'API-Key', 'my.apikey', 'slack_token', 'CLIENT_SECRET'])
        expect(
          (await api.call('PUT', `/variables/${key === 'API-Key' ? 'API_Key' : key}`, { body: { value: 'hush' } }))
            .body,
        ).toMatchObject({ value: '***', masked: true });
      const listed = await api.get('/variables');
      expect(JSON.stringify(listed.body)).not.toContain('hush');
      expect((await api.get('/variables/db_password')).body).toMatchObject({ value: '***' });
      expect((await api.get('/variables/db_password?reveal=true')).body).toMatchObject({
        value: 'hush',
        masked: false,
      });
    });
  });

  it('pools are made, read with their slots, resized and deleted', async () => {
    const unset = { name: 'default_pool', slots: 128, description: null, includeDeferred: false };
    const loads = { occupiedSlots: 2, deferredSlots: 1, queuedSlots: 1 };
    expect((await api.get('/pools/default_pool')).body).toEqual({ ...unset, ...loads, openSlots: 126 });
    const body = { slots: 3, description: 'few' };
    const small = { name: 'small', ...body, includeDeferred: false, ...loads, openSlots: 1 };
    expect(await api.call('PUT', '/pools/small', { body })).toMatchObject({ status: 200, body: small });
    expect((await api.get('/pools/small')).body).toEqual(small);
    expect((await api.get('/pools?limit=1&offset=1')).body).toEqual({ items: [small], total: 2 });
    expect((await api.call('PUT', '/pools/small', { body: { slots: 1 } })).body).toMatchObject({ openSlots: 0 });
    expect((await api.call('PUT', '/pools/small', { body: { slots: -1 } })).body).toMatchObject({ openSlots: null });
    expect(await api.call('PUT', '/pools/small', { body: { slots: -2 } })).toMatchObject({
      status: 400,
      body: { errors: [{ in: 'body', name: 'slots', value: -2 }] },
    });
    expect((await api.call('PUT', '/pools/small', { body: { slots: 4, includeDeferred: true } })).body).toMatchObject({
      openSlots: 1,
    });
    const pools = { small: { slots: 5 }, other: { slots: 6 } };
    expect((await api.call('PUT', '/pools', { body: { pools } })).body).toMatchObject({
      items: [
        { name: 'small', slots: 5 },
        { name: 'other', slots: 6 },
      ],
    });
    expect(await api.call('PUT', '/pools', { body: { pools: { small: { slots: 'many' } } } })).toMatchObject({
      status: 400,
    });
    expect(await api.call('DELETE', '/pools/small')).toMatchObject({ status: 204 });
    expect(await api.call('DELETE', '/pools/small')).toMatchObject({ status: 404 });
    expect(await api.get('/pools/small')).toMatchObject({ status: 404 });
    expect(await api.call('DELETE', '/pools/default_pool')).toMatchObject({ status: 422 });
  });

  it('connections are created, read, set and deleted, and never show a password', async () => {
    const body = {
      connId: 'db',
      connType: 'postgres',
      host: 'h',
      port: 5432,
      login: 'me',
      password: 'hush',
      extra: { sslkey: 'hush' },
    };
    expect(await api.call('POST', '/connections', { body })).toMatchObject({
      status: 201,
      body: { connId: 'db', host: 'h', schema: null },
    });
    expect(await api.call('POST', '/connections', { body })).toMatchObject({ status: 409 });
    expect(await api.call('PUT', '/connections/db', { body: { connType: 'postgres', host: 'h2' } })).toMatchObject({
      body: { host: 'h2', port: null },
    });
    const listed = await api.get('/connections');
    expect(listed.body).toEqual({
      total: 1,
      items: [
        { connId: 'db', connType: 'postgres', host: 'h2', port: null, schema: null, login: null, description: null },
      ],
    });
    expect(await api.call('PUT', '/connections/db', { body: { connType: 'x', port: 99_999 } })).toMatchObject({
      status: 400,
      body: { errors: [{ name: 'port', value: 99_999, allowed: 'at most 65535' }] },
    });
    expect(await api.call('DELETE', '/connections/db')).toMatchObject({ status: 204 });
    expect(await api.get('/connections/db')).toMatchObject({ status: 404 });
    for await (const page of api.store.readStream('connection-db')) expect(JSON.stringify(page)).not.toContain('hush');
  });

  it('the platform tells its health and release, and writes backups', async () => {
    expect(await api.get('/health')).toMatchObject({ status: 200, body: { status: 'ok' } });
    healthy = false;
    expect(await api.get('/health')).toMatchObject({
      status: 503,
      body: { status: 'failing', components: { readModels: { status: 'failing' } } },
    });
    expect((await api.get('/version')).body).toEqual({ name: 'rondo', version: '9.9.9' });
    expect(await api.call('POST', '/backup', { body: { path: '/new' } })).toMatchObject({
      status: 201,
      body: { path: '/new', position: 3 },
    });
    expect(await api.call('POST', '/backup', { body: { path: '/exists' } })).toMatchObject({
      status: 422,
      body: { detail: "folder '/exists' exists already" },
    });
  });
});
