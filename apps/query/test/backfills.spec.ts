import { RANDOM_VERSION, RANDOM_VERSION_BYTES } from '@rondo/testing';
import { ApiUnderTest, type GivenEvent } from './api-kit.ts';

const scheduling = {
  ...{ timetable: { kind: 'none' }, timezone: 'UTC', catchup: false, maxActiveRuns: 16 },
  ...{ maxConsecutiveFailedDagRuns: 0, isPausedUponCreation: false },
};
const dag = (type: string, data: object, at: number): GivenEvent => ({ stream: 'dag-random', type, data, at });
const created = {
  ...{ backfillId: 1, at: 5, from: 10, to: 20, timetable: { kind: 'once' }, dates: 2 },
  ...{ maxActiveRuns: 3, reprocess: 'none' },
};
const body = { from: '2026-03-01', to: '2026-03-31T06:00:00Z' };

describe('backfills over HTTP', () => {
  let api: ApiUnderTest;
  beforeAll(async () => {
    api = await ApiUnderTest.start();
    await api.blobs.put(RANDOM_VERSION_BYTES);
    const published = { version: RANDOM_VERSION, file: 'random.ts', bundle: 'b', scheduling };
    await api.given(dag('DagVersionPublished', published, 1), dag('BackfillCreated', created, 5));
  });
  afterAll(() => api.stop());

  it('are asked of the scheduler, with dates as instants, and answered from the rows', async () => {
    api.onCommand = async () => ({ ok: true, position: await api.store.head(), result: { backfillId: 1 } });
    const answer = await api.call('POST', '/dags/random/backfills', {
      body: { ...body, only: { taskIds: ['first'], includeUpstream: true }, reverse: true, reprocess: 'failed' },
      headers: { 'idempotency-key': 'k' },
    });
    expect([answer.status, answer.body]).toMatchObject([201, { backfillId: 1, state: 'running', dates: 2 }]);
    expect(api.sent.at(-1)!.command).toEqual({
      type: 'createBackfill',
      from: Date.UTC(2026, 2, 1),
      to: Date.UTC(2026, 2, 31, 6),
      only: { taskIds: ['first'], includeUpstream: true },
      reverse: true,
      reprocess: 'failed',
      key: 'k',
    });
  });

  it('are planned page by page', async () => {
    const result = { total: 31, create: 31, clear: 0, pass: 0, items: [] };
    api.onCommand = async () => ({ ok: true, position: 1, result });
    expect((await api.call('POST', '/dags/random/backfills/dry-run?limit=5&offset=2', { body })).body).toEqual(result);
    expect(api.sent.at(-1)!.command).toMatchObject({ type: 'createBackfill', dryRun: { offset: 2, limit: 5 } });
  });

  it.each([
    [{ to: '2026-03-31' }, "field 'from'"],
    [{ ...body, from: 'soon' }, "field 'from'"],
    [{ ...body, reprocess: 'all' }, 'one of none, failed, completed'],
    [{ ...body, maxActiveRuns: 0 }, 'at least 1'],
    [{ ...body, only: { taskIds: [] } }, "field 'only.taskIds'"],
    [{ ...body, forwards: true }, 'is not known here'],
  ])('are refused with the field and what is allowed: %j', async (given, message) => {
    const before = api.sent.length;
    const { status, body: problem } = await api.call('POST', '/dags/random/backfills', { body: given });
    expect([status, problem['detail']]).toEqual([400, expect.stringContaining(message)]);
    expect(api.sent).toHaveLength(before);
  });

  it('are refused as the scheduler says', async () => {
    api.onCommand = async () => ({ ok: false, code: 'conflict', message: 'one at a time' });
    expect((await api.call('POST', '/dags/random/backfills', { body })).status).toBe(409);
    api.onCommand = async () => ({ ok: false, code: 'invalid', message: 'no schedule' });
    expect((await api.call('POST', '/dags/random/backfills', { body })).status).toBe(422);
  });

  it('are paused, go on, and are cancelled', async () => {
    for (const [verb, type] of [
      ['pause', 'pauseBackfill'],
      ['unpause', 'resumeBackfill'],
      ['cancel', 'cancelBackfill'],
    ]) {
      api.onCommand = async () => ({ ok: true, position: await api.store.head(), result: {} });
      expect((await api.call('POST', `/dags/random/backfills/1/${verb}`)).status).toBe(200);
      expect(api.sent.at(-1)!.command).toEqual({ type, backfillId: 1 });
    }
  });

  it('are listed and got, with their dates', async () => {
    expect((await api.get('/backfills?open=true')).body).toMatchObject({ total: 1, items: [{ dagId: 'random' }] });
    expect((await api.get('/dags/random/backfills?open=false')).body).toEqual({ items: [], total: 0 });
    expect((await api.get('/dags/random/backfills/1')).body).toMatchObject({
      only: null,
      reverse: false,
      endedAt: null,
    });
    expect((await api.get('/dags/random/backfills/1/dates')).body).toEqual({ items: [], total: 0 });
    for (const path of ['/dags/x/backfills', '/dags/random/backfills/2', '/dags/random/backfills/2/dates'])
      expect((await api.get(path)).status).toBe(404);
    expect((await api.get('/dags/random/backfills/first')).status).toBe(400);
  });
});
