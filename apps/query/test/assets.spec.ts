import { createHash } from 'node:crypto';
import type { AssetExpression, DagVersion } from '@rondo/domain';
import { aDefinition, aTask, type HistoryEvent } from '@rondo/testing';
import { ApiUnderTest } from './api-kit.ts';

const leaf = (name: string) => ({ kind: 'asset' as const, name, uri: `s3://${name}` });

describe('assets over HTTP', () => {
  let api: ApiUnderTest;
  const publish = async (dagId: string, assets: AssetExpression | undefined, outlets: readonly string[]) => {
    const timetable = assets === undefined ? ({ kind: 'none' } as const) : ({ kind: 'asset', assets } as const);
    const definition = aDefinition(dagId, [aTask('t', { outlets: outlets.map(leaf) })], { timetable });
    const bytes = Buffer.from(JSON.stringify({ definition, bundle: { hash: 'b', file: 'd.ts' } } satisfies DagVersion));
    await api.blobs.put(bytes);
    const version = createHash('sha256').update(bytes).digest('hex');
    const scheduling = { timetable, timezone: 'UTC', catchup: false, isPausedUponCreation: false };
    const data = { version, file: 'd.ts', bundle: 'b', scheduling };
    await api.given({ stream: `dag-${dagId}`, type: 'DagVersionPublished', data, at: 1 });
  };
  const told = (type: string, data: object): HistoryEvent => ({ stream: 'dag-c', type, data, at: 9 });

  beforeAll(async () => {
    api = await ApiUnderTest.start();
    await publish('p', undefined, ['s3://a/b']);
    await publish('q', undefined, ['both']);
    await publish('r', undefined, ['both']);
    await publish('c', { kind: 'all', of: [leaf('s3://a/b'), leaf('x')] }, []);
    await api.given(
      told('AssetEventsQueued', {
        events: [
          { name: 's3://a/b', from: 0, to: 1, at: 5, position: 5 },
          { name: 'x', from: 0, to: 0, at: 6, position: 6, key: 'k' },
        ],
      }),
    );
  });
  afterAll(() => api.stop());
  const name = encodeURIComponent('s3://a/b');

  it('are listed and got with who has to do with them', async () => {
    expect((await api.get('/assets?pattern=A/B')).body).toMatchObject({
      total: 1,
      items: [
        { name: 's3://a/b', producers: [{ dagId: 'p', taskId: 't' }], consumers: ['c'], events: 0, updatedAt: null },
      ],
    });
    expect((await api.get(`/assets/${name}`)).body).toMatchObject({ uri: 's3://s3://a/b', group: 'asset' });
    expect((await api.get('/assets/other')).status).toBe(404);
    expect((await api.get('/assetAliases')).body).toEqual({ items: [], total: 0 });
  });

  it('are updated from outside, once for each key, and only those that are known', async () => {
    const body = { name: 's3://a/b', extra: { rows: 1 } };
    const headers = { 'idempotency-key': 'once' };
    const first = await api.call('POST', '/assetEvents', { body, headers });
    expect(first).toMatchObject({
      status: 201,
      body: { name: 's3://a/b', revision: 0, extra: { rows: 1 }, source: null },
    });
    expect((await api.call('POST', '/assetEvents', { body, headers })).body).toMatchObject({ revision: 0 });
    expect((await api.get('/assetEvents?name=s3://a/b')).body).toMatchObject({ total: 1 });
    expect((await api.call('POST', '/assetEvents', { body: { name: 'other' } })).status).toBe(404);
    const large = { name: 'x', extra: 'x'.repeat(20_000) };
    expect(await api.call('POST', '/assetEvents', { body: large })).toMatchObject({
      status: 422,
      body: { detail: expect.stringContaining('at most 16384 are allowed') },
    });
    expect((await api.call('POST', '/assetEvents', { body: { name: 'x', size: 1 } })).status).toBe(400);
  });

  it('are made by the one DAG that makes them', async () => {
    api.onCommand = async (message) => {
      const facts = { runId: 'made', runType: 'asset_materialization', runAfter: 1, triggeredBy: 'user' };
      const data = { ...facts, logicalDate: null, dataInterval: null };
      const stream = `dag-${message.dagId}`;
      return {
        ok: true,
        position: await api.given({ stream, type: 'RunRequested', data, at: 1 }),
        result: { runId: 'made' },
      };
    };
    const made = await api.call('POST', `/assets/${name}/materialize`, { body: { partitionKey: 'k' } });
    expect(made).toMatchObject({ status: 201, body: { dagId: 'p', runType: 'asset_materialization' } });
    expect(api.sent.at(-1)!.command).toMatchObject({
      type: 'triggerRun',
      runType: 'asset_materialization',
      partitionKey: 'k',
    });
    expect((await api.call('POST', '/assets/x/materialize', { body: {} })).status).toBe(404);
    expect(await api.call('POST', '/assets/both/materialize', { body: {} })).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining('q, r') },
    });
    expect((await api.call('POST', '/assets/both/materialize', { body: { dagId: 'r' } })).body).toMatchObject({
      dagId: 'r',
    });
  });

  it('have a queue for each DAG, whose events are deleted by command', async () => {
    expect((await api.get('/dags/c/assets/queuedEvents')).body).toMatchObject({
      items: [
        { name: 's3://a/b', partitionKey: null, events: 2, at: 5 },
        { name: 'x', partitionKey: 'k', events: 1 },
      ],
    });
    expect((await api.get(`/dags/c/assets/${name}/queuedEvents`)).body).toMatchObject({ total: 1 });
    expect((await api.get(`/assets/${name}/queuedEvents`)).body).toMatchObject({ items: [{ dagId: 'c' }] });
    expect((await api.get('/dags/c/assets/pendingPartitions')).body).toEqual({
      items: [{ partitionKey: 'k', updated: ['x'], waitsFor: ['s3://a/b'], events: 1, at: 6 }],
      total: 1,
    });
    api.onCommand = async () => ({ ok: true, position: 1, result: { dagId: 'c', deleted: 2 } });
    expect((await api.call('DELETE', `/assets/${name}/queuedEvents`)).body).toEqual({ deleted: 2 });
    expect(api.sent.at(-1)).toMatchObject({ dagId: 'c', command: { type: 'deleteQueuedAssets', names: ['s3://a/b'] } });
    await api.call('DELETE', '/dags/c/assets/queuedEvents?partitionKey=k');
    expect(api.sent.at(-1)!.command).toEqual({ type: 'deleteQueuedAssets', partitionKey: 'k' });
    expect((await api.call('DELETE', '/dags/nobody/assets/queuedEvents')).status).toBe(404);
    expect((await api.get('/dags/c/runs/none/upstreamAssetEvents')).status).toBe(404);
  });
});
