import { FakeApi, rondo, rowsOf } from './fake-api.ts';

let api: FakeApi;
beforeEach(async () => {
  api = await FakeApi.start();
});
afterEach(() => api.stop());

const call = (...args: string[]) => rondo([...args, '--url', api.url]);
const worker = {
  ...{ name: 'w1', state: 'active', boot: 'b1', release: '1.2.0', executor: 'local', queues: ['default', 'gpu'] },
  ...{ labels: { zone: 'a' }, slots: 4, running: 2, joinedAt: 0, drainingSince: null, leftAt: null, reason: null },
};

describe('workers', () => {
  it('are listed', async () => {
    const gone = { ...worker, name: 'w2', state: 'lost', labels: {}, running: 0, leftAt: 60_000, reason: 'silence' };
    api.on('GET /workers', { body: { items: [worker, gone], total: 2 } });
    expect(rowsOf((await call('workers', 'list')).out)).toEqual([
      ['w1', 'active', '2', '4', 'default, gpu', 'local', '1.2.0', 'zone=a', '1970-01-01 00:00:00Z', '-'],
      ['w2', 'lost', '0', '4', 'default, gpu', 'local', '1.2.0', '-', '1970-01-01 00:01:00Z', 'silence'],
    ]);
    await call('workers', 'list', '--all');
    expect(api.received.map(({ query }) => query['includeLeft'])).toEqual([undefined, 'true']);
  });

  it('are drained', async () => {
    api.on('POST /workers/w1/drain', { body: { ...worker, state: 'draining' } });
    expect((await call('workers', 'drain', 'w1')).out).toBe(
      'worker w1 takes nothing new; it leaves when 2 running attempts have ended\n',
    );
    await call('workers', 'drain', 'w1', '--boot', 'b1');
    expect(api.received.map(({ body }) => body)).toEqual([{}, { boot: 'b1' }]);
    expect(await call('workers', 'drain', 'none')).toMatchObject({ code: 1 });
  });
});
