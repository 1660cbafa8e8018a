import { foldRunView } from '@rondo/projections';
import type { EventStore, ReadModels, RecordedEvent } from '@rondo/ports';
import { randomHistory, RANDOM_DEFINITION, RANDOM_VERSION_BYTES } from '../random-history.ts';
import { describeApprovalQueries } from './read-models-approvals.ts';
import { describeAssetQueries } from './read-models-assets.ts';
import { describeBackfillQueries } from './read-models-backfills.ts';
import { appendHistory, type ReadModelsFactory, type ReadModelsFixture } from './read-models-kit.ts';
import {
  describeDagQueries,
  describeMappedQueries,
  describeRunQueries,
  describeEarlierRuns,
} from './read-models-queries.ts';

const ALL = { offset: 0, limit: 1000 } as const;

async function wholeHistory(store: EventStore): Promise<RecordedEvent[]> {
  const all: RecordedEvent[] = [];
  for await (const page of store.readAll(0)) all.push(...page);
  return all;
}

const RANDOM_RUNS = ['run:0', 'run:1', 'run:2'];

export { appendHistory, type ReadModelsFactory, type ReadModelsFixture } from './read-models-kit.ts';

/** The rules of the ReadModels port, on whatever stores the rows. */
export function describeReadModelsContract(name: string, factory: ReadModelsFactory): void {
  describe(`${name}: read models`, () => {
    let fixture: ReadModelsFixture;
    beforeEach(async () => {
      fixture = await factory();
      await fixture.putBlob(RANDOM_VERSION_BYTES);
    });
    afterEach(() => fixture.dispose());

    it.each([1, 2, 3, 4])('have the rows that a fold of the history gives (seed %i)', async (seed) => {
      const { store, models } = fixture;
      await models.settled(await appendHistory(store, randomHistory(seed, 400)));
      await expectFolded(models, await wholeHistory(store));
    });

    it('go on where they stopped when they are opened again', async () => {
      const { store } = fixture;
      const history = randomHistory(11, 600);
      await fixture.models.settled(await appendHistory(store, history.slice(0, 300)));
      const models = await fixture.reopen('kept');
      expect(await models.position()).toBeGreaterThan(0);
      await models.settled(await appendHistory(store, history.slice(300)));
      await expectFolded(models, await wholeHistory(store));
    });

    it('have the same rows when they are dropped and rebuilt', async () => {
      const { store } = fixture;
      const head = await appendHistory(store, randomHistory(12, 500));
      await fixture.models.settled(head);
      const before = await everything(fixture.models);
      const models = await fixture.reopen('dropped');
      await models.settled(head);
      expect(await everything(models)).toEqual(before);
    });

    it('tell when they include a position, also one whose event makes no row', async () => {
      const { store, models } = fixture;
      const head = await store.head();
      const reached = models.settled(head + 1);
      const other = { stream: 'other-stream', type: 'Noted', data: {}, at: 1 };
      await Promise.all([reached, appendHistory(store, [other])]);
      expect(await models.position()).toBeGreaterThanOrEqual(head + 1);
      await expect(models.settled(head + 1_000, 20)).rejects.toThrow(/position/);
    });

    it('forget what was deleted', async () => {
      const { store, models } = fixture;
      const sealed = { alg: 'A256GCM', kid: '0', box: 'x' };
      const set = { stream: 'variable-a', type: 'VariableSet', data: { key: 'a', value: sealed }, at: 1 };
      await models.settled(await appendHistory(store, [set]));
      expect(await models.variable('a')).toEqual({ key: 'a', sealed, description: null });
      await models.settled(
        await appendHistory(store, [{ stream: 'variable-a', type: 'VariableDeleted', data: { key: 'a' }, at: 2 }]),
      );
      expect(await models.variable('a')).toBeUndefined();
      expect(await models.variables(ALL)).toEqual({ items: [], total: 0 });
    });

    it('keep pools as they were set last', async () => {
      const { store, models } = fixture;
      const set = (name: string, slots: number, more: object = {}) => ({
        stream: `pool-${name}`,
        type: 'PoolSet',
        data: { name, slots, includeDeferred: false, ...more },
        at: 1,
      });
      const history = [set('b', 2), set('a', -1, { description: 'no limit' }), set('b', 3), set('c', 1)];
      const deleted = { stream: 'pool-c', type: 'PoolDeleted', data: { name: 'c' }, at: 2 };
      await models.settled(await appendHistory(store, [...history, deleted]));
      const rows = [
        { name: 'a', slots: -1, description: 'no limit', includeDeferred: false },
        { name: 'b', slots: 3, description: null, includeDeferred: false },
      ];
      expect(await models.pools()).toEqual(rows);
      expect([await models.pool('b'), await models.pool('c')]).toEqual([rows[1], undefined]);
    });

    it('answer nothing for what does not exist', async () => {
      const { models } = fixture;
      expect(await models.dag('nothing')).toBeUndefined();
      expect(await models.run('nothing', 'r')).toBeUndefined();
      expect(await models.taskInstance('nothing', 'r', 't', '')).toBeUndefined();
      expect(await models.tries('nothing', 'r', 't', '')).toEqual([]);
      expect(await models.dagRevisions('nothing', 'r')).toEqual([]);
    });

    describeRunQueries(() => fixture);
    describeBackfillQueries(() => fixture);
    describeMappedQueries(() => fixture);

    describeEarlierRuns(() => fixture);
    describeApprovalQueries(() => fixture);
    describeAssetQueries(() => fixture);

    describeDagQueries(() => fixture);
  });
}

