/** Producers and consumers of assets on the whole platform. */
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Project, runPath, until, type Row, type Rows, type Served } from './project.ts';

jest.setTimeout(150_000);
let project: Project;
let served: Served;

const dags = `import { assetOrTime, Asset, AssetAlias, asset, Dag, Metadata, partitioned, task } from '@rondo/sdk';

const orders = new Asset({ name: 'orders', uri: 's3://shop/orders/' });
const prices = new Asset('prices');
const latest = new AssetAlias('latest');

const producer = new Dag({ id: 'producer' }, () => {
  task('orders', (ctx) => {
    ctx.outletEvents.get(orders).extra = { rows: 3 };
    return 'made';
  }, { outlets: orders });
  task('prices', () => new Metadata(prices, { currency: 'EUR' }), { outlets: [prices] });
  task('nothing', () => { throw new Error('no'); }, { outlets: new Asset('never') });
  task('named', (ctx) => ctx.outletEvents.get(latest).add(new Asset('day-1'), { extra: { day: 1 } }), { outlets: latest });
});

const consumer = new Dag({ id: 'consumer', schedule: orders.and(prices) }, () => {
  task('use', async (ctx) => {
    const events = await ctx.triggeringAssetEvents();
    const past = await ctx.inletEvents.get(orders, { limit: 1 });
    return {
      triggering: Object.keys(events).sort(),
      rows: events.orders[0].extra,
      from: events.prices[0].source.taskId,
      past: past.map((event) => event.uri),
      text: await ctx.templates.render('{{ triggering_asset_events.orders[0].extra.rows }} {{ inlet_events.orders | length }} {{ outlets | length }}'),
    };
  }, { inlets: [orders] });
});

const byAlias = new Dag({ id: 'by_alias', schedule: latest }, () => void task('use', async (ctx) =>
  Object.keys(await ctx.triggeringAssetEvents())));

const days = new Dag({ id: 'days', schedule: partitioned(new Asset('hours'), { mapper: 'daily' }) }, () =>
  void task('use', (ctx) => ctx.run.partitionKey, { outlets: new Asset('days') }));

const parts = new Asset('parts');
const mapped = new Dag({ id: 'mapped', maxActiveTasks: 500 }, () => {
  const list = task('list', (ctx) => Array.from({ length: Number(ctx.conf.n) }, (_, i) => i));
  const each = task('each', (ctx, n) => { ctx.outletEvents.get(parts).extra = { n }; }, { outlets: parts });
  each.expand(list());
});
const collect = new Dag({ id: 'collect', maxActiveRuns: 1, schedule: parts }, () => void task('use', async (ctx) =>
  (await ctx.triggeringAssetEvents()).parts.length));

export default [mapped, collect, producer, consumer, byAlias, days, asset('report', { schedule: assetOrTime('@yearly', prices) }, () => 'report')];
`;

beforeAll(async () => {
  project = new Project();
  project.write('assets.ts', dags);
  served = await project.serve();
});
afterAll(() => project.remove());

const runsOf = async (dagId: string): Promise<readonly Row[]> => (await served.get<Rows>(`/dags/${dagId}/runs`)).items;

async function ended(dagId: string, count = 1): Promise<Row> {
  return until(`the end of ${count} runs of ${dagId}`, async () => {
    const runs = await runsOf(dagId);
    const done = runs.filter((run) => run['state'] === 'success' || run['state'] === 'failed');
    return done.length >= count ? done[0] : undefined;
  });
}

describe('assets', () => {
  it('carry from the producer to the consumer', async () => {
    for (const dagId of ['consumer', 'by_alias', 'report', 'days']) await served.dag(dagId);
    await served.trigger('producer');
    const run = await ended('consumer');
    expect(run).toMatchObject({ runType: 'asset_triggered', state: 'success', logicalDate: null });
    expect(await served.xcom('consumer', String(run['runId']), 'use')).toEqual({
      triggering: ['orders', 'prices'],
      rows: { rows: 3 },
      from: 'prices',
      past: ['s3://shop/orders'],
      text: '3 1 0',
    });
    const upstream = await served.get<Rows>(`${runPath('consumer', String(run['runId']))}/upstreamAssetEvents`);
    expect(upstream.items.map((event) => [event['name'], event['extra']])).toEqual(
      expect.arrayContaining([
        ['orders', { rows: 3 }],
        ['prices', { currency: 'EUR' }],
      ]),
    );
    expect(await ended('by_alias')).toMatchObject({ state: 'success' });
    expect(await ended('report')).toMatchObject({ runType: 'asset_triggered' });
    const never = await served.get<Row>('/assets/never');
    expect(never).toMatchObject({ events: 0, producers: [{ dagId: 'producer', taskId: 'nothing' }] });
    expect(await served.get<Row>('/assets/orders')).toMatchObject({
      uri: 's3://shop/orders',
      events: 1,
      consumers: ['consumer'],
    });
  });

  it('wait in the queue, and are deleted from it', async () => {
    const next = await served.get<Row>('/dags/consumer/next');
    expect(next['waitsFor']).toMatchObject({
      condition: 'orders & prices',
      assets: [{ name: 'orders', events: 0 }, {}],
    });
    await served.post('/assetEvents', { name: 'orders', extra: { by: 'hand' } });
    const queued = await until('a queued event', async () => {
      const { items } = await served.get<Rows>('/dags/consumer/assets/queuedEvents');
      return items.length > 0 ? items : undefined;
    });
    expect(queued).toMatchObject([{ name: 'orders', events: 1 }]);
    const response = await fetch(`${served.url}/api/v1/assets/orders/queuedEvents`, { method: 'DELETE' });
    expect(await response.json()).toEqual({ deleted: 1 });
    expect((await served.get<Rows>('/assets/orders/queuedEvents')).items).toEqual([]);
  });

  it('are updated by each instance of a mapped task, and each update is taken by one run', async () => {
    await served.dag('collect');
    await served.run('mapped', { conf: { n: 300 } });
    const { total, items } = await served.get<Rows>('/assetEvents?name=parts&limit=1000&orderBy=position');
    expect(total).toBe(300);
    expect(new Set(items.map((event) => (event['extra'] as { readonly n: number }).n)).size).toBe(300);
    const taken = await until('the runs that take 300 updates', async () => {
      const runs = (await runsOf('collect')).filter((run) => run['state'] === 'success');
      const counts = await Promise.all(runs.map((run) => served.xcom('collect', String(run['runId']), 'use')));
      const sum = counts.reduce<number>((all, count) => all + Number(count), 0);
      return sum >= 300 ? sum : undefined;
    });
    expect(taken).toBe(300);
  });

  it('have partitions, and are made on request', async () => {
    await served.post('/assetEvents', { name: 'hours', partitionKey: '2026-02-10T14:00:00' });
    const run = await ended('days');
    expect(run).toMatchObject({ partitionKey: '2026-02-10', state: 'success' });
    const made = await served.get<Rows>('/assetEvents?name=days');
    expect(made.items).toMatchObject([{ partitionKey: '2026-02-10' }]);
    const materialized = await served.post<Row>('/assets/report/materialize', {});
    expect(materialized).toMatchObject({ dagId: 'report', runType: 'asset_materialization' });
  });
});
