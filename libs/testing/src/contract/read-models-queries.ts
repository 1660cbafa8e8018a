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

/** A run with one task instance that has succeeded. */
function ran(dagId: string, runId: string, at: number, logicalDate: number | null, left: object = {}): HistoryEvent[] {
  const interval = logicalDate === null ? {} : { dataInterval: [logicalDate, logicalDate + 10] };
  const key = { taskId: 'first', mapIndex: [], tryNumber: 1, leg: 1 };
  const own = (type: string, data: object, when: number): HistoryEvent => ({
    stream: `dagRun-${dagId}:${runId}`,
    type,
    data: { at: when, ...data },
    at: when,
  });
  return [
    requested(dagId, runId, at, { logicalDate, ...interval }),
    started(dagId, runId, at + 1),
    own('TaskSucceeded', { ...key, ...left }, at + 2),
  ];
}

const ended = (dagId: string, runId: string, type: 'RunSucceeded' | 'RunFailed', at: number): HistoryEvent => ({
  stream: `dagRun-${dagId}:${runId}`,
  type,
  data: { at, reason: 'because' },
  at,
});

export function describeEarlierRuns(get: Get): void {
  describe('queries of what was before', () => {
    const value = (n: number) => ({ xcoms: { return_value: { value: n } } });
    beforeEach(async () => {
      const { store, models } = get();
      const history = [
        published('d'),
        published('e'),
        ...ran('d', 'second', 20, 2_000, value(2)),
        ended('d', 'second', 'RunSucceeded', 29),
        ...ran('d', 'first', 30, 1_000, value(1)),
        ended('d', 'first', 'RunSucceeded', 39),
        ...ran('d', 'third', 40, 3_000),
        ended('d', 'third', 'RunFailed', 49),
        ...ran('d', 'fourth', 50, 4_000),
        ...ran('d', 'undated', 2_500, null, value(9)),
        ...ran('e', 'other', 60, 3_500, value(5)),
        ended('e', 'other', 'RunSucceeded', 69),
      ];
      await models.settled(await appendHistory(store, history));
    });

    it('find the last success before a run, by logical date', async () => {
      const { models } = get();
      const before = async (runId: string) => (await models.previousSuccess('d', runId))?.runId;
      expect(await before('fourth')).toBe('second');
      expect(await before('second')).toBe('first');
      expect(await before('first')).toBeUndefined();
      expect(await before('undated')).toBeUndefined();
      expect(await before('nope')).toBeUndefined();
      expect(await models.previousSuccess('d', 'fourth')).toMatchObject({
        dataIntervalStart: 2_000,
        dataIntervalEnd: 2_010,
        startedAt: 21,
        endedAt: 29,
      });
    });

    it('find the XCom of the last run that has one, this run first', async () => {
      const { models } = get();
      const found = async (runId: string, change: object = {}) =>
        (await models.priorXCom('d', runId, { taskId: 'first', mapIndex: '', key: 'return_value', ...change }))?.value;
      expect(await found('second')).toBe(2);
      expect(await found('first')).toBe(1);
      // A run without a date counts by when it could begin.
      expect(await found('fourth')).toBe(9);
      expect(await found('undated')).toBe(9);
      expect(await found('fourth', { key: 'other' })).toBeUndefined();
      expect(await found('fourth', { mapIndex: '3' })).toBeUndefined();
    });

    it('find the XComs of a run in pages, of all tasks or of one', async () => {
      const { models } = get();
      const page = (offset: number, query: object = {}) =>
        models.xcomsUnder('d', 'second', { under: '', ...query }, { offset, limit: 1 });
      expect(await page(0)).toMatchObject({ total: 1, items: [{ taskId: 'first', key: 'return_value', value: 2 }] });
      expect(await page(1)).toEqual({ total: 1, items: [] });
      expect(await page(0, { taskId: 'second' })).toEqual({ total: 0, items: [] });
      expect(await page(0, { taskId: 'first', key: 'return_value' })).toMatchObject({ total: 1 });
    });

    it('have the rendered fields of the last 30 runs of a DAG', async () => {
      const { store, models } = get();
      const of = (dagId: string, n: number) =>
        ran(dagId, `r${n}`, 100 + n, null, { rendered: { command: `echo ${n}` } });
      const runs = Array.from({ length: 32 }, (_, n) => [...of('d', n), ...(n < 2 ? of('e', n) : [])]);
      for (const run of runs) await models.settled(await appendHistory(store, run));
      const kept = async (dagId: string, n: number) =>
        (await models.renderedFields(dagId, `r${n}`, 'first', '', 1))?.fields['command'];
      expect([await kept('d', 0), await kept('d', 1), await kept('d', 2)]).toEqual([undefined, undefined, 'echo 2']);
      expect([await kept('d', 31), await kept('e', 0)]).toEqual(['echo 31', 'echo 0']);
    });
  });
}

