import type { RunFilter } from '@rondo/ports';
import { RANDOM_VERSION, type HistoryEvent } from '../random-history.ts';
import { appendHistory, type ReadModelsFixture } from './read-models-kit.ts';

type Get = () => ReadModelsFixture;
const ALL = { offset: 0, limit: 100 } as const;

const published = (dagId: string, isPausedUponCreation = false): HistoryEvent => ({
  stream: `dag-${dagId}`,
  type: 'DagVersionPublished',
  data: {
    version: RANDOM_VERSION,
    file: `${dagId}.ts`,
    bundle: 'b',
    scheduling: {
      timetable: { kind: 'none' },
      timezone: 'UTC',
      catchup: false,
      maxActiveRuns: 16,
      maxConsecutiveFailedDagRuns: 0,
      isPausedUponCreation,
    },
  },
  at: 1,
});

function requested(dagId: string, runId: string, runAfter: number, more: object = {}): HistoryEvent {
  const data = {
    runId,
    runType: 'manual',
    logicalDate: null,
    dataInterval: null,
    runAfter,
    triggeredBy: 'user',
    ...more,
  };
  return { stream: `dag-${dagId}`, type: 'RunRequested', data, at: runAfter };
}

function started(dagId: string, runId: string, at: number): HistoryEvent {
  const data = {
    dagId,
    runId,
    version: RANDOM_VERSION,
    runType: 'manual',
    logicalDate: null,
    dataInterval: null,
    runAfter: at,
    triggeredBy: 'user',
    at,
  };
  return { stream: `dagRun-${dagId}:${runId}`, type: 'RunStarted', data, at };
}

export function describeRunQueries(get: Get): void {
  describe('queries of runs', () => {
    const runIds = async (filter: RunFilter, page: { offset: number; limit: number } = ALL): Promise<string[]> =>
      (await get().models.runs(filter, page)).items.map((run) => run.runId);

    beforeEach(async () => {
      const { store, models } = get();
      const history = [
        published('d'),
        published('e'),
        requested('d', 'r1', 10, { logicalDate: 1_000, runType: 'scheduled' }),
        requested('d', 'r2', 30, { logicalDate: 2_000, runType: 'scheduled' }),
        requested('d', 'r3', 20),
        requested('e', 'other', 5),
        started('d', 'r2', 40),
        started('d', 'r1', 50),
        { stream: 'dagRun-d:r1', type: 'RunFailed', data: { at: 60, reason: 'task_failure' }, at: 60 },
      ];
      await models.settled(await appendHistory(store, history));
    });

    it('are ordered, latest first unless asked otherwise, what has no time last', async () => {
      expect(await runIds({ dagId: 'd' })).toEqual(['r2', 'r3', 'r1']);
      expect(await runIds({ dagId: 'd', orderBy: 'runAfter' })).toEqual(['r1', 'r3', 'r2']);
      expect(await runIds({ dagId: 'd', orderBy: '-startedAt' })).toEqual(['r1', 'r2', 'r3']);
      expect(await runIds({ dagId: 'd', orderBy: 'startedAt' })).toEqual(['r2', 'r1', 'r3']);
      expect(await runIds({ dagId: 'd', orderBy: '-runId' })).toEqual(['r3', 'r2', 'r1']);
    });

    it('filter by state, type, dates and what had been asked for', async () => {
      expect(await runIds({ state: ['failed', 'running'] })).toEqual(['r2', 'r1']);
      expect(await runIds({ runType: ['manual'] })).toEqual(['r3', 'other']);
      expect(await runIds({ logicalDateGte: 1_000, logicalDateLte: 1_999 })).toEqual(['r1']);
      expect(await runIds({ runAfterGte: 10, runAfterLte: 20 })).toEqual(['r3', 'r1']);
      const { store } = get();
      const positions: number[] = [];
      for await (const page of store.readAll(0))
        for (const event of page) if (event.type === 'RunRequested') positions.push(event.position);
      expect(await runIds({ dagId: 'd', requestedBy: positions[1]! })).toEqual(['r2', 'r1']);
    });

    it('come in pages with the total of all', async () => {
      expect(await get().models.runs({ dagId: 'd' }, { offset: 1, limit: 1 })).toMatchObject({
        total: 3,
        items: [{ runId: 'r3' }],
      });
      expect(await get().models.runs({ dagId: 'd' }, { offset: 9, limit: 1 })).toEqual({ total: 3, items: [] });
    });

    it('find task instances by DAG, run, task and state', async () => {
      const { models } = get();
      const names = async (filter: object): Promise<string[]> =>
        (await models.taskInstances(filter, ALL)).items.map((row) => `${row.runId}/${row.taskId}`);
      expect(await names({ dagId: 'd', runId: 'r2' })).toEqual(['r2/first', 'r2/second', 'r2/third', 'r2/mapped']);
      expect(await names({ dagId: 'd', taskId: 'second' })).toEqual(['r2/second', 'r1/second']);
      expect(await names({ state: ['failed'] })).toEqual([]);
      expect(await models.taskInstance('d', 'r1', 'first', '')).toMatchObject({
        state: 'none',
        maxTries: 2,
        operator: 'HttpOperator',
      });
    });
  });
}

export function describeDagQueries(get: Get): void {
  describe('queries of DAGs', () => {
    beforeEach(async () => {
      const { store, models } = get();
      const history = [
        published('load_orders'),
        published('LOAD%users', true),
        published('gone'),
        { stream: 'dag-gone', type: 'DagRetired', data: { reason: 'file removed' }, at: 2 },
        { stream: 'dag-load_orders', type: 'DagPaused', data: {}, at: 3 },
      ];
      await models.settled(await appendHistory(store, history));
    });
    const dagIds = async (filter: object): Promise<string[]> =>
      (await get().models.dags(filter, ALL)).items.map((dag) => dag.dagId);

    it('leave out retired ones unless asked', async () => {
      expect(await dagIds({})).toEqual(['LOAD%users', 'load_orders']);
      expect(await dagIds({ includeRetired: true })).toEqual(['LOAD%users', 'gone', 'load_orders']);
    });

    it('filter by a part of the id, taken literally, by tag and by pause', async () => {
      expect(await dagIds({ dagIdPattern: 'load' })).toEqual(['LOAD%users', 'load_orders']);
      expect(await dagIds({ dagIdPattern: 'd_o' })).toEqual(['load_orders']);
      expect(await dagIds({ dagIdPattern: 'd%u' })).toEqual(['LOAD%users']);
      expect(await dagIds({ tag: 'nothing' })).toEqual([]);
      expect(await dagIds({ tag: 'nightly' })).toEqual(['LOAD%users', 'load_orders']);
      expect(await dagIds({ paused: true })).toEqual(['LOAD%users', 'load_orders']);
      expect(await dagIds({ paused: false })).toEqual([]);
    });

    it('tell what the definition says, and the versions', async () => {
      const { models } = get();
      expect(await models.dag('load_orders')).toMatchObject({
        owners: ['ops', 'rondo'],
        tags: ['nightly'],
        paused: true,
        version: RANDOM_VERSION,
      });
      expect(await models.dagVersions('load_orders')).toMatchObject([
        { number: 1, version: RANDOM_VERSION, bundle: 'b' },
      ]);
    });
  });
}
