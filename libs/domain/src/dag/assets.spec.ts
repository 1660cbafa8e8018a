import { dagDefinition, DagHarness as Dag, NOON } from '@rondo/testing';
import {
  admit,
  deleteQueuedAssets,
  hearAssets,
  nextDagWake,
  publishVersion,
  retire,
  setPaused,
  validateTimetable,
  watchResolved,
  type AssetDirectory,
  type AssetExpression,
  type TimetableSpec,
} from '../index.ts';

const leaf = (name: string): AssetExpression => ({ kind: 'asset', name, uri: name });
const both: AssetExpression = { kind: 'all', of: [leaf('a'), leaf('b')] };
const directory = (heads: Readonly<Record<string, number>>, alias: readonly string[] = []): AssetDirectory => ({
  headOf: (name) => heads[name] ?? -1,
  resolve: (each) => (each.kind === 'alias' ? alias.map((name) => ({ name, after: 3 })) : []),
});

let position = 0;
function published(assets: AssetExpression, change: { maxActiveRuns?: number; timetable?: TimetableSpec } = {}): Dag {
  const dag = new Dag();
  const timetable = { kind: 'asset', assets } as const;
  dag.decide((d) =>
    publishVersion(d, 'v1', dagDefinition({ tasks: [], timetable, ...change }), 'b', directory({ a: 4 })),
  );
  return dag;
}

/** An event of an asset, heard and decided about. */
function hear(dag: Dag, name: string, revision: number, partitionKey?: string): void {
  const key = partitionKey === undefined ? {} : { partitionKey };
  dag.decide((d) => hearAssets(d, [{ name, revision, position: ++position, at: NOON - 5, ...key }]));
  dag.tick();
}

const runs = (dag: Dag) => dag.history.flatMap((e) => (e.type === 'RunRequested' ? [e.data] : []));

describe('a DAG that waits for assets', () => {
  it('listens from the head of each when it is published', () => {
    const dag = published(both);
    expect(dag.history[0]!.data).toMatchObject({ watched: { assets: { a: 4, b: -1 } } });
    hear(dag, 'a', 4);
    expect(dag.types).toEqual([]);
    hear(dag, 'a', 5);
    hear(dag, 'x', 0);
    expect(dag.types).toEqual(['AssetEventsQueued']);
  });

  it('asks for a run without a logical date once the condition is true, and starts again from nothing', () => {
    const dag = published(both);
    hear(dag, 'a', 5);
    hear(dag, 'a', 6);
    hear(dag, 'b', 0);
    const [run] = runs(dag);
    expect(run).toMatchObject({
      ...{ runType: 'asset_triggered', logicalDate: null, dataInterval: null, triggeredBy: 'asset' },
      runAfter: NOON - 5,
      assetEvents: { count: 3, through: position },
    });
    expect(run!.runId).toMatch(/^asset_triggered__2024-01-10T11:59:59\.995000\+00:00_[0-9a-f]{8}$/);
    hear(dag, 'b', 1);
    expect(runs(dag)).toHaveLength(1);
    expect(nextDagWake(dag.state, dag.now)).toBeUndefined();
  });

  it('hears an event once, however often it is told', () => {
    const dag = published(leaf('a'));
    hear(dag, 'a', 5);
    hear(dag, 'a', 5);
    expect(runs(dag)).toHaveLength(1);
  });

  it('waits for room for a run, which then consumes all that has come', () => {
    const dag = published(leaf('a'), { maxActiveRuns: 1 });
    for (const revision of [5, 6, 7]) hear(dag, 'a', revision);
    expect(runs(dag)).toHaveLength(1);
    dag.close(dag.active[0]!);
    dag.tick();
    expect(runs(dag).map((run) => run.assetEvents?.count)).toEqual([1, 2]);
  });

  it.each([
    ['paused', (dag: Dag) => void dag.decide((d) => setPaused(d, true))],
    ['retired', (dag: Dag) => dag.decide((d) => retire(d, 'gone'))],
  ])('passes over what comes while it is %s', (reason, stop) => {
    const dag = published(both);
    hear(dag, 'a', 5);
    stop(dag);
    hear(dag, 'b', 0);
    expect(dag.history.at(-1)).toMatchObject({ type: 'AssetEventsPassed', data: { reason: `the DAG is ${reason}` } });
    expect(runs(dag)).toEqual([]);
    expect([...dag.state.assets.waiting.get('')!.keys()]).toEqual(['a']);
  });

  it('forgets what is deleted from its queue', () => {
    const dag = published(both);
    hear(dag, 'a', 5);
    expect(dag.decide((d) => deleteQueuedAssets(d, ['b']))).toBe(0);
    expect(dag.decide((d) => deleteQueuedAssets(d))).toBe(1);
    hear(dag, 'b', 0);
    expect(runs(dag)).toEqual([]);
  });

  it('keeps what still counts when its condition changes, and drops the rest', () => {
    const dag = published(both);
    hear(dag, 'a', 5);
    const timetable = { kind: 'asset', assets: { kind: 'all', of: [leaf('a'), leaf('c')] } } as const;
    const definition = dagDefinition({ tasks: [], timetable });
    dag.decide((d) => publishVersion(d, 'v2', definition, 'b', directory({ a: 5, c: 8 })));
    expect(Object.fromEntries(dag.state.assets.seen)).toEqual({ a: 5, c: 8 });
    hear(dag, 'c', 9);
    expect(runs(dag).map((run) => run.assetEvents?.count)).toEqual([2]);
  });

  it('counts what an alias has come to stand for, from then on', () => {
    const dag = published({ kind: 'alias', name: 'x' });
    hear(dag, 'day', 4);
    dag.decide((d) => watchResolved(d, directory({}, ['day'])));
    dag.decide((d) => watchResolved(d, directory({}, ['day'])));
    hear(dag, 'day', 4);
    expect(dag.types).toEqual(['AssetsWatched', 'AssetEventsQueued', 'RunRequested', 'RunAdmitted']);
  });

  it('of either kind runs by the clock too, each with a run id of its kind', () => {
    const time: TimetableSpec = { kind: 'cron_interval', expression: '0 0 * * *', timezone: 'UTC' };
    const dag = published(leaf('a'), { timetable: { kind: 'asset_or_time', timetable: time, assets: leaf('a') } });
    dag.tick();
    hear(dag, 'a', 5);
    expect(runs(dag).map((run) => run.runId.split('__')[0])).toEqual(['scheduled', 'asset_triggered']);
    expect(nextDagWake(dag.state, dag.now)).toBe(Date.UTC(2024, 0, 11));
  });
});

