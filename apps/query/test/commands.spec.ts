import type { DagVersion } from '@rondo/domain';
import { RANDOM_VERSION, RANDOM_VERSION_BYTES } from '@rondo/testing';
import { ApiUnderTest } from './api-kit.ts';
import { eventsOf } from './run-events.ts';

const { published, requested, started } = eventsOf(RANDOM_VERSION);

describe('commands over HTTP, and what is refused', () => {
  let api: ApiUnderTest;
  beforeAll(async () => {
    api = await ApiUnderTest.start();
    await api.blobs.put(RANDOM_VERSION_BYTES);
    await api.given(published('random'), requested('r1'), started('r1'));
  });
  afterAll(() => api.stop());

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
      const body = {
        runId: 'mine',
        conf: { a: 1 },
        logicalDate: '2026-01-02T00:00:00Z',
        note: 'n',
        ignoreDependsOnPast: true,
      };
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
            ignoreDependsOnPast: true,
            key: 'k1',
          },
        },
      ]);
    });

    it('refuses a conf that the params of the DAG do not allow', async () => {
      const random = JSON.parse(new TextDecoder().decode(RANDOM_VERSION_BYTES)) as DagVersion;
      const params = { n: { schema: { type: 'integer' }, default: 1 } };
      const strict: DagVersion = { ...random, definition: { ...random.definition, dagId: 'strict', params } };
      const bytes = new TextEncoder().encode(JSON.stringify(strict));
      const version = await api.blobs.put(bytes);
      const event = published('random');
      await api.given({ ...event, stream: 'dag-strict', data: { ...(event.data as object), version } });
      const { status, body } = await api.call('POST', '/dags/strict/runs', { body: { conf: { n: 'many' } } });
      expect(status).toBe(400);
      expect(body).toMatchObject({
        errors: [{ in: 'body', name: 'conf.n', message: expect.stringContaining("param 'n'") }],
      });
      expect(api.sent).toEqual([]);
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

    it('clears, marks and aborts', async () => {
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
      expect((await api.call('POST', `${run}/abort`)).body).toMatchObject({ runId: 'r1' });
      expect(api.sent.map((message) => message.command)).toEqual([
        { type: 'clearTasks', runId: 'r1', selection: { taskIds: ['first'], includeDownstream: true }, dryRun: true },
        { type: 'markRun', runId: 'r1', state: 'success' },
        { type: 'markTasks', runId: 'r1', selection: { taskIds: ['first'] }, state: 'skipped' },
        { type: 'abortRun', runId: 'r1' },
      ]);
      expect(await api.call('POST', `${run}/mark`, { body: { state: 'skipped' } })).toMatchObject({
        status: 400,
        body: { errors: [{ in: 'body', name: 'state' }] },
      });
    });

    it('holds, releases, sets and notes runs and tasks', async () => {
      api.onCommand = async () => ({ ok: true, position: await api.store.head(), result: {} });
      const run = '/dags/random/runs/r1';
      await api.call('POST', `${run}/hold`, { body: {} });
      await api.call('POST', `${run}/release`, { body: { taskIds: ['first'] } });
      const body = { priority: 3, retries: 2, note: 'late' };
      expect((await api.call('PATCH', run, { body })).body).toMatchObject({ runId: 'r1' });
      await api.call('PATCH', `${run}/tasks/first`, { body: { ...body, priority: null, mapIndex: '3' } });
      const selection = { taskIds: ['first'], mapIndex: '3' };
      expect(api.sent.map((message) => message.command)).toEqual([
        { type: 'holdRun', runId: 'r1', held: true },
        { type: 'holdTasks', runId: 'r1', selection: { taskIds: ['first'] }, held: false },
        { type: 'setRetries', runId: 'r1', selection: {}, retries: 2 },
        { type: 'prioritiseRun', runId: 'r1', priority: 3 },
        { type: 'noteRun', runId: 'r1', note: 'late' },
        { type: 'prioritiseTasks', runId: 'r1', selection, priority: null },
        { type: 'setRetries', runId: 'r1', selection, retries: 2 },
        { type: 'noteTasks', runId: 'r1', selection, note: 'late' },
      ]);
      expect(await api.call('PATCH', run, { body: {} })).toMatchObject({ status: 400 });
    });

    it('clears and marks over runs, and tells what each refuses', async () => {
      api.onCommand = async ({ command }) =>
        'runId' in command && command.runId === 'r2'
          ? { ok: false, code: 'conflict', message: 'it is queued' }
          : { ok: true, position: await api.store.head(), result: { instances: [] } };
      const flags = { latestVersion: true, resetDagRun: false, note: 'again', taskPattern: 'f*' };
      const answer = await api.call('POST', '/dags/random/clear', { body: { runIds: ['r1', 'r2'], ...flags } });
      expect(answer.body).toEqual({
        runs: [
          { runId: 'r1', instances: [] },
          { runId: 'r2', instances: [], refused: 'it is queued' },
        ],
      });
      const { taskPattern, ...more } = flags;
      expect(api.sent[0]!.command).toEqual({ type: 'clearTasks', runId: 'r1', selection: { taskPattern }, ...more });
      expect(await api.call('POST', '/dags/random/clear', { body: {} })).toMatchObject({ status: 400 });
      const mark = { state: 'success', taskIds: ['first'], logicalDateGte: '2026-01-01' };
      expect((await api.call('POST', '/dags/none/mark', { body: mark })).status).toBe(404);
      const around = { state: 'success', includePast: true };
      expect((await api.call('POST', '/dags/random/runs/r1/mark', { body: around })).body).toMatchObject({
        runs: [{ runId: 'r1' }],
      });
    });

    it('tells why a run does not start', async () => {
      const result = { state: 'queued', reasons: [{ rule: 'run_held', passed: false, reason: 'held' }] };
      api.onCommand = async () => ({ ok: true, position: 1, result });
      expect((await api.get('/dags/random/runs/r1/reasons')).body).toEqual(result);
      expect(api.sent[0]!.command).toEqual({ type: 'explainRun', runId: 'r1' });
    });

    it('pauses every DAG whose id fits', async () => {
      api.onCommand = async () => ({ ok: true, position: await api.store.head(), result: {} });
      const body = { pattern: 'ran*', paused: true };
      expect((await api.call('PATCH', '/dags', { body })).body).toEqual({ dagIds: ['random'] });
      expect((await api.call('PATCH', '/dags', { body: { ...body, pattern: 'x*' } })).body).toEqual({ dagIds: [] });
      expect(api.sent.map((message) => message.command)).toEqual([{ type: 'pauseDag' }]);
    });

    it('explains why a task instance does not run yet', async () => {
      const reasons = [{ rule: 'trigger_rule', passed: false, reason: 'waits for first' }];
      api.onCommand = async () => ({ ok: true, position: 1, result: { state: 'none', reasons } });
      expect((await api.get('/dags/random/runs/r1/tasks/second/reasons')).body).toEqual({ state: 'none', reasons });
      expect(api.sent[0]!.command).toEqual({ type: 'explainTask', runId: 'r1', taskId: 'second', mapIndex: '' });
    });
  });

  it('lets the gateway say what a published attempt waits for', async () => {
    const reasons = [{ rule: 'task_state', passed: false, reason: 'scheduled' }];
    const demand = { pool: 'p', poolSlots: 1, queue: 'default', priority: 1 };
    const attempt = 'random:r1:first:1.1';
    api.onCommand = async () => ({
      ok: true,
      position: 1,
      result: { state: 'scheduled', tryNumber: 1, reasons, demand, attempt },
    });
    const asked: unknown[] = [];
    const full = { rule: 'pool', passed: false, reason: 'pool full' };
    api.onAdmission = async (...about) => (asked.push(about), { stand: 'waiting', reasons: [full] });
    expect((await api.get('/dags/random/runs/r1/tasks/first/reasons')).body).toEqual({
      state: 'scheduled',
      tryNumber: 1,
      reasons: [...reasons, full, { rule: 'admission', passed: false, reason: 'published; waits to be admitted' }],
    });
    expect(asked).toEqual([[attempt, demand]]);
    api.onAdmission = async () => ({ stand: 'unknown', reasons: [{ ...full, passed: true }] });
    expect((await api.get('/dags/random/runs/r1/tasks/first/reasons')).body).toMatchObject({
      reasons: [...reasons, { ...full, passed: true }],
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
