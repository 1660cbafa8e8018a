import { ALERTS_SUBSCRIPTION } from '@rondo/contracts';
import type { Page, PersistentSubscriptions } from '@rondo/ports';
import { ApiUnderTest } from './api-kit.ts';

const asked: unknown[] = [];
let parked: number | undefined = 2;
const subscriptions = {
  info: async () => (parked === undefined ? undefined : { parked }),
  listParked: async (name: string, page: Page) => {
    asked.push([name, page]);
    return [
      { stream: 'dagRun-etl:manual__1:2', revision: 4, id: 'e1', type: 'RunFailed', meta: '{"prev":"","at":9}' },
      { stream: 'elsewhere', revision: 0, id: 'e2', type: 'RunFailed', meta: '{}' },
    ];
  },
  replayParked: async (name: string) => void asked.push(name),
} as Partial<PersistentSubscriptions> as PersistentSubscriptions;

describe('parked alerts over HTTP', () => {
  let api: ApiUnderTest;
  beforeAll(async () => {
    api = await ApiUnderTest.start({ subscriptions });
  });
  beforeEach(() => {
    asked.length = 0;
  });
  afterAll(() => api.stop());

  it('are listed', async () => {
    expect((await api.get('/alerts/parked?limit=5')).body).toEqual({
      items: [
        {
          ...{ id: 'e1', dagId: 'etl', runId: 'manual__1:2', stream: 'dagRun-etl:manual__1:2', revision: 4 },
          ...{ type: 'RunFailed', at: 9 },
        },
        { id: 'e2', dagId: null, runId: null, stream: 'elsewhere', revision: 0, type: 'RunFailed', at: null },
      ],
      total: 2,
    });
    expect(asked).toEqual([[ALERTS_SUBSCRIPTION, { offset: 0, limit: 5 }]]);
  });

  it('are told again', async () => {
    expect(await api.call('POST', '/alerts/parked/replay')).toMatchObject({ status: 202, body: { replayed: 2 } });
    expect(asked).toEqual([ALERTS_SUBSCRIPTION]);
    parked = 0;
    expect(await api.call('POST', '/alerts/parked/replay')).toMatchObject({ status: 202, body: { replayed: 0 } });
    expect(asked).toHaveLength(1);
  });

  it('are none where no alerting service has run', async () => {
    parked = undefined;
    expect(await api.get('/alerts/parked')).toMatchObject({
      status: 404,
      body: { detail: expect.stringContaining('no alerting service has run') as string },
    });
    expect((await api.call('POST', '/alerts/parked/replay')).status).toBe(404);
    const alone = await ApiUnderTest.start();
    expect(await alone.get('/alerts/parked')).toMatchObject({
      status: 404,
      body: { detail: expect.stringContaining('this platform has no alerting service') as string },
    });
    await alone.stop();
  });
});
