import { afterEach, describe, expect, it } from '@jest/globals';
import type { AssetExpression, AssetUpdate, AttemptOutcome } from '@rondo/domain';
import type { AppendRequest, EventStore, RecordedEvent } from '@rondo/ports';
import { aDefinition, aTask, memoryEventStore } from '@rondo/testing';
import { Node } from './harness.ts';

const nodes: Node[] = [];
async function start(node = new Node()): Promise<Node> {
  nodes.push(node);
  return node.start();
}
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.crash();
});

const leaf = (name: string): AssetExpression => ({ kind: 'asset', name, uri: name });
const update = (name: string, change: Partial<AssetUpdate> = {}): AssetUpdate => ({ name, uri: name, ...change });
const success = (...assets: AssetUpdate[]): AttemptOutcome => ({ kind: 'success', assets });
const producer = aDefinition('p', [aTask('make')]);
const consumer = (assets: AssetExpression, change = {}) =>
  aDefinition('c', [aTask('use')], { timetable: { kind: 'asset', assets }, ...change });
const dataOf = (event: RecordedEvent) => JSON.parse(event.data) as Record<string, unknown>;
const making =
  (...assets: AssetUpdate[]) =>
  (order: { readonly attempt: { readonly dagId: string } }): AttemptOutcome =>
    order.attempt.dagId === 'p' ? success(...assets) : { kind: 'success' };

async function requests(node: Node, dagId = 'c'): Promise<readonly Record<string, unknown>[]> {
  return (await node.history(`dag-${dagId}`)).filter((e) => e.type === 'RunRequested').map(dataOf);
}

/** Resolves when nothing has been written for a while. */
async function quiet(node: Node): Promise<void> {
  for (let before = -1, still = 0; still < 5;) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    const head = await node.store.head();
    still = head === before ? still + 1 : 0;
    before = head;
  }
}

describe('a DAG that waits for an asset', () => {
  it('runs when a task of another DAG has updated it', async () => {
    const node = await start();
    await node.publish(producer);
    await node.publish(consumer(leaf('orders')));
    node.worker.outcome = making(update('orders', { extra: { rows: 3 } }));
    const runId = await node.trigger('p');
    const updated = await node.until('asset-orders', 'AssetUpdated');
    expect(dataOf(updated)).toMatchObject({
      name: 'orders',
      extra: { rows: 3 },
      source: { dagId: 'p', runId, taskId: 'make', mapIndex: [], tryNumber: 1 },
    });
    await node.until('dag-c', 'RunClosed');
    const [request] = await requests(node);
    expect(request).toMatchObject({
      runType: 'asset_triggered',
      logicalDate: null,
      dataInterval: null,
      triggeredBy: 'asset',
      assetEvents: { count: 1, through: updated.position },
    });
    expect(request!['runId']).toMatch(/^asset_triggered__\d{4}-\d\d-\d\dT[\d:.]+\+00:00_[0-9a-f]{8}$/);
    expect(await node.types('dag-c')).toEqual([
      'DagVersionPublished',
      'AssetEventsQueued',
      'RunRequested',
      'RunAdmitted',
      'RunClosed',
    ]);
  });

  it('is told nothing by a task that failed or was skipped', async () => {
    const node = await start();
    await node.publish(producer);
    await node.publish(consumer(leaf('orders')));
    node.worker.outcome = () => ({ kind: 'skipped', reason: 'nothing new' });
    await node.trigger('p');
    await node.until('dag-p', 'RunClosed');
    node.worker.outcome = () => ({
      kind: 'failed',
      error: { kind: 'exception', message: 'boom' },
      retryable: false,
    });
    await node.trigger('p');
    await node.until('dag-p', 'RunClosed', 2);
    expect(await node.history('asset-orders')).toEqual([]);
    expect(await requests(node)).toEqual([]);
  });

  it('consumes what has come while it had enough runs with one run', async () => {
    const node = await start();
    await node.publish(producer);
    await node.publish(consumer(leaf('orders'), { maxActiveRuns: 1 }));
    node.worker.outcome = (order) => (order.attempt.dagId === 'p' ? success(update('orders')) : undefined);
    await node.trigger('p', { runId: 'one' });
    await node.until('dag-c', 'RunAdmitted');
    for (const runId of ['two', 'three']) await node.trigger('p', { runId });
    await node.until('dag-c', 'AssetEventsQueued', 3);
    expect(await requests(node)).toHaveLength(1);
    node.worker.finish([...node.worker.assigned.keys()][0]!, { kind: 'success' });
    await node.until('dag-c', 'RunAdmitted', 2);
    expect((await requests(node)).map((r) => r['assetEvents'])).toMatchObject([{ count: 1 }, { count: 2 }]);
  });

  it('counts nothing that came before it was published, or while it was paused', async () => {
    const node = await start();
    await node.publish(producer);
    node.worker.outcome = making(update('orders'));
    await node.trigger('p');
    await node.until('dag-p', 'RunClosed');
    await node.publish(consumer(leaf('orders')));
    await node.send('c', { type: 'pauseDag' });
    await node.trigger('p');
    await node.until('dag-c', 'AssetEventsPassed');
    await node.send('c', { type: 'unpauseDag' });
    await quiet(node);
    expect(await requests(node)).toEqual([]);
    await node.trigger('p');
    await node.until('dag-c', 'RunClosed');
    expect((await requests(node)).map((r) => r['assetEvents'])).toMatchObject([{ count: 1 }]);
  });

  it('runs once all of its assets were updated, and not after what waited was deleted', async () => {
    const node = await start();
    await node.publish(producer);
    await node.publish(consumer({ kind: 'all', of: [leaf('a'), leaf('b')] }));
    node.worker.outcome = making(update('a'));
    await node.trigger('p');
    await node.until('dag-c', 'AssetEventsQueued');
    expect(await node.send('c', { type: 'deleteQueuedAssets', names: ['a', 'x'] })).toMatchObject({
      ok: true,
      result: { deleted: 1 },
    });
    node.worker.outcome = making(update('b'));
    await node.trigger('p');
    await node.until('dag-c', 'AssetEventsQueued', 2);
    expect(await requests(node)).toEqual([]);
    node.worker.outcome = making(update('a'));
    await node.trigger('p');
    await node.until('dag-c', 'RunClosed');
    expect((await requests(node)).map((r) => r['assetEvents'])).toMatchObject([{ count: 2 }]);
  });
});

