import { RANDOM_VERSION, type HistoryEvent } from '../random-history.ts';
import { appendHistory, type ReadModelsFixture } from './read-models-kit.ts';

const ALL = { offset: 0, limit: 100 } as const;

const dag = (dagId: string, type: string, data: object, at: number): HistoryEvent => ({
  ...{ stream: `dag-${dagId}`, type, data, at },
});

function created(dagId: string, backfillId: number, at: number, more: object = {}): HistoryEvent {
  const data = {
    ...{
      backfillId,
      at,
      from: 10,
      to: 40,
      timetable: { kind: 'once' },
      dates: 3,
      maxActiveRuns: 2,
      reprocess: 'failed',
    },
    ...more,
  };
  return dag(dagId, 'BackfillCreated', data, at);
}

const requested = (runId: string, at: number, more: object): HistoryEvent =>
  dag('d', 'RunRequested', { runId, dataInterval: null, runAfter: at, triggeredBy: 'x', ...more }, at);

/** Two backfills of `d`, one of `e`; the first of `d` has a date of each kind. */
const HISTORY: readonly HistoryEvent[] = [
  created('d', 1, 5, { reverse: true, conf: { n: 1 }, only: ['a'], runOnLatestVersion: true }),
  created('e', 1, 6),
  requested('old', 7, { runType: 'manual', logicalDate: 20 }),
  dag('d', 'RunAdmitted', { runId: 'old', version: RANDOM_VERSION }, 8),
  dag('d', 'RunClosed', { runId: 'old', state: 'failed' }, 9),
  requested('b1', 10, { runType: 'backfill', logicalDate: 30, backfill: { backfillId: 1, ordinal: 1 } }),
  dag('d', 'RunReopened', { runId: 'old', logicalDate: 20, backfill: { backfillId: 1, ordinal: 2 } }, 11),
  dag(
    'd',
    'BackfillDatesPassed',
    { backfillId: 1, dates: [{ ordinal: 3, logicalDate: 10, reason: 'already exists', runId: 'mine' }] },
    12,
  ),
  dag('d', 'BackfillCompleted', { backfillId: 1 }, 13),
  created('d', 2, 14),
  dag('d', 'BackfillPaused', { backfillId: 2 }, 15),
];

export function describeBackfillQueries(get: () => ReadModelsFixture): void {
  describe('queries of backfills', () => {
    beforeEach(async () => {
      const { store, models } = get();
      await models.settled(await appendHistory(store, HISTORY));
    });

    it('tell how far each has come', async () => {
      const { models } = get();
      expect(await models.backfill('d', 1)).toEqual({
        ...{ dagId: 'd', backfillId: 1, state: 'completed', from: 10, to: 40, reverse: true, reprocess: 'failed' },
        ...{ maxActiveRuns: 2, runOnLatestVersion: true, conf: { n: 1 }, only: ['a'] },
        ...{ dates: 3, created: 1, cleared: 1, passed: 1, createdAt: 5, endedAt: 13 },
      });
      expect(await models.backfill('d', 2)).toMatchObject({ state: 'paused', only: null, conf: {}, endedAt: null });
      expect(await models.backfill('d', 3)).toBeUndefined();
    });

    it('are listed with the newest first, of a DAG, and by whether they are over', async () => {
      const ids = async (filter: { dagId?: string; open?: boolean }): Promise<string[]> =>
        (await get().models.backfills(filter, ALL)).items.map((row) => `${row.dagId}${row.backfillId}`);
      expect(await ids({})).toEqual(['d2', 'e1', 'd1']);
      expect(await ids({ dagId: 'd' })).toEqual(['d2', 'd1']);
      expect(await ids({ open: true })).toEqual(['d2', 'e1']);
      expect(await ids({ open: false })).toEqual(['d1']);
      expect(await get().models.backfills({}, { offset: 1, limit: 1 })).toMatchObject({
        total: 3,
        items: [{ dagId: 'e' }],
      });
    });

    it('list the dates that were taken, in their order', async () => {
      const { items, total } = await get().models.backfillDates('d', 1, ALL);
      expect(total).toBe(3);
      expect(
        items.map(({ ordinal, logicalDate, runId, action, reason }) => [ordinal, logicalDate, runId, action, reason]),
      ).toEqual([
        [1, 30, 'b1', 'create', null],
        [2, 20, 'old', 'clear', null],
        [3, 10, 'mine', 'pass', 'already exists'],
      ]);
      expect(await get().models.backfillDates('e', 1, ALL)).toEqual({ items: [], total: 0 });
    });

    it('know the runs of a backfill, those that it runs again as well', async () => {
      const runs = await get().models.runs({ dagId: 'd', backfillId: 1, orderBy: 'runId' }, ALL);
      expect(runs.items.map((run) => [run.runId, run.runType, run.state, run.backfillId])).toEqual([
        ['b1', 'backfill', 'queued', 1],
        ['old', 'backfill', 'queued', 1],
      ]);
    });

    it('are the same when rows are made anew', async () => {
      const before = await get().models.backfills({}, ALL);
      const dates = await get().models.backfillDates('d', 1, ALL);
      const again = await get().reopen('dropped');
      await again.settled(await get().store.head());
      expect(await again.backfills({}, ALL)).toEqual(before);
      expect(await again.backfillDates('d', 1, ALL)).toEqual(dates);
    });
  });
}
