import { RANDOM_DAG_VERSION, RANDOM_VERSION, type HistoryEvent } from '@rondo/testing';
import { ApiUnderTest } from './api-kit.ts';

const published = (dagId: string): HistoryEvent => ({
  stream: `dag-${dagId}`,
  type: 'DagVersionPublished',
  data: {
    version: RANDOM_VERSION,
    file: 'random.ts',
    bundle: 'b'.repeat(64),
    scheduling: {
      timetable: { kind: 'none' },
      timezone: 'UTC',
      catchup: false,
      maxActiveRuns: 16,
      maxConsecutiveFailedDagRuns: 0,
      isPausedUponCreation: false,
    },
  },
  at: 1,
});
const facts = (runId: string, runAfter = 10) => ({
  runId,
  runType: 'manual',
  logicalDate: null,
  dataInterval: null,
  runAfter,
  triggeredBy: 'user',
});
const requested = (runId: string, runAfter = 10): HistoryEvent => ({
  stream: 'dag-random',
  type: 'RunRequested',
  data: facts(runId, runAfter),
  at: runAfter,
});
const own = (runId: string, type: string, data: object, at: number): HistoryEvent => ({
  stream: `dagRun-random:${runId}`,
  type,
  data: { ...data, at },
  at,
});
const started = (runId: string, at = 20): HistoryEvent =>
  own(runId, 'RunStarted', { ...facts(runId), dagId: 'random', version: RANDOM_VERSION }, at);
const key = { taskId: 'first', mapIndex: [], tryNumber: 1, leg: 1 };

