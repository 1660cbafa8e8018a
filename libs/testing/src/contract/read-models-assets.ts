import { createHash } from 'node:crypto';
import type { AssetExpression, DagVersion } from '@rondo/domain';
import { aDefinition, aTask } from '../definition.ts';
import type { HistoryEvent } from '../random-history.ts';
import { appendHistory, type ReadModelsFixture } from './read-models-kit.ts';

type Get = () => ReadModelsFixture;
const ALL = { offset: 0, limit: 100 } as const;
const leaf = (name: string) => ({ kind: 'asset' as const, name, uri: `s3://${name}` });

/** A version of a DAG that waits for assets, reads one and makes another. */
function versionOf(dagId: string, assets: AssetExpression): { readonly version: string; readonly bytes: Uint8Array } {
  const tasks = [aTask('use', { inlets: [leaf('orders')], outlets: [{ ...leaf('report'), extra: { by: 'use' } }] })];
  const definition = aDefinition(dagId, tasks, { timetable: { kind: 'asset', assets } });
  const bytes = new TextEncoder().encode(
    JSON.stringify({ definition, bundle: { hash: 'b', file: 'd.ts' } } satisfies DagVersion),
  );
  return { version: createHash('sha256').update(bytes).digest('hex'), bytes };
}

function published(dagId: string, version: string): HistoryEvent {
  const scheduling = { timetable: { kind: 'none' }, timezone: 'UTC', catchup: false, isPausedUponCreation: false };
  const data = { version, file: 'd.ts', bundle: 'b', scheduling };
  return { stream: `dag-${dagId}`, type: 'DagVersionPublished', data, at: 1 };
}

const updated = (name: string, at: number, more: object = {}): HistoryEvent => ({
  stream: `asset-${name}`,
  type: 'AssetUpdated',
  data: { name, uri: `s3://${name}`, at, ...more },
  at,
});

const told = (type: string, data: object): HistoryEvent => ({ stream: 'dag-d', type, data, at: 9 });
const range = (name: string, from: number, to: number, key?: string) => ({
  ...{ name, from, to, at: 5, position: 5 },
  ...(key === undefined ? {} : { key }),
});

function requested(runId: string, partitionKey?: string): HistoryEvent {
  const facts = {
    runType: 'asset_triggered',
    logicalDate: null,
    dataInterval: null,
    runAfter: 5,
    triggeredBy: 'asset',
  };
  const assetEvents = { count: 1, through: 5 };
  return told('RunRequested', {
    runId,
    ...facts,
    assetEvents,
    ...(partitionKey === undefined ? {} : { partitionKey }),
  });
}

export function describeAssetQueries(get: Get): void {
  describe('queries of assets', () => {
    const put = async (...history: readonly HistoryEvent[]): Promise<void> => {
      const { store, models } = get();
      await models.settled(await appendHistory(store, history));
    };
    const publish = async (assets: AssetExpression): Promise<HistoryEvent> => {
      const { version, bytes } = versionOf('d', assets);
      await get().putBlob(bytes);
      return published('d', version);
    };

    it('tell what DAGs name and what was updated, and who has to do with it', async () => {
      await put(
        await publish({ kind: 'any', of: [leaf('orders'), { kind: 'alias', name: 'x' }] }),
        updated('found', 3),
      );
      const { models } = get();
      expect((await models.assets({}, ALL)).items.map((row) => row.name)).toEqual(['found', 'orders', 'report']);
      expect((await models.assets({ pattern: 'S3://OR' }, ALL)).items).toMatchObject([{ name: 'orders' }]);
      expect(await models.asset('report')).toEqual({
        name: 'report',
        uri: 's3://report',
        group: 'asset',
        extra: { by: 'use' },
      });
      expect(await models.asset('other')).toBeUndefined();
      expect(await models.assetLinks({ name: 'orders' })).toEqual([
        { dagId: 'd', use: 'schedule', taskId: '', kind: 'asset', name: 'orders' },
        { dagId: 'd', use: 'inlet', taskId: 'use', kind: 'asset', name: 'orders' },
      ]);
      await put(told('DagRetired', { reason: 'gone' }));
      expect(await models.assetLinks({ dagId: 'd' })).toEqual([]);
    });

    it('find events by asset, alias, URI, partition and source, the newest first', async () => {
      const source = { dagId: 'p', runId: 'r', taskId: 't', mapIndex: [3], tryNumber: 1 };
      await put(
        {
          stream: 'assetAlias-x',
          type: 'AssetAliasResolved',
          data: { alias: 'x', name: 'a', uri: 's3://a', at: 2 },
          at: 2,
        },
        updated('a', 3, { aliases: ['x'], extra: { n: 1 }, source }),
        updated('a', 4, { partitionKey: 'k' }),
        updated('b', 5),
      );
      const { models } = get();
      const found = async (filter: object): Promise<number[]> =>
        (await models.assetEvents(filter, ALL)).items.map((row) => row.at);
      expect(await found({})).toEqual([5, 4, 3]);
      expect(await found({ name: 'a', orderBy: 'position' })).toEqual([3, 4]);
      expect(await found({ alias: 'x' })).toEqual([3]);
      expect(await found({ uri: 's3://b' })).toEqual([5]);
      expect(await found({ partitionKey: 'k' })).toEqual([4]);
      expect(await found({ sourceDagId: 'p', sourceRunId: 'r', sourceTaskId: 't' })).toEqual([3]);
      expect((await models.assetEvents({ alias: 'x' }, ALL)).items[0]).toMatchObject({
        ...{ name: 'a', revision: 0, extra: { n: 1 }, partitionKey: null, aliases: ['x'] },
        source: { ...source, mapIndex: '3' },
      });
      expect(await models.assetAliases('x')).toEqual([{ alias: 'x', name: 'a', uri: 's3://a', at: 2 }]);
      expect(await models.assetAliases('y')).toEqual([]);
    });

    it('tell what waits for a run until one takes it, it is deleted, or no longer waited for', async () => {
      const { models } = get();
      const waiting = async (): Promise<string[]> =>
        (await models.queuedAssets({ dagId: 'd' })).map(
          (row) => `${row.partitionKey}/${row.name}@${row.from}-${row.to}`,
        );
      await put(
        await publish({ kind: 'all', of: [leaf('a'), leaf('b')] }),
        ...[updated('a', 1), updated('a', 2), updated('b', 3), updated('b', 4)],
        told('AssetEventsQueued', { events: [range('a', 0, 1), range('b', 0, 0, 'k')] }),
      );
      expect(await waiting()).toEqual(['/a@0-1', 'k/b@0-0']);
      expect(await models.queuedAssets({ name: 'b' })).toHaveLength(1);
      await put(requested('one'));
      expect(await waiting()).toEqual(['k/b@0-0']);
      await put(requested('two', 'k'), told('AssetEventsQueued', { events: [range('b', 1, 1)] }));
      const taken = async (runId: string): Promise<string[]> => {
        const { items } = await models.assetEvents({ dagId: 'd', runId, orderBy: 'position' }, ALL);
        return items.map((row) => `${row.name}@${row.revision}`);
      };
      expect([await taken('one'), await taken('two')]).toEqual([['a@0', 'a@1'], ['b@0']]);
      await put(told('AssetQueueDeleted', { names: ['a'] }));
      expect(await waiting()).toEqual(['/b@1-1']);
      await put(await publish(leaf('a')));
      expect(await waiting()).toEqual([]);
      expect(await taken('two')).toEqual(['b@0']);
    });
  });
}
