import { serialiseDag } from '../runtime/serialise.ts';
import {
  all,
  any,
  Asset,
  AssetAlias,
  asset,
  assetOrTime,
  cronPartition,
  Dag,
  multiAsset,
  partitioned,
  task,
  type DagOptions,
} from './index.ts';

const [a, b, c] = [
  new Asset('a'),
  new Asset('b'),
  new Asset({ name: 'c', uri: 's3://bucket/c/', group: 'g', extra: { x: 1 } }),
];
const leaf = (name: string) => ({ kind: 'asset', name, uri: name });
const timetableOf = (schedule: DagOptions['schedule']) => new Dag({ id: 'd', schedule: schedule! }).timetable;

describe('schedules of assets', () => {
  it('are an asset, a list or an expression', () => {
    expect(timetableOf(a)).toEqual({ kind: 'asset', assets: leaf('a') });
    expect(timetableOf([a, b])).toEqual({ kind: 'asset', assets: { kind: 'all', of: [leaf('a'), leaf('b')] } });
    expect(timetableOf(a.or(b.and(c)))).toEqual({
      kind: 'asset',
      assets: {
        kind: 'any',
        of: [
          leaf('a'),
          { kind: 'all', of: [leaf('b'), { kind: 'asset', name: 'c', uri: 's3://bucket/c', group: 'g' }] },
        ],
      },
    });
    expect(all(a, b).expression).toEqual(a.and(b).expression);
    expect(any(a, b, new AssetAlias('x')).expression).toEqual(a.or(b).or(new AssetAlias('x')).expression);
    expect(timetableOf(Asset.ref({ uri: 's3://b/k/' }))).toEqual({
      kind: 'asset',
      assets: { kind: 'uri', uri: 's3://b/k' },
    });
  });

  it('may be of the clock as well, in the zone of the DAG', () => {
    const dag = new Dag({ id: 'd', timezone: 'Europe/Zurich', schedule: assetOrTime('0 6 * * *', a) });
    expect(dag.timetable).toEqual({
      kind: 'asset_or_time',
      timetable: { kind: 'cron_trigger', expression: '0 6 * * *', timezone: 'Europe/Zurich' },
      assets: leaf('a'),
    });
  });

  it('may be partitions by the clock', () => {
    const schedule = cronPartition('@daily', { runOffset: -1, keyFormat: '%Y-%m-%d' });
    expect(new Dag({ id: 'd', timezone: 'Europe/Zurich', schedule }).timetable).toEqual({
      ...{ kind: 'cron_partition', expression: '0 0 * * *', timezone: 'Europe/Zurich' },
      ...{ runOffset: -1, keyFormat: '%Y-%m-%d' },
    });
    expect(() => timetableOf(cronPartition('* *'))).toThrow(/schedule/);
  });

  it('may be of partitions', () => {
    expect(
      timetableOf(partitioned(a, { mapper: 'daily', byAsset: { a: { mapper: 'hourly', timezone: 'UTC' } } })),
    ).toEqual({
      kind: 'asset',
      assets: leaf('a'),
      partitions: { mapping: { mapper: 'daily' }, byAsset: { a: { mapper: 'hourly', timezone: 'UTC' } } },
    });
  });

  it.each([
    ['a text among assets', [a, 'b'], /'b' is not an asset; allowed/],
    ['no asset at all', all(), /waits for no asset/],
    [
      'an unknown mapper',
      partitioned(a, { mapper: 'fortnightly' as 'daily' }),
      /fortnightly.*allowed: identity, hourly/,
    ],
    [
      'an unknown zone of a mapper',
      partitioned(a, { mapper: { mapper: 'daily', timezone: 'Mars' } }),
      /Mars.*time zone/,
    ],
    ['assets in the place of the clock', assetOrTime(a as never, b), /schedule/],
    [
      'too many assets',
      all(...Array.from({ length: 2_000 }, (_, i) => new Asset(`asset${i}`))),
      /bytes of JSON; allowed/,
    ],
  ])('are refused with %s', (_, schedule, message) => expect(() => timetableOf(schedule as never)).toThrow(message));
});

describe('outlets and inlets', () => {
  it('are part of the definition', () => {
    const dag = new Dag({ id: 'd' }, () => void task('t', () => 1, { outlets: [c, new AssetAlias('x')], inlets: a }));
    expect(dag.complete()).toEqual([]);
    expect(serialiseDag(dag).tasks[0]).toMatchObject({
      outlets: [
        { kind: 'asset', name: 'c', uri: 's3://bucket/c', group: 'g', extra: { x: 1 } },
        { kind: 'alias', name: 'x' },
      ],
      inlets: [leaf('a')],
    });
  });

  it.each([
    ['outlets', 'orders', /outlets is 'orders'; allowed: an Asset or AssetAlias/],
    ['outlets', a.and(b), /outlets is .*allowed: an Asset or AssetAlias/],
    ['inlets', [1], /inlets is \[1\]; allowed: an Asset, an AssetAlias/],
  ])('refuse %s %s', (name, value, message) =>
    expect(() => new Dag({ id: 'd' }, () => void task('t', () => 1, { [name]: value })().taskId)).toThrow(message),
  );

  it('of a shorthand are its own: one asset, or several', () => {
    const orders = asset('orders', { schedule: '@daily', uri: 's3://shop/orders', inlets: a }, () => 1);
    expect(orders.complete()).toEqual([]);
    expect(orders.asset.uri).toBe('s3://shop/orders');
    expect(serialiseDag(orders)).toMatchObject({
      dagId: 'orders',
      tasks: [{ taskId: 'orders', outlets: [{ name: 'orders', uri: 's3://shop/orders' }], inlets: [leaf('a')] }],
    });
    expect(timetableOf(orders.asset)).toMatchObject({ assets: { name: 'orders' } });
    const many = multiAsset('many', { outlets: [a, b] }, () => 1);
    expect(many.complete()).toEqual([]);
    expect(serialiseDag(many).tasks).toMatchObject([{ taskId: 'many', outlets: [leaf('a'), leaf('b')] }]);
  });
});

describe('an asset', () => {
  it('is refused without a name, and with an extra that is no JSON', () => {
    expect(() => new Asset({})).toThrow(/a name, a uri or both/);
    expect(() => new Asset(7 as never)).toThrow(/allowed/);
    expect(() => new Asset({ name: 'a', extra: (() => 1) as never })).toThrow(/extra of asset 'a'/);
    expect(() => new AssetAlias('')).toThrow(/alias/);
  });
});