describe('a partitioned DAG', () => {
  const partitioned = (): Dag =>
    published(both, {
      timetable: {
        kind: 'asset',
        assets: both,
        partitions: { mapping: { mapper: 'daily' }, byAsset: { b: { mapper: 'identity' } } },
      },
      maxActiveRuns: 1,
    });

  it('has a run for each key of which all assets were updated, whatever room there is', () => {
    const dag = partitioned();
    hear(dag, 'a', 5, '2024-01-09T01:00:00');
    hear(dag, 'a', 6, '2024-01-10T02:00:00');
    hear(dag, 'b', 0, '2024-01-10');
    hear(dag, 'b', 1, '2024-01-09');
    expect(runs(dag).map((run) => [run.partitionKey, run.assetEvents?.count])).toEqual([
      ['2024-01-10', 2],
      ['2024-01-09', 2],
    ]);
    expect(runs(dag)[0]!.runId).toMatch(/^asset_triggered__[^_]+__2024-01-10__[0-9a-f]{8}$/);
    dag.decide(admit);
    expect(dag.active).toHaveLength(1);
  });

  it('passes over events without a key, and with one that its mapper does not read', () => {
    const dag = partitioned();
    hear(dag, 'a', 5);
    hear(dag, 'a', 6, 'yesterday');
    const passed = dag.history.flatMap((e) => (e.type === 'AssetEventsPassed' ? [e.data.reason] : []));
    expect(passed).toEqual([
      'the event is of no partition, and the DAG is partitioned',
      "partition key 'yesterday' does not match the format '%Y-%m-%dT%H:%M:%S'",
    ]);
  });

  it('is no other DAG: that one passes over events of a partition', () => {
    const dag = published(leaf('a'));
    hear(dag, 'a', 5, '2024-01-09');
    expect(dag.types).toEqual(['AssetEventsPassed']);
  });
});

describe('a timetable of partitions', () => {
  const timetable: TimetableSpec = {
    kind: 'cron_partition',
    expression: '0 6 * * *',
    timezone: 'Europe/Zurich',
    runOffset: -1,
    keyFormat: '%Y-%m-%d',
  };

  it('has a run at each tick, of the partition that it stands for and without a date', () => {
    const dag = Dag.published({ timetable, catchup: true, startDate: Date.UTC(2024, 0, 9), maxActiveRuns: 5 });
    dag.tick();
    expect(runs(dag)).toMatchObject([
      { partitionKey: '2024-01-08', logicalDate: null, dataInterval: null, runAfter: Date.UTC(2024, 0, 9, 5) },
      { partitionKey: '2024-01-09', logicalDate: null, dataInterval: null, runAfter: Date.UTC(2024, 0, 10, 5) },
    ]);
    expect(runs(dag)[0]!.runId).toMatch(/^scheduled__2024-01-09T05:00:00\+00:00__2024-01-08__[0-9a-f]{8}$/);
    dag.tick();
    expect(runs(dag)).toHaveLength(2);
    expect(nextDagWake(dag.state, dag.now)).toBe(Date.UTC(2024, 0, 11, 5));
  });

  it.each([
    [{ runOffset: 0.5 }, 'runOffset'],
    [{ keyFormat: '%Q' }, '%Q'],
    [{ timezone: 'Mars' }, 'time zone'],
  ])('is refused with %j', (change, message) =>
    expect(validateTimetable({ ...timetable, ...change })).toMatchObject({
      ok: false,
      error: expect.stringContaining(message),
    }),
  );
});
