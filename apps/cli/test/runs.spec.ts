import { FakeApi, rondo, rowsOf } from './fake-api.ts';
import { dagRow, definition, runRow, taskRow } from './rows.ts';

let api: FakeApi;
beforeEach(async () => {
  api = await FakeApi.start();
});
afterEach(() => api.stop());

const call = (...args: string[]) => rondo([...args, '--url', api.url]);

describe('runs', () => {
  const served = (tasks = [taskRow('extract'), taskRow('load', { state: 'running', endedAt: null, tryNumber: 2 })]) =>
    api
      .on('GET /dags/orders', { body: { ...dagRow('orders'), definition } })
      .on('GET /dags/orders/runs/r1', { body: runRow('r1', { conf: { a: 1 } }) })
      .on('GET /dags/orders/runs/r1/tasks', ({ query }) => ({
        body: { items: tasks.slice(Number(query.offset), Number(query.offset) + 1), total: tasks.length },
      }));

  it('lists those of all DAGs or of one', async () => {
    api
      .on('GET /runs', { body: { items: [runRow('r1')], total: 1 } })
      .on('GET /dags/orders/runs', { body: { items: [], total: 0 } });
    expect(rowsOf((await call('runs', 'list')).out)).toEqual([
      ['orders', 'r1', 'success', 'manual', '2026-03-14 06:00:00Z', '2.0s', '-'],
    ]);
    expect((await call('runs', 'list', 'orders', '--state', 'failed')).code).toBe(0);
    expect(api.received[1]?.query.state).toBe('failed');
  });

  it('shows a run with its tasks, page by page', async () => {
    served();
    const { out } = await call('runs', 'show', 'orders', 'r1');
    expect(out).toContain('conf          {"a":1}');
    expect(out).toMatch(/├─ ✔ extract .*\n└─ ◐ load +running +try 2/);
    expect(api.received.filter((r) => r.path.endsWith('/tasks'))).toHaveLength(2);
  });

  it('shows a run as it was, its tasks too', async () => {
    served([taskRow('extract')]);
    await call('runs', 'show', 'orders', 'r1', '--as-of', '17');
    const asked = api.received.filter((r) => r.path !== '/dags/orders').map((r) => r.query.asOf);
    expect(asked).toEqual(['17', '17']);
  });

  it('watches the latest run and answers a program with the outcome', async () => {
    served([taskRow('extract')]).on('GET /dags/orders/runs', { body: { items: [runRow('r1')], total: 1 } });
    const { code, out, err } = await call('runs', 'watch', 'orders', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ run: { runId: 'r1' }, tasks: [{ taskId: 'extract' }] });
    expect(err).toContain('run orders r1  success');
  });

  it('leaves a run alone when the user stops watching', async () => {
    served().on('GET /dags/orders/runs/r1', { body: runRow('r1', { state: 'running', endedAt: null }) });
    const { code, err } = await rondo(['runs', 'watch', 'orders', 'r1', '--url', api.url], {
      signal: AbortSignal.abort(),
    });
    expect(code).toBe(1);
    expect(err).toContain('run r1 of orders goes on');
  });

  it('says that there is no run to watch', async () => {
    api.on('GET /dags/orders/runs', { body: { items: [], total: 0 } });
    expect((await call('runs', 'watch', 'orders')).err).toContain('rondo dags trigger orders');
  });

  it('clears a selection', async () => {
    api.on('POST /dags/orders/runs/r1/clear', {
      body: {
        instances: [
          { taskId: 'load', mapIndex: '' },
          { taskId: 'm', mapIndex: '3' },
        ],
      },
    });
    const { out } = await call(
      'runs',
      'clear',
      'orders',
      'r1',
      '--task',
      'load',
      '--task',
      'm',
      '--downstream',
      '--dry-run',
    );
    expect(out).toBe('2 would be cleared: load, m[3]\n');
    expect(api.received[0]?.body).toEqual({ taskIds: ['load', 'm'], includeDownstream: true, dryRun: true });
  });

  it('marks a run or tasks of it, and says which states there are', async () => {
    api.on('POST /dags/orders/runs/r1/mark', { body: { instances: [] } });
    expect((await call('runs', 'mark', 'orders', 'r1', 'failed')).out).toBe('run r1 of orders is marked failed\n');
    expect((await call('runs', 'mark', 'orders', 'r1', 'skipped', '--task', 'load')).out).toContain(
      'no task instance marked skipped',
    );
    const { code, err } = await call('runs', 'mark', 'orders', 'r1', 'skipped');
    expect(code).toBe(2);
    expect(err).toContain('success, failed (skipped only with --task)');
  });

  it('aborts, holds, releases, sets and notes', async () => {
    api.on('POST /dags/orders/runs/a%2Fb:1/abort', { body: {} });
    expect((await call('runs', 'abort', 'orders', 'a/b:1')).code).toBe(1);
    api.on('POST /dags/orders/runs/a%2Fb%3A1/abort', { body: { state: 'failed' } });
    expect((await call('runs', 'abort', 'orders', 'a/b:1')).out).toBe('run a/b:1 of orders has ended: failed\n');
    api
      .on('POST /dags/orders/runs/r1/hold', { body: { instances: [{ taskId: 'load', mapIndex: '' }] } })
      .on('POST /dags/orders/runs/r1/release', { body: { instances: [] } })
      .on('PATCH /dags/orders/runs/r1', { body: {} })
      .on('PATCH /dags/orders/runs/r1/tasks/load', { body: { instances: [{ taskId: 'load', mapIndex: '3' }] } });
    expect((await call('runs', 'hold', 'orders', 'r1')).out).toBe('run r1 of orders is held\n');
    expect((await call('tasks', 'hold', 'orders', 'r1', 'load', 'g')).out).toBe('1 held: load\n');
    expect((await call('runs', 'release', 'orders', 'r1')).out).toBe('run r1 of orders is released\n');
    await call('runs', 'set', 'orders', 'r1', '--priority', 'dag', '--retries', '2');
    await call('runs', 'note', 'orders', 'r1', 'late data');
    expect((await call('tasks', 'set', 'orders', 'r1', 'load', '--map-index', '3', '--priority', '7')).out).toBe(
      '1 changed: load[3]\n',
    );
    await call('tasks', 'note', 'orders', 'r1', 'load', '');
    expect(api.received.slice(-6).map(({ body }) => body)).toEqual([
      { taskIds: ['load', 'g'] },
      {},
      { priority: null, retries: 2 },
      { note: 'late data' },
      { priority: 7, mapIndex: '3' },
      { note: '' },
    ]);
    expect(await call('runs', 'set', 'orders', 'r1')).toMatchObject({ code: 2 });
    expect((await call('tasks', 'set', 'orders', 'r1', 'load', '--priority', 'high')).err).toContain(
      "--priority 'high' is not allowed",
    );
  });

  it('tells why a run waits', async () => {
    const reasons = [
      { rule: 'run_after', passed: true, reason: 'its time has come' },
      { rule: 'run_held', passed: false, reason: 'the run is held' },
    ];
    api.on('GET /dags/orders/runs/r1/reasons', { body: { state: 'queued', reasons } });
    const { out } = await call('runs', 'why', 'orders', 'r1');
    expect(out).toMatch(/^r1 is queued; it waits because:\n[^✔]*✖ +run_held[^✖]*✔ +run_after/);
  });

  it('clears and marks over several runs', async () => {
    const runs = [
      { runId: 'r1', instances: [{ taskId: 'load', mapIndex: '' }] },
      { runId: 'r2', instances: [], refused: 'it is queued' },
    ];
    api
      .on('POST /dags/orders/clear', { body: { runs } })
      .on('POST /dags/orders/runs/r1/mark', { body: { runs: runs.slice(0, 1) } });
    const range = ['--start-date', '2026-03-01', '--end-date', '2026-03-02'];
    const flags = ['--latest-version', '--no-reset-run', '-i', '--note', 'again', '--task-pattern', 'lo*'];
    const { out } = await call('tasks', 'clear', 'orders', ...range, ...flags);
    expect(out).toBe('r1: 1 cleared: load\nr2: it is queued\n');
    expect(api.received[0]?.body).toEqual({
      logicalDateGte: Date.UTC(2026, 2, 1),
      logicalDateLte: Date.UTC(2026, 2, 2),
      latestVersion: true,
      resetDagRun: false,
      ignoreDependsOnPast: true,
      note: 'again',
      taskPattern: 'lo*',
    });
    expect((await call('tasks', 'clear', 'orders')).err).toContain('which runs?');
    expect((await call('tasks', 'mark', 'orders', 'r1', 'load', 'success', '--future')).out).toBe(
      'r1: 1 marked success: load\n',
    );
    expect(api.received.at(-1)?.body).toEqual({ state: 'success', taskIds: ['load'], includeFuture: true });
  });
});