describe('an alias', () => {
  it('stands for what tasks update through it, from the update that brought it on', async () => {
    const node = await start();
    await node.publish(producer);
    await node.publish(consumer({ kind: 'alias', name: 'latest' }));
    node.worker.outcome = making(update('day1'));
    await node.trigger('p');
    await node.until('asset-day1', 'AssetUpdated');
    node.worker.outcome = making(update('day1', { aliases: ['latest'] }));
    await node.trigger('p');
    await node.until('dag-c', 'RunClosed');
    node.worker.outcome = making(update('day1'));
    await node.trigger('p');
    await node.until('dag-c', 'RunClosed', 2);
    expect(await node.types('assetAlias-latest')).toEqual(['AssetAliasResolved']);
    expect((await requests(node)).map((r) => r['assetEvents'])).toMatchObject([{ count: 1 }, { count: 1 }]);
  });

  it('of a URI stands for every asset that has it', async () => {
    const node = await start();
    await node.publish(producer);
    await node.publish(consumer({ kind: 'uri', uri: 's3://bucket/x' }));
    node.worker.outcome = making(update('one', { uri: 's3://bucket/x' }), update('two', { uri: 's3://bucket/y' }));
    await node.trigger('p');
    await node.until('dag-c', 'RunClosed');
    expect((await requests(node)).map((r) => r['assetEvents'])).toMatchObject([{ count: 1 }]);
  });
});

describe('a partitioned DAG', () => {
  it('has a run for each key, and its tasks update the same partition', async () => {
    const node = await start();
    await node.publish(producer);
    const timetable = {
      kind: 'asset' as const,
      assets: leaf('hours'),
      partitions: { mapping: { mapper: 'daily' as const } },
    };
    await node.publish(aDefinition('c', [aTask('use')], { timetable }));
    node.worker.outcome = (order) =>
      order.attempt.dagId === 'p'
        ? success(update('hours', { partitionKey: '2026-02-10T14:00:00' }), update('hours'))
        : success(update('days'));
    await node.trigger('p');
    await node.until('dag-c', 'RunClosed');
    const [request] = await requests(node);
    expect(request).toMatchObject({ partitionKey: '2026-02-10', assetEvents: { count: 1 } });
    expect(request!['runId']).toMatch(/^asset_triggered__[^_]+__2026-02-10__[0-9a-f]{8}$/);
    expect(dataOf(await node.until('asset-days', 'AssetUpdated'))).toMatchObject({ partitionKey: '2026-02-10' });
    expect(dataOf(await node.until('dag-c', 'AssetEventsPassed'))).toMatchObject({
      reason: 'the event is of no partition, and the DAG is partitioned',
    });
  });
});

/** A store that fails for good once it has written so many requests more. */
function cutAfter(store: EventStore, requests: number): EventStore {
  let left = requests;
  return {
    append: async (chain: readonly AppendRequest[]) => {
      const part = chain.slice(0, left);
      left -= part.length;
      const outcomes = part.length === 0 ? [] : await store.append(part);
      if (part.length === chain.length) return outcomes;
      throw new Error('the machine has failed');
    },
    readStream: (stream, options) => store.readStream(stream, options),
    readAll: (after, options) => store.readAll(after, options),
    listStreams: (prefix) => store.listStreams(prefix),
    subscribe: (options) => store.subscribe(options),
    head: () => store.head(),
    positionAt: (time) => store.positionAt(time),
    readSnapshot: (stream) => store.readSnapshot(stream),
    writeSnapshot: (stream, revision, state) => store.writeSnapshot(stream, revision, state),
    close: () => store.close(),
  };
}

describe('a node that ends between any two writes', () => {
  it.each(Array.from({ length: 16 }, (_, count) => count))(
    'after %i of them: each update is one event, and one run consumes it',
    async (count) => {
      const store = memoryEventStore();
      const first = await start(new Node(store));
      await first.publish(producer);
      await first.publish(consumer({ kind: 'all', of: [leaf('a'), { kind: 'alias', name: 'x' }] }));
      await first.trigger('p', { runId: 'r', runAfter: Date.now() + 40 });
      await first.crash();
      const outcome = making(update('a'), update('b', { aliases: ['x'] }));
      const failing = new Node(cutAfter(store, count), first.blobs);
      failing.worker.outcome = outcome;
      await start(failing);
      await new Promise((resolve) => setTimeout(resolve, 120));
      await failing.crash();
      const last = new Node(store, first.blobs);
      last.worker.outcome = outcome;
      await start(last);
      await last.until('dag-c', 'RunClosed');
      await quiet(last);
      expect(await last.types('asset-a')).toEqual(['AssetUpdated']);
      expect(await last.types('asset-b')).toEqual(['AssetUpdated']);
      expect(await last.types('assetAlias-x')).toEqual(['AssetAliasResolved']);
      expect((await requests(last)).map((r) => r['assetEvents'])).toMatchObject([{ count: 2 }]);
    },
  );
});