async function expectFolded(models: ReadModels, history: readonly RecordedEvent[]): Promise<void> {
  for (const runId of RANDOM_RUNS) {
    const folded = foldRunView({ dagId: 'random', runId }, history, RANDOM_DEFINITION);
    if (folded === undefined) {
      expect(await models.run('random', runId)).toBeUndefined();
      continue;
    }
    const { runNo: _no, dagRevisions, ...run } = folded.run;
    expect(await models.run('random', runId)).toEqual(run);
    expect(await models.dagRevisions('random', runId)).toEqual(dagRevisions);
    const rows = await models.taskInstances({ dagId: 'random', runId }, ALL);
    const tasks = folded.tasks.map(({ ordinal: _ordinal, retries: _retries, open: _open, ...row }) => row);
    expect(byText(rows.items)).toEqual(byText(tasks));
    expect(rows.total).toBe(tasks.length);
    expect(byText(await models.xcoms('random', runId))).toEqual(byText(folded.xcoms));
    const tries = await Promise.all(tasks.map((row) => models.tries('random', runId, row.taskId, row.mapIndex)));
    expect(byText(tries.flat())).toEqual(byText(folded.tries));
    for (const row of folded.rendered)
      expect(await models.renderedFields('random', runId, row.taskId, row.mapIndex.join('.'), row.tryNumber)).toEqual(
        row,
      );
  }
}

const byText = (rows: readonly object[]): object[] => {
  const text = (row: object): string => JSON.stringify(row, (_key, value: unknown) => value);
  return rows
    .map((row) => Object.fromEntries(Object.entries(row).toSorted(([a], [b]) => (a < b ? -1 : 1))))
    .toSorted((a, b) => (text(a) < text(b) ? -1 : 1));
};

/** Every row that the port can list. */
async function everything(models: ReadModels): Promise<object> {
  const runs = await models.runs({}, ALL);
  const inRuns = await Promise.all(
    runs.items.map(async ({ dagId, runId }) => ({
      tasks: await models.taskInstances({ dagId, runId }, ALL),
      xcoms: await models.xcoms(dagId, runId),
    })),
  );
  const [dags, versions, variables, connections, pools, errors] = await Promise.all([
    models.dags({ includeRetired: true }, ALL),
    models.dagVersions('random'),
    models.variables(ALL),
    models.connections(ALL),
    models.pools(),
    models.importErrors(),
  ]);
  return { runs, inRuns, dags, versions, variables, connections, pools, errors };
}