describe('tasks', () => {
  it('lists those of a DAG and the instances of a run', async () => {
    api
      .on('GET /dags/orders', { body: { ...dagRow('orders'), definition } })
      .on('GET /dags/orders/runs/r1', { body: runRow('r1') })
      .on('GET /dags/orders/runs/r1/tasks', {
        body: {
          items: [taskRow('load', { state: 'failed', error: { kind: 'exception', message: 'no\ndisk' } })],
          total: 1,
        },
      });
    expect(rowsOf((await call('tasks', 'list', 'orders')).out)[1]).toEqual([
      'load',
      'BashOperator',
      'extract',
      'all_success',
      '2',
      '-',
    ]);
    expect(rowsOf((await call('tasks', 'list', 'orders', 'r1')).out)[0]).toEqual([
      'load',
      'failed',
      '1',
      '2026-03-14 06:00:00Z',
      '1.0s',
      'no disk',
    ]);
  });

  it('lists the instances of a mapped task with their names, those that are asked for', async () => {
    api
      .on('GET /dags/orders', { body: { ...dagRow('orders'), definition } })
      .on('GET /dags/orders/runs/r1', { body: runRow('r1') })
      .on('GET /dags/orders/runs/r1/tasks', {
        body: { items: [taskRow('load', { mapIndex: '2.5', mapIndexName: 'north' })], total: 1 },
      });
    const { out } = await call('tasks', 'list', 'orders', 'r1', '--task', 'load', '--map-index', '2', '--name', 'nor');
    expect(rowsOf(out)[0]?.slice(0, 3)).toEqual(['load[2.5]', 'north', 'success']);
    expect(api.received.at(-1)?.query).toMatchObject({ taskId: 'load', under: '2', name: 'nor' });
  });

  const line = (text: string, more = {}) => ({ at: 0, stream: 'stdout', text, ...more });

  it('prints a log, page by page', async () => {
    const lines = [line('one'), line('two', { stream: 'log', level: 'warn' }), line('three', { stream: 'stderr' })];
    api.on('GET /dags/orders/runs/r1/tasks/load/log', ({ query }) => ({
      body: { lines: lines.slice(Number(query.from), Number(query.from) + 2), next: Number(query.from) + 2 },
    }));
    const { out } = await call('tasks', 'log', 'orders', 'r1', 'load', '--try', '2');
    expect(out).toBe('00:00:00.000 one\n00:00:00.000 warn   two\n00:00:00.000 stderr three\n');
    expect(api.received[0]?.query).toEqual({ try: '2', from: '0' });
  });

  it('follows a log until its end', async () => {
    const stream = [
      `data: ${JSON.stringify({ lines: [line('one')], next: 1 })}\n\n`,
      ': still here\n\n',
      `data: ${JSON.stringify(line('two'))}\r\n\r\n`,
      'event: end\ndata: {}\n\n',
      `data: ${JSON.stringify(line('never'))}\n\n`,
    ];
    api.on('GET /dags/orders/runs/r1/tasks/load/log', { text: stream.join('') });
    const { code, out } = await call('tasks', 'log', 'orders', 'r1', 'load', '--follow', '--json');
    expect(code).toBe(0);
    expect(
      out
        .trim()
        .split('\n')
        .map((text) => (JSON.parse(text) as { text: string }).text),
    ).toEqual(['one', 'two']);
  });

  it('tells why a task does not run yet, what holds it first', async () => {
    const reasons = [
      { rule: 'run_state', passed: true, reason: 'running' },
      { rule: 'trigger_rule', passed: false, reason: '1 of 2 upstream tasks have succeeded' },
    ];
    api.on('GET /dags/orders/runs/r1/tasks/load/reasons', { body: { state: 'none', reasons } });
    const { out } = await call('tasks', 'why', 'orders', 'r1', 'load');
    expect(out).toMatch(/^load is none; it waits because:\n.*\n✖ +trigger_rule +1 of 2.*\n✔ +run_state/);
  });
});

describe('history', () => {
  it('shows the events of a run', async () => {
    api.on('GET /dags/orders/runs/r1/events', {
      body: { items: [{ position: 9, revision: 0, type: 'TaskStarted', data: { at: 0, taskId: 'load' } }], total: 1 },
    });
    expect(rowsOf((await call('history', 'show', 'orders', 'r1')).out)).toEqual([
      ['9', '0', '1970-01-01 00:00:00Z', 'TaskStarted', '{"taskId":"load"}'],
    ]);
  });
});