const instanceEnded = (mapIndex: readonly number[], name: string, value?: number): HistoryEvent[] => {
  const key = { taskId: 'mapped', mapIndex, tryNumber: 1, leg: 1, at: 50 };
  const xcoms = value === undefined ? {} : { xcoms: { return_value: { value }, other: { value: -value } } };
  const events = [
    { type: 'TaskScheduled', data: key },
    { type: 'TaskSucceeded', data: { ...key, ...xcoms, name } },
  ];
  return events.map((event) => ({ ...event, stream: 'dagRun-d:r1', at: 50 }));
};

export function describeMappedQueries(get: Get): void {
  describe('queries of mapped instances', () => {
    beforeEach(async () => {
      const { store, models } = get();
      const history = [
        published('d'),
        requested('d', 'r1', 10),
        started('d', 'r1', 40),
        ...instanceEnded([10], 'Ten', 10),
        ...instanceEnded([2, 5], 'two, five', 25),
        ...instanceEnded([2, 11], 'two, 11', 211),
        ...instanceEnded([2, 3], 'nothing%'),
        ...instanceEnded([20], 'twenty', 20),
        ...instanceEnded([1], 'one', 1),
      ];
      await models.settled(await appendHistory(store, history));
    });
    const xcoms = async (under: string, page = ALL as { offset: number; limit: number }) => {
      const query = { taskId: 'mapped', key: 'return_value', under };
      const { items, total } = await get().models.xcomsUnder('d', 'r1', query, page);
      return { values: items.map((row) => row.value), total };
    };
    const instances = async (filter: object): Promise<string[]> =>
      (await get().models.taskInstances({ taskId: 'mapped', ...filter }, ALL)).items.map((row) => row.mapIndex);

    it('give the XComs of one key in the order of map indexes, in pages, those without one left out', async () => {
      expect(await xcoms('')).toEqual({ values: [1, 25, 211, 10, 20], total: 5 });
      expect(await xcoms('', { offset: 1, limit: 2 })).toEqual({ values: [25, 211], total: 5 });
      expect(await xcoms('', { offset: 9, limit: 2 })).toEqual({ values: [], total: 5 });
    });

    it('give those under a map index, element by element', async () => {
      expect(await xcoms('2')).toEqual({ values: [25, 211], total: 2 });
      expect(await xcoms('2.5')).toEqual({ values: [25], total: 1 });
      expect(await xcoms('3')).toEqual({ values: [], total: 0 });
      expect(await instances({ under: '2' })).toEqual(['2.3', '2.5', '2.11']);
    });

    it('list instances in the order of map indexes, and find them by name', async () => {
      expect((await instances({})).filter((index) => index !== '')).toEqual(['1', '2.3', '2.5', '2.11', '10', '20']);
      expect(await instances({ name: 'TW' })).toEqual(['2.5', '2.11', '20']);
      expect(await instances({ name: '%' })).toEqual(['2.3']);
      expect(await get().models.taskInstance('d', 'r1', 'mapped', '10')).toMatchObject({ mapIndexName: 'Ten' });
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
