import { ApiUnderTest, type GivenEvent } from './api-kit.ts';

describe('workers over HTTP', () => {
  let api: ApiUnderTest;
  const said = (worker: string, type: string, data: object): GivenEvent => ({
    stream: `worker-${worker}`,
    type,
    data: { worker, at: 5, ...data },
    at: 5,
  });
  const about = { release: '1', slots: 2, queues: ['default'], labels: { zone: 'a' }, executor: 'local' };
  const joined = (worker: string, boot = 'b1') => said(worker, 'WorkerJoined', { boot, ...about });
  beforeAll(async () => {
    api = await ApiUnderTest.start();
    await api.given(
      joined('one'),
      joined('two'),
      said('two', 'WorkerLeft', { boot: 'b1', reason: 'it has left', isDone: true }),
      joined('three'),
      said('three', 'WorkerLeft', { boot: 'b1', reason: 'nothing was heard of it for the lease', isDone: false }),
    );
  });
  afterAll(() => api.stop());

  it('are listed, those that have left only on request', async () => {
    const { body } = await api.get<{ readonly items: readonly { readonly name: string }[]; readonly total: number }>(
      '/workers',
    );
    expect(body).toMatchObject({
      total: 2,
      items: [
        { name: 'one', state: 'active', boot: 'b1', slots: 2, running: 0, labels: { zone: 'a' }, drainingSince: null },
        { name: 'three', state: 'lost', leftAt: 5, reason: 'nothing was heard of it for the lease' },
      ],
    });
    expect((await api.get('/workers?includeLeft=true&offset=2')).body).toMatchObject({
      total: 3,
      items: [{ name: 'two', state: 'left' }],
    });
    expect((await api.get('/workers?left=true')).status).toBe(400);
  });

  it('are drained, the process that is named alone', async () => {
    const { status, body } = await api.call('POST', '/workers/one/drain', { body: { boot: 'b0' } });
    expect([status, body.detail]).toEqual([409, "worker 'one' is another process by now: boot b1, not b0"]);
    expect(await api.call('POST', '/workers/one/drain', { body: { boot: 'b1' } })).toMatchObject({
      status: 200,
      body: { name: 'one', state: 'draining', drainingSince: expect.any(Number) as number },
    });
    expect((await api.call('POST', '/workers/one/drain')).status).toBe(200);
    expect((await api.call('POST', '/workers/two/drain')).status).toBe(409);
    expect((await api.call('POST', '/workers/three/drain')).status).toBe(409);
    expect(await api.call('POST', '/workers/none/drain')).toMatchObject({
      status: 404,
      body: { detail: "there is no worker 'none'" },
    });
    expect((await api.call('POST', '/workers/one/drain', { body: { process: 'b1' } })).status).toBe(400);
  });
});
