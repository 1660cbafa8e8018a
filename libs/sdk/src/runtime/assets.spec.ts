import { Asset, AssetAlias } from '../authoring/index.ts';
import { byAsset, inletEvents, Metadata, OutletRecord, templateEvent } from './assets.ts';
import type { AssetEventInfo, AssetEventQuery } from './contract.ts';

const [a, b, alias] = [new Asset('a'), new Asset({ name: 'b', group: 'g' }), new AssetAlias('x')];
const event: AssetEventInfo = {
  ...{ name: 'a', uri: 'a', at: 1_000, extra: { n: 1 }, partitionKey: null },
  source: { dagId: 'd', runId: 'r', taskId: 't', mapIndex: '2' },
};

describe('what an attempt says of its outlets', () => {
  it('is one update for each asset, and one for each that is added through an alias', () => {
    const record = new OutletRecord([a, b, alias]);
    record.get('a').extra['rows'] = 3;
    record.get(b).partitionKey = 'k';
    record.get(alias).add(new Asset('day'), { extra: { day: 1 } });
    record.get(alias).add(new Asset('night'));
    expect(record.updates()).toEqual([
      { name: 'a', uri: 'a', extra: { rows: 3 } },
      { name: 'b', uri: 'b', group: 'g', partitionKey: 'k' },
      { name: 'day', uri: 'day', extra: { day: 1 }, aliases: ['x'] },
      { name: 'night', uri: 'night', aliases: ['x'] },
    ]);
  });

  it('may be returned as Metadata, which is then no value', () => {
    const record = new OutletRecord([a, alias]);
    expect(record.take(5)).toBe(5);
    expect(record.take([])).toEqual([]);
    expect(record.take([new Metadata(a, { n: 1 }), new Metadata(b, { m: 2 }, { alias })])).toBeUndefined();
    expect(record.take(new Metadata('a', { k: 3 }))).toBeUndefined();
    expect(record.updates()).toEqual([
      { name: 'a', uri: 'a', extra: { n: 1, k: 3 } },
      { name: 'b', uri: 'b', group: 'g', extra: { m: 2 }, aliases: ['x'] },
    ]);
  });

  it.each<[string, (record: OutletRecord) => unknown, RegExp]>([
    ['another asset', (record) => record.get(b), /'b' is not among the outlets of the task; allowed: 'a', 'x'/],
    ['an addition to an asset', (record) => record.get(a).add(b), /add\(\) is called on the asset 'a'/],
    [
      'an addition that is no asset',
      (record) => record.get(alias).add('b' as never),
      /add\(\) gets 'b'; allowed: an Asset/,
    ],
    [
      'an extra that is no JSON',
      (record) => ((record.get(a).extra = { f: () => 1 }), record.updates()),
      /extra of asset 'a'/,
    ],
    [
      'too much',
      (record) => ((record.get(a).extra = { x: 'x'.repeat(40_000) }), record.updates()),
      /bytes of JSON; allowed are 32768/,
    ],
  ])('is refused for %s', (_, act, message) => expect(() => act(new OutletRecord([a, alias]))).toThrow(message));
});

describe('events of assets', () => {
  it('are asked for by asset, alias, URI or name', async () => {
    const asked: AssetEventQuery[] = [];
    const events = inletEvents(async (query) => (asked.push(query), [event]));
    expect(await events.get(a)).toMatchObject([{ name: 'a', timestamp: new Date(1_000), extra: { n: 1 } }]);
    await events.get(alias, { limit: 3 });
    await events.get(Asset.ref({ uri: 's3://b/' }));
    await events.get('a');
    expect(asked).toEqual([
      { kind: 'asset', name: 'a', limit: 100 },
      { kind: 'alias', name: 'x', limit: 3 },
      { kind: 'uri', name: 's3://b/', limit: 100 },
      { kind: 'asset', name: 'a', limit: 100 },
    ]);
    await expect(events.get(a.and(b))).rejects.toThrow(/of one asset/);
    await expect(events.get(a, { limit: 0 })).rejects.toThrow(/allowed: a whole number from 1 to 1000/);
  });

  it('are grouped by asset, and known to templates by the old names', () => {
    expect(Object.keys(byAsset([event, { ...event, name: 'b' }, event]))).toEqual(['a', 'b']);
    expect(templateEvent(event)).toMatchObject({
      ...{ asset: { name: 'a', uri: 'a' }, extra: { n: 1 }, timestamp: '1970-01-01T00:00:01.000Z' },
      ...{ source_dag_id: 'd', source_task_id: 't', source_map_index: '2', partition_key: null },
    });
  });
});
