import { RANDOM_VERSION, RANDOM_VERSION_BYTES } from '@rondo/testing';
import { ApiUnderTest } from './api-kit.ts';
import { eventsOf, firstTry } from './run-events.ts';

const { published, requested, own, started } = eventsOf(RANDOM_VERSION);
const key = firstTry;

describe('runs and task instances over HTTP', () => {
  let api: ApiUnderTest;
  let end: number;
  beforeAll(async () => {
    api = await ApiUnderTest.start();
    await api.blobs.put(RANDOM_VERSION_BYTES);
    end = await api.given(
      published('random'),
      requested('r1'),
      requested('r2', 11),
      started('r1'),
      own('r1', 'TaskScheduled', key, 30),
      own('r1', 'TaskQueued', { ...key, executor: 'local', worker: 'w' }, 31),
      own('r1', 'TaskStarted', { ...key, pid: 7 }, 32),
      own('r1', 'TaskRetryScheduled', { ...key, error: { kind: 'exception', message: 'boom' }, retryAt: 99 }, 33),
      own('r1', 'TaskScheduled', { ...key, tryNumber: 2 }, 34),
      own('r1', 'TaskStarted', { ...key, tryNumber: 2, pid: 8 }, 35),
      own(
        'r1',
        'TaskSucceeded',
        { ...key, tryNumber: 2, xcoms: { return_value: { value: 5 } }, rendered: { command: 'ls' } },
        36,
      ),
    );
  });
  afterAll(() => api.stop());

  it('lists runs in pages, with the position that the answer includes', async () => {
    const { status, body, headers } = await api.get('/dags/random/runs?limit=1');
    expect(status).toBe(200);
    expect(body).toMatchObject({ total: 2, items: [{ runId: 'r2', state: 'queued' }] });
    expect(Number(headers.get('rondo-position'))).toBeGreaterThanOrEqual(end);
    expect((await api.get('/runs?state=running,failed&state=success')).body).toMatchObject({
      total: 1,
      items: [{ runId: 'r1' }],
    });
    expect((await api.get('/runs?runAfterGte=1970-01-01T00:00:00.011Z')).body).toMatchObject({
      total: 1,
      items: [{ runId: 'r2' }],
    });
  });

  it('answers a run, its task instances, tries, XComs and rendered fields', async () => {
    expect((await api.get('/dags/random/runs/r1')).body).toMatchObject({ state: 'running', startedAt: 20, conf: {} });
    expect((await api.get('/dags/random/runs/r1/tasks?state=success')).body).toMatchObject({
      total: 1,
      items: [{ taskId: 'first', tryNumber: 2 }],
    });
    const task = '/dags/random/runs/r1/tasks/first';
    expect((await api.get(task)).body).toMatchObject({ state: 'success', pid: 8, endedAt: 36 });
    expect((await api.get(`${task}/tries`)).body).toMatchObject({
      total: 2,
      items: [
        { tryNumber: 1, state: 'failed', error: { message: 'boom' } },
        { tryNumber: 2, state: 'success' },
      ],
    });
    expect((await api.get(`${task}/xcoms`)).body).toMatchObject({ items: [{ key: 'return_value', value: 5 }] });
    expect((await api.get(`${task}/xcoms/return_value`)).body).toMatchObject({ value: 5 });
    expect((await api.get('/dags/random/runs/r1/xcoms')).body).toMatchObject({ total: 1 });
    expect((await api.get('/dags/random/runs/r1/xcoms?taskId=second')).body).toMatchObject({ total: 0 });
    expect((await api.get(`${task}/rendered`)).body).toMatchObject({ tryNumber: 2, fields: { command: 'ls' } });
    expect((await api.get('/task-instances?dagId=random&taskId=second')).body).toMatchObject({
      total: 1,
      items: [{ state: 'none' }],
    });
  });

  it('answers a large XCom with its value', async () => {
    const blob = await api.blobs.put(Buffer.from(JSON.stringify({ big: true })));
    await api.given(
      requested('blob', 1),
      started('blob', 2),
      own('blob', 'TaskSucceeded', { ...key, xcoms: { big: { blob, bytes: 12 } } }, 3),
    );
    const task = '/dags/random/runs/blob/tasks/first';
    expect((await api.get(`${task}/xcoms`)).body).toMatchObject({ items: [{ key: 'big', value: null, blob }] });
    expect((await api.get(`${task}/xcoms/big`)).body).toMatchObject({ value: { big: true }, blob });
  });

  it('answers as of a position, and as of a time', async () => {
    const positions: number[] = [];
    for await (const page of api.store.readAll(0))
      for (const event of page) if (event.stream === 'dagRun-random:r1') positions.push(event.position);
    const task = `/dags/random/runs/r1/tasks/first?asOf=`;
    const states = [];
    for (const position of positions) states.push((await api.get(task + position)).body['state']);
    expect(states).toEqual([
      'none',
      'scheduled',
      'queued',
      'running',
      'up_for_retry',
      'scheduled',
      'running',
      'success',
    ]);
    expect((await api.get(task + positions[3])).headers.get('rondo-position')).toBe(String(positions[3]));
    expect((await api.get(`/dags/random/runs/r1/tasks/first/tries?asOf=${positions[3]}`)).body).toMatchObject({
      total: 1,
      items: [{ tryNumber: 1, state: 'running' }],
    });
    expect(
      (await api.get(`/dags/random/runs/r1?asOf=${new Date(Date.now() + 60_000).toISOString()}`)).body,
    ).toMatchObject({ state: 'running' });
    const before = await api.get('/dags/random/runs/r1?asOf=2001-01-01');
    expect(before).toMatchObject({ status: 404, body: { detail: "DAG 'random' has no run 'r1' as of position 0" } });
    const runs = await api.get(`/dags/random/runs?asOf=${positions[0]}`);
    expect(runs.body).toMatchObject({
      total: 2,
      items: [
        { runId: 'r2', state: 'queued' },
        { runId: 'r1', state: 'running' },
      ],
    });
  });

  it('pages through the history of a run', async () => {
    const { body } = await api.get<{ total: number; items: { type: string }[] }>('/dags/random/runs/r1/events?limit=3');
    expect(body.items.map((event) => event.type)).toEqual(['RunRequested', 'RunStarted', 'TaskScheduled']);
    expect(body.total).toBe(9);
    expect((await api.get('/dags/random/runs/r1/events?limit=1&offset=8')).body).toMatchObject({
      items: [{ type: 'TaskSucceeded', data: { taskId: 'first' }, meta: { at: 36 } }],
    });
    expect((await api.get('/dags/random/runs/none/events')).status).toBe(404);
  });

  it('waits for the position that a read asks for', async () => {
    const head = await api.store.head();
    const waiting = api.get(`/dags/random/runs/late?after=${head + 1}`);
    await api.given(requested('late', 5));
    expect((await waiting).body).toMatchObject({ runId: 'late' });
  });
});
