import { appendHistory, type ReadModelsFixture } from './read-models-kit.ts';

const ALL = { offset: 0, limit: 1000 } as const;

const RUN = {
  runType: 'manual',
  logicalDate: null,
  dataInterval: null,
  runAfter: 1,
  triggeredBy: 'user',
} as const;

/** What tasks ask of people. */
export function describeApprovalQueries(get: () => ReadModelsFixture): void {
  describe('queries of approvals', () => {
    it('tell open questions from those that were answered, in time or not, and those that are void', async () => {
      const { store, models } = get();
      const attempt = { taskId: 't', mapIndex: [], tryNumber: 1, leg: 1 };
      const wait = { kind: 'approval', subject: 'Ship?', options: ['Yes', 'No'], multiple: false };
      const response = { chosenOptions: ['Yes'], params: {}, respondedBy: 'ada', respondedAt: 4, timedOut: false };
      const asked = (runId: string, at: number, more: object = {}) => [
        { stream: 'dag-d', type: 'RunRequested', data: { ...RUN, runId }, at },
        {
          stream: `dagRun-d:${runId}`,
          type: 'RunStarted',
          data: { ...RUN, runId, dagId: 'd', version: '0'.repeat(64), at },
          at,
        },
        { stream: `dagRun-d:${runId}`, type: 'TaskScheduled', data: { ...attempt, at }, at },
        {
          stream: `dagRun-d:${runId}`,
          type: 'TaskDeferred',
          data: { ...attempt, at, waitFor: { ...wait, ...more } },
          at,
        },
      ];
      const answered = (runId: string, more: object = {}) => ({
        stream: `dagRun-d:${runId}`,
        type: 'ApprovalResponded',
        data: { ...attempt, at: 4, response: { ...response, ...more } },
        at: 4,
      });
      const history = [
        ...asked('open', 5, { assignees: ['ada'] }),
        ...[...asked('done', 4), answered('done')],
        ...[...asked('late', 3), answered('late', { respondedBy: null, timedOut: true })],
        ...asked('void', 2),
      ];
      const cleared = { at: 9, instances: [{ taskId: 't', mapIndex: [] }] };
      const clear = { stream: 'dagRun-d:void', type: 'TaskCleared', data: cleared, at: 9 };
      await models.settled(await appendHistory(store, [...history, clear]));
      const statesOf = async (filter: Parameters<typeof models.approvals>[0]) =>
        (await models.approvals(filter, ALL)).items.map(({ runId, state }) => `${runId} ${state}`);
      const all = ['open open', 'done answered', 'late timed_out', 'void closed'];
      expect(await statesOf({})).toEqual(all);
      expect(await statesOf({ state: ['answered', 'closed'] })).toEqual([all[1], all[3]]);
      expect(await statesOf({ assignee: 'bob' })).toEqual(all.slice(1));
      expect(await statesOf({ dagId: 'd', runId: 'done', taskId: 't', mapIndex: '' })).toEqual([all[1]]);
      const page = await models.approvals({}, { offset: 1, limit: 1 });
      expect(page).toMatchObject({ total: 4, items: [{ runId: 'done', subject: 'Ship?', response, askedAt: 4 }] });
    });
  });
}
