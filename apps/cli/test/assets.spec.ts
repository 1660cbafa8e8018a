import { FakeApi, rondo, rowsOf } from './fake-api.ts';

let api: FakeApi;
beforeEach(async () => {
  api = await FakeApi.start();
});
afterEach(() => api.stop());

const call = (...args: string[]) => rondo([...args, '--url', api.url]);
const orders = {
  ...{ name: 's3://shop/orders', uri: 's3://shop/orders', group: 'sales', extra: {}, aliases: ['latest'] },
  ...{ producers: [{ dagId: 'p', taskId: 'load' }], readers: [], consumers: ['c', 'e'], events: 2, updatedAt: 0 },
};
const NAME = encodeURIComponent(orders.name);

describe('assets', () => {
  it('are listed and shown with who has to do with them', async () => {
    api.on('GET /assets', { body: { items: [orders], total: 1 } }).on(`GET /assets/${NAME}`, { body: orders });
    expect(rowsOf((await call('assets', 'list', '--pattern', 'shop')).out)).toEqual([
      [orders.name, 'sales', '2', '1970-01-01 00:00:00Z', 'p.load', 'c, e'],
    ]);
    expect(api.received[0]!.query).toEqual({ pattern: 'shop', limit: '50' });
    const shown = (await call('assets', 'show', orders.name)).out;
    expect(shown).toContain('made by      p.load');
    expect(shown).toContain('aliases      latest');
  });

  it('show their updates, are updated and made', async () => {
    const event = { name: orders.name, revision: 4, at: 0, extra: { n: 1 }, partitionKey: 'k', source: null };
    api
      .on('GET /assetEvents', { body: { items: [event], total: 1 } })
      .on('POST /assetEvents', { status: 201, body: event })
      .on(`POST /assets/${NAME}/materialize`, { status: 201, body: { dagId: 'p', runId: 'r', state: 'queued' } });
    expect(rowsOf((await call('assets', 'events', 'latest', '--alias')).out)[0]).toContain('outside');
    expect(api.received[0]!.query).toEqual({ alias: 'latest', limit: '50' });
    const updated = await call('assets', 'update', orders.name, '--extra', '{"n": 1}', '--partition', 'k');
    expect(updated.out).toBe(`asset ${orders.name} is updated: revision 4\n`);
    expect(api.received[1]!.body).toEqual({ name: orders.name, extra: { n: 1 }, partitionKey: 'k' });
    expect((await call('assets', 'materialize', orders.name, '--dag', 'p')).out).toBe('p  r  queued\n');
    expect(api.received[2]!.body).toEqual({ dagId: 'p' });
    expect(await call('assets', 'update', orders.name, '--extra', 'no')).toMatchObject({ code: 2 });
  });

  it('have a queue, of a DAG, of an asset, or of both', async () => {
    const row = { dagId: 'c', name: orders.name, partitionKey: null, events: 3, at: 0 };
    api
      .on('GET /dags/c/assets/queuedEvents', { body: { items: [row], total: 1 } })
      .on(`GET /assets/${NAME}/queuedEvents`, { body: { items: [row], total: 1 } })
      .on(`DELETE /dags/c/assets/${NAME}/queuedEvents`, { body: { deleted: 3 } })
      .on('GET /dags/c/assets/pendingPartitions', {
        body: { items: [{ partitionKey: 'k', updated: ['a'], waitsFor: ['b'], events: 1, at: 0 }], total: 1 },
      });
    const cells = [['c', orders.name, '-', '3', '1970-01-01 00:00:00Z']];
    expect(rowsOf((await call('assets', 'queued', 'list', '--dag', 'c')).out)).toEqual(cells);
    expect(rowsOf((await call('assets', 'queued', 'list', '--asset', orders.name)).out)).toEqual(cells);
    const deleted = await call('assets', 'queued', 'delete', '--dag', 'c', '--asset', orders.name, '--partition', 'k');
    expect(deleted.out).toBe('3 queued events are deleted\n');
    expect(api.received.at(-1)!.query).toEqual({ partitionKey: 'k' });
    expect(await call('assets', 'queued', 'list')).toMatchObject({ code: 2 });
    expect(rowsOf((await call('assets', 'partitions', 'c')).out)).toEqual([
      ['k', 'a', 'b', '1', '1970-01-01 00:00:00Z'],
    ]);
  });

  it('have partitions, which dags next tells in the place of dates', async () => {
    const run = { runAfter: 0, logicalDate: 0, dataInterval: [0, 0], partitionKey: '2026-01-01' };
    api.on('GET /dags/c/next', { body: { items: [run] } });
    expect(rowsOf((await call('dags', 'next', 'c')).out)).toEqual([['1970-01-01 00:00:00Z', '2026-01-01']]);
  });

  it('are what dags next tells of a DAG that waits for them', async () => {
    const waitsFor = {
      condition: 'a & b',
      assets: [
        { name: 'a', events: 2 },
        { name: 'b', events: 0 },
      ],
    };
    api.on('GET /dags/c/next', { body: { items: [], waitsFor } });
    const { out } = await call('dags', 'next', 'c');
    expect(out).toContain('runs when assets are updated: a & b');
    expect(rowsOf(out.split('\n').slice(1).join('\n'))).toEqual([
      ['a', '2 updates wait'],
      ['b', 'no update'],
    ]);
  });
});
