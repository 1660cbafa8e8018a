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

describe('dead letters', () => {
  const letter = {
    ...{ id: 4, topic: 'rondo.sensor.events', partition: 3, offset: 70, key: 'k', size: 32, at: 0 },
    ...{ reason: 'it is not UTF-8', replayedAt: null, replayedBy: null },
  };

  it('are listed, and shown', async () => {
    const done = { ...letter, id: 5, replayedAt: 60_000, replayedBy: 'user:ada' };
    api
      .on('GET /dead-letters', { body: { items: [letter, done], next: 6 } })
      .on('GET /dead-letters/4', { body: { ...letter, outline: '{"type":"…"' } });
    const { out, err } = await call('dead-letters', 'list');
    expect(rowsOf(out)).toEqual([
      ['4', 'rondo.sensor.events', '3:70', 'k', '32', '1970-01-01 00:00:00Z', '-', 'it is not UTF-8'],
      [
        ...['5', 'rondo.sensor.events', '3:70', 'k', '32', '1970-01-01 00:00:00Z'],
        ...['1970-01-01 00:01:00Z by user:ada', 'it is not UTF-8'],
      ],
    ]);
    expect(err).toBe('there are more: --from 6\n');
    await call('dead-letters', 'list', '--topic', 'a', '--waiting', '--from', '6', '--limit', '2');
    expect(api.received.map(({ query }) => query)).toEqual([
      { limit: '100' },
      { topic: 'a', replayed: 'false', from: '6', limit: '2' },
    ]);
    expect((await call('dead-letters', 'show', '4')).out).toContain('{"type":"…"');
    expect(await call('dead-letters', 'show', 'four')).toMatchObject({ code: 2 });
  });

  it('are replayed: those that are named, or all', async () => {
    api.on('POST /dead-letters/replay', { body: { replayed: 2 } });
    expect((await call('dead-letters', 'replay', '4', '5')).out).toBe('2 messages were sent again\n');
    await call('dead-letters', 'replay', '--all');
    await call('dead-letters', 'replay', '--all', '--topic', 'a');
    expect(api.received.map(({ body }) => body)).toEqual([{ ids: [4, 5] }, { all: true }, { all: true, topic: 'a' }]);
    for (const args of [[], ['4', '--all'], ['4', '--topic', 'a'], ['x']])
      expect(await call('dead-letters', 'replay', ...args)).toMatchObject({ code: 2 });
  });
});

describe('alerts that could not be told', () => {
  it('are listed, and told again', async () => {
    const alert = {
      id: 'e',
      dagId: 'etl',
      runId: 'r1',
      stream: 'dagRun-etl:r1',
      revision: 4,
      type: 'RunFailed',
      at: 0,
    };
    api
      .on('GET /alerts/parked', { body: { items: [alert], total: 3 } })
      .on('POST /alerts/parked/replay', { body: { replayed: 3 } });
    const { out, err } = await call('alerts', 'parked', 'list');
    expect(rowsOf(out)).toEqual([['etl', 'r1', 'RunFailed', '1970-01-01 00:00:00Z', 'dagRun-etl:r1', '4']]);
    expect(err).toBe('these are the first 1 of 3\n');
    expect((await call('alerts', 'parked', 'replay')).out).toBe('3 alerts are told again\n');
  });
});