describe('runs and task instances over HTTP', () => {
  let api: ApiUnderTest;
  let end: number;
  beforeAll(async () => {
    api = await ApiUnderTest.start();
    await api.blobs.put(Buffer.from(JSON.stringify(RANDOM_DAG_VERSION)));
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

  describe('commands', () => {
    beforeEach(() => {
      api.sent.length = 0;
    });

    const accept = (runId: string) => async () => {
      const position = await api.given(requested(runId, 50));
      return { ok: true as const, position, result: { dagId: 'random', runId, existed: false } };
    };

    it('triggers a run with its conf and answers it', async () => {
      api.onCommand = accept('mine');
      const body = { runId: 'mine', conf: { a: 1 }, logicalDate: '2026-01-02T00:00:00Z', note: 'n' };
      const {
        status,
        body: run,
        headers,
      } = await api.call('POST', '/dags/random/runs', { body, headers: { 'idempotency-key': 'k1' } });
      expect(status).toBe(201);
      expect(run).toMatchObject({ runId: 'mine', state: 'queued' });
      expect(Number(headers.get('rondo-position'))).toBeGreaterThan(0);
      expect(api.sent).toEqual([
        {
          dagId: 'random',
          actor: { kind: 'user', name: 'local' },
          command: {
            type: 'triggerRun',
            runType: 'manual',
            triggeredBy: 'user',
            runId: 'mine',
            conf: { a: 1 },
            logicalDate: Date.UTC(2026, 0, 2),
            note: 'n',
            key: 'k1',
          },
        },
      ]);
    });

    it('carries a POST with an Idempotency-Key out once', async () => {
      api.onCommand = accept('once');
      const request = { body: { runId: 'once' }, headers: { 'idempotency-key': 'k2' } };
      const [first, second] = await Promise.all([
        api.call('POST', '/dags/random/runs', request),
        api.call('POST', '/dags/random/runs', request),
      ]);
      expect(first.body).toEqual(second.body);
      expect(api.sent).toHaveLength(1);
      const other = await api.call('POST', '/dags/random/runs', {
        body: { runId: 'other' },
        headers: { 'idempotency-key': 'k2' },
      });
      expect(other).toMatchObject({ status: 422, body: { title: 'Key used before' } });
    });

    it.each([
      ['conflict', 409],
      ['not_found', 404],
      ['invalid', 422],
      ['retired', 409],
      ['quarantined', 409],
      ['unavailable', 503],
    ] as const)('answers the refusal %s with %i', async (code, status) => {
      api.onCommand = async () => ({ ok: false, code, message: `because ${code}` });
      const answer = await api.call('POST', '/dags/random/runs', { body: {} });
      expect(answer).toMatchObject({ status, body: { status, detail: `because ${code}` } });
      expect(answer.headers.get('content-type')).toMatch('application/problem+json');
    });

    it('clears, marks and cancels', async () => {
      api.onCommand = async () => ({
        ok: true,
        position: await api.store.head(),
        result: { instances: [{ taskId: 'first', mapIndex: '' }] },
      });
      const run = '/dags/random/runs/r1';
      const cleared = await api.call('POST', `${run}/clear`, {
        body: { taskIds: ['first'], includeDownstream: true, dryRun: true },
      });
      expect(cleared.body).toEqual({ instances: [{ taskId: 'first', mapIndex: '' }] });
      await api.call('POST', `${run}/mark`, { body: { state: 'success' } });
      await api.call('POST', `${run}/mark`, { body: { state: 'skipped', taskIds: ['first'] } });
      expect((await api.call('POST', `${run}/cancel`)).body).toMatchObject({ runId: 'r1' });
      expect(api.sent.map((message) => message.command)).toEqual([
        { type: 'clearTasks', runId: 'r1', selection: { taskIds: ['first'], includeDownstream: true }, dryRun: true },
        { type: 'markRun', runId: 'r1', state: 'success' },
        { type: 'markTasks', runId: 'r1', selection: { taskIds: ['first'] }, state: 'skipped' },
        { type: 'cancelRun', runId: 'r1' },
      ]);
      expect(await api.call('POST', `${run}/mark`, { body: { state: 'skipped' } })).toMatchObject({
        status: 400,
        body: { errors: [{ in: 'body', name: 'state' }] },
      });
    });

    it('explains why a task instance does not run yet', async () => {
      const reasons = [{ rule: 'trigger_rule', passed: false, reason: 'waits for first' }];
      api.onCommand = async () => ({ ok: true, position: 1, result: { state: 'none', reasons } });
      expect((await api.get('/dags/random/runs/r1/tasks/second/reasons')).body).toEqual({ state: 'none', reasons });
      expect(api.sent[0]!.command).toEqual({ type: 'explainTask', runId: 'r1', taskId: 'second', mapIndex: '' });
    });
  });

  describe('what is wrong is named', () => {
    it.each([
      ['/runs?limit=5000', { in: 'query', name: 'limit', value: 5000, allowed: 'at most 1000' }],
      ['/runs?limit=many', { in: 'query', name: 'limit', value: 'many', allowed: 'a value of type number' }],
      [
        '/runs?state=done',
        { in: 'query', name: 'state.0', value: 'done', allowed: 'one of queued, running, success, failed' },
      ],
      ['/runs?stat=done', { in: 'query', name: 'stat', message: 'is not known here' }],
      ['/runs?runAfterGte=yesterday', { in: 'query', name: 'runAfterGte', value: 'yesterday' }],
      ['/dags/random/runs/r1?asOf=soon', { in: 'query', name: 'asOf', value: 'soon' }],
      ['/dags/random/runs/r1?asOf=99999999', { in: 'query', name: 'asOf', value: '99999999' }],
      ['/dags/random/runs?asOf=1&state=running', { in: 'query', name: 'state', allowed: 'not together with asOf' }],
      ['/dags/random/runs/r1/tasks/first?mapIndex=x', { in: 'query', name: 'mapIndex', value: 'x' }],
    ])('%s', async (path, fault) => {
      const { status, body } = await api.get<{ errors: object[] }>(path);
      expect(status).toBe(400);
      expect(body.errors).toMatchObject([fault]);
    });

    it('also in a body, without repeating what could be a secret', async () => {
      expect((await api.call('POST', '/dags/random/runs', { body: { runId: 'not ok' } })).body).toMatchObject({
        errors: [{ in: 'body', name: 'runId', value: 'not ok' }],
      });
      const { body } = await api.call('PUT', '/variables/a', { body: { value: 12345678 } });
      expect(body).toMatchObject({
        status: 400,
        errors: [{ in: 'body', name: 'value', allowed: 'a value of type string' }],
      });
      expect(JSON.stringify(body)).not.toContain('12345678');
      expect(
        await api.call('POST', '/dags/random/runs', { body: '{"a":', headers: { 'content-type': 'application/json' } }),
      ).toMatchObject({ status: 400 });
      expect(await api.call('POST', '/dags/random/runs', { body: { note: 'x'.repeat(1_100_000) } })).toMatchObject({
        status: 413,
      });
    });

    it('and so is what does not exist', async () => {
      expect(await api.get('/dags/nothing')).toMatchObject({
        status: 404,
        body: { detail: "there is no DAG 'nothing'" },
      });
      expect(await api.get('/dags/nothing/runs')).toMatchObject({ status: 404 });
      expect(await api.get('/dags/random/runs/nothing')).toMatchObject({ status: 404 });
      expect(await api.get('/dags/random/runs/r1/tasks/nothing')).toMatchObject({ status: 404 });
      expect(await api.get('/nothing')).toMatchObject({ status: 404, body: { title: 'Not found' } });
    });
  });
});
