import { RANDOM_VERSION, RANDOM_VERSION_BYTES } from '@rondo/testing';
import { ApiUnderTest } from './api-kit.ts';
import { eventsOf } from './run-events.ts';

const { published, requested, started, own } = eventsOf(RANDOM_VERSION);
const key = { taskId: 'first', mapIndex: [], tryNumber: 1, leg: 1 };
const XCOM = '/dags/random/runs/r1/tasks/first/xcoms/return_value';

describe('XComs over HTTP', () => {
  let api: ApiUnderTest;
  beforeAll(async () => {
    api = await ApiUnderTest.start();
    await api.blobs.put(RANDOM_VERSION_BYTES);
    await api.given(published('random'), requested('r1'), started('r1'));
    await api.given(own('r1', 'TaskSucceeded', { ...key, xcoms: { return_value: { value: 1 } } }, 40));
    const position = await api.given(requested('r2', 50));
    api.onCommand = async () => ({ ok: true as const, position, result: {} });
  });
  beforeEach(() => {
    api.sent.length = 0;
  });
  afterAll(() => api.stop());

  const command = () => (api.sent[0] as { command: object } | undefined)?.command;

  it('are set with a value, tagged or not', async () => {
    const value = { at: { $type: 'date', $value: '2026-01-01T00:00:00.000Z' }, rows: [1] };
    const { status, body } = await api.call('PUT', `${XCOM}?mapIndex=2.5`, { body: { value } });
    expect(status).toBe(200);
    expect(body).toMatchObject({ taskId: 'first', mapIndex: '2.5', key: 'return_value', value, blob: null });
    expect(command()).toEqual({
      ...{ type: 'changeXCom', runId: 'r1', taskId: 'first', mapIndex: '2.5', key: 'return_value' },
      value: { value },
    });
    expect(api.sent[0]).toMatchObject({ dagId: 'random', actor: { kind: 'user', name: 'local' } });
  });

  it('that are large go to the blob store (I7)', async () => {
    const value = 'x'.repeat(40_000);
    await api.call('PUT', XCOM, { body: { value } });
    const { value: stored } = command() as { value: { blob: string; bytes: number } };
    expect(stored.bytes).toBe(40_002);
    expect(JSON.parse(Buffer.from((await api.blobs.get(stored.blob))!).toString())).toBe(value);
  });

  it('with a tag that is none are refused, and a reference cannot be made up', async () => {
    for (const [value, message] of [
      [[{ $type: 'dat' }], '$type at $[0] is "dat"; allowed: date, bigint'],
      [{ $type: 'ref', $value: { backend: 'folder' } }, '$type at $ is "ref"; allowed: date, bigint'],
      [{ n: { $type: 'bigint', $value: 'many' } }, '$.n is no bigint'],
    ] as const) {
      const { status, body } = await api.call('PUT', XCOM, { body: { value } });
      expect(status).toBe(400);
      expect(body).toMatchObject({
        errors: [{ in: 'body', name: 'value', message: expect.stringContaining(message) as string }],
      });
    }
    expect(api.sent).toEqual([]);
  });

  it('are deleted where there are some', async () => {
    expect((await api.call('DELETE', XCOM)).status).toBe(204);
    expect(command()).toEqual({
      ...{ type: 'changeXCom', runId: 'r1', taskId: 'first', mapIndex: '', key: 'return_value' },
    });
    expect((await api.call('DELETE', XCOM.replace('return_value', 'nope'))).status).toBe(404);
    expect(api.sent).toHaveLength(1);
  });
});
