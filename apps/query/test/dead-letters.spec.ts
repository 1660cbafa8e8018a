import { BusUnavailableError, type DeadLetter, type DeadLetterQuery, type DeadLetters } from '@rondo/ports';
import { ApiUnderTest } from './api-kit.ts';

const letter = (id: number, change: Partial<DeadLetter> = {}): DeadLetter => ({
  ...{ id, topic: 'rondo.sensor.events', partition: 3, offset: 70 + id, key: 'k'.repeat(300), size: 32 },
  ...{ reason: 'it is not JSON from position 31 on', at: 5, replayed: undefined },
  ...change,
});
const seen = { ...letter(1), key: 'k'.repeat(200), replayedAt: null, replayedBy: null };
delete (seen as { replayed?: unknown }).replayed;

describe('dead letters over HTTP', () => {
  let api: ApiUnderTest;
  let asked: DeadLetterQuery[] = [];
  const replays: unknown[] = [];
  let isAway = false;
  const letters: DeadLetters = {
    list: async (query) => {
      if (isAway) throw new BusUnavailableError('the brokers have not answered within 15 seconds');
      asked.push(query);
      return { items: [letter(1), letter(2, { replayed: { at: 9, by: 'user:ada' } })], next: 7 };
    },
    find: async (id) =>
      id === 1 ? { letter: letter(1), head: Buffer.from('{"type":"a","data":{"key":"hunter') } : undefined,
    replay: async (ids, by) => {
      replays.push([ids, by]);
      if (ids.includes(9)) return { ok: false, error: { unknown: [9], replayed: [2] } };
      if (ids.includes(2)) return { ok: false, error: { unknown: [], replayed: [2] } };
      return { ok: true, value: ids.length };
    },
    replayAll: async (of, by) => (replays.push([of, by]), 12),
  };
  beforeAll(async () => {
    api = await ApiUnderTest.start({ deadLetters: letters });
  });
  beforeEach(() => {
    asked = [];
    replays.length = 0;
  });
  afterAll(() => api.stop());
  const replay = (body: object) => api.call('POST', '/dead-letters/replay', { body });

  it('are listed page by page', async () => {
    const { body } = await api.get('/dead-letters?topic=rondo.sensor.events&replayed=false&from=1&limit=2');
    expect(body).toMatchObject({ items: [seen, { id: 2, replayedAt: 9, replayedBy: 'user:ada' }], next: 7 });
    expect(asked).toEqual([{ topic: 'rondo.sensor.events', replayed: false, from: 1, limit: 2 }]);
    expect((await api.get('/dead-letters?limit=0')).status).toBe(400);
  });

  it('are shown with their outline, and not with what they say', async () => {
    const { body } = await api.get('/dead-letters/1');
    expect(body).toEqual({ ...seen, outline: '{"type":"…","data":{"key":…' });
    expect(await api.get('/dead-letters/3')).toMatchObject({
      status: 404,
      body: { detail: 'there is no dead letter 3' },
    });
    expect((await api.get('/dead-letters/one')).status).toBe(400);
  });

  it('are replayed: those that are named, or all', async () => {
    expect(await replay({ ids: [1, 3] })).toMatchObject({ status: 200, body: { replayed: 2 } });
    expect(await replay({ all: true, topic: 'a' })).toMatchObject({ status: 200, body: { replayed: 12 } });
    expect(await replay({ all: true })).toMatchObject({ status: 200 });
    expect(replays).toEqual([
      [[1, 3], 'user:local'],
      [{ topic: 'a' }, 'user:local'],
      [{}, 'user:local'],
    ]);
  });

  it('are not replayed when one is not there, or was replayed before', async () => {
    expect(await replay({ ids: [9, 2] })).toMatchObject({
      status: 404,
      body: { detail: 'no dead letter has the number 9: nothing was replayed' },
    });
    expect(await replay({ ids: [2] })).toMatchObject({
      status: 409,
      body: { detail: 'replayed before: 2; nothing was replayed now' },
    });
    for (const body of [{}, { ids: [] }, { all: false }, { ids: [1], all: true }])
      expect((await replay(body)).status).toBe(400);
    expect(replays).toHaveLength(2);
  });

  it('cannot be told of while the brokers are away', async () => {
    isAway = true;
    expect(await api.get('/dead-letters')).toMatchObject({
      status: 503,
      body: { detail: 'the brokers have not answered within 15 seconds' },
    });
  });
});
