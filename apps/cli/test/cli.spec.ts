import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeApi, rondo, rowsOf } from './fake-api.ts';
import { dagRow, definition, runRow, taskRow } from './rows.ts';

let api: FakeApi;
let folder: string;
beforeEach(async () => {
  api = await FakeApi.start();
  folder = await mkdtemp(join(tmpdir(), 'rondo-cli-'));
});
afterEach(async () => {
  await api.stop();
  await rm(folder, { recursive: true, force: true });
});

const call = (...args: string[]) => rondo([...args, '--url', api.url], { cwd: folder });

describe('exit status', () => {
  it('is 0 with help, which documents the others', async () => {
    const { code, out } = await rondo(['--help']);
    expect(code).toBe(0);
    expect(out).toMatch(/Exit status:\n\s+0 {2}done\n\s+1 .*\n\s+2 {2}wrong usage\n\s+3 /);
  });

  it.each([
    [['dags', 'nonsense']],
    [['dags', 'show']],
    [['runs', 'list', '--what']],
    [['dags', 'list', '--limit', 'x']],
    [['completion', 'tcsh']],
    [[]],
  ])('is 2 for %j', async (args) => {
    const { code, err } = await rondo(args);
    expect(code).toBe(2);
    expect(err).not.toBe('');
  });

  it('is 3 when nothing answers, and tells the address, where it is from, and what to do', async () => {
    const closed = await FakeApi.start();
    await closed.stop();
    const { code, err } = await rondo(['dags', 'list'], { env: { RONDO_URL: closed.url } });
    expect(code).toBe(3);
    expect(err).toContain(`no platform answers at ${closed.url} (address from RONDO_URL)`);
    expect(err).toContain('allowed: start it with "npm start"');
  });

  it('is 1 for a refusal, with its title and its detail', async () => {
    api.on('POST /dags/orders/runs', {
      status: 409,
      body: { title: 'Conflict', detail: "DAG 'orders' has a run 'r1'" },
    });
    const { code, out, err } = await call('dags', 'trigger', 'orders', '--run-id', 'r1');
    expect(code).toBe(1);
    expect(out).toBe('');
    expect(err).toBe("error: Conflict\n  DAG 'orders' has a run 'r1'\n");
  });

  it('is 1 for an invalid request, with each fault, its value and what is allowed', async () => {
    const errors = [{ in: 'body', name: 'runId', value: 'a b', message: 'has a space', allowed: 'letters and digits' }];
    api.on('POST /dags/orders/runs', {
      status: 400,
      body: { title: 'Invalid request', detail: 'has a space', errors },
    });
    const { code, err } = await call('dags', 'trigger', 'orders', '--run-id', 'a b');
    expect(code).toBe(1);
    expect(err).toBe('error: Invalid request\n  - runId: has a space (given: "a b"); allowed: letters and digits\n');
  });

  it('is 1 for an answer that is no problem document', async () => {
    api.on('GET /dags', { status: 502, text: 'bad gateway' });
    const { code, err } = await call('dags', 'list');
    expect(code).toBe(1);
    expect(err).toContain('the answer was 502');
  });

  it('tells a program of a refusal in JSON', async () => {
    const { code, err } = await call('dags', 'show', 'none', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(err)).toMatchObject({ error: { title: 'not found', status: 404 } });
  });
});

describe('address', () => {
  it('is that of the platform on the data folder', async () => {
    api.on('GET /dags', { body: { items: [], total: 0 } });
    await writeFile(join(folder, 'api.json'), JSON.stringify({ url: `${api.url}/`, pid: process.pid }));
    expect((await rondo(['dags', 'list', '--data', folder])).code).toBe(0);
    expect((await rondo(['dags', 'list'], { env: { RONDO_DATA: folder } })).code).toBe(0);
    expect(api.received).toHaveLength(2);
    expect(api.received[0]?.headers.authorization).toBeUndefined();
  });

  it('comes with the token of RONDO_API_TOKEN', async () => {
    api.on('GET /dags', { body: { items: [], total: 0 } });
    await rondo(['dags', 'list', '--url', api.url], { env: { RONDO_API_TOKEN: 'a-token-of-16-char' } });
    expect(api.received[0]?.headers.authorization).toBe('Bearer a-token-of-16-char');
  });
});

describe('dags', () => {
  it('lists in a table', async () => {
    api.on('GET /dags', {
      body: { items: [dagRow('orders', { tags: ['etl', 'daily'] }), dagRow('stock', { paused: true })], total: 7 },
    });
    const { out } = await call('dags', 'list', '--tag', 'etl', '--limit', '2');
    expect(rowsOf(out)).toEqual([
      ['orders', '0 6 * * *', 'active', 'rondo', 'etl, daily', 'orders.ts'],
      ['stock', '0 6 * * *', 'paused', 'rondo', '-', 'stock.ts'],
      ['(2 of 7 DAGs; --limit and --offset show others)'],
    ]);
    expect(api.received[0]?.query).toMatchObject({ tag: 'etl', limit: '2', offset: '0' });
  });

  it('lists for programs', async () => {
    const page = { items: [dagRow('orders')], total: 1 };
    api.on('GET /dags', { body: page });
    const { out } = await call('--json', 'dags', 'list');
    expect(JSON.parse(out)).toEqual(page);
    expect(out.trim().split('\n')).toHaveLength(1);
  });

  it('shows a DAG as a tree', async () => {
    api.on('GET /dags/orders', { body: { ...dagRow('orders'), definition } });
    const { out } = await call('dags', 'show', 'orders');
    expect(out).toContain('at most    16 runs, 16 tasks of a run');
    expect(out).toMatch(/├─ · extract +BashOperator\n└─ · load +BashOperator/);
  });

  it('triggers a run with conf and date, and a key of its own', async () => {
    api.on('POST /dags/orders/runs', { status: 201, body: runRow('r1', { state: 'queued' }) });
    api.on('GET /dags/orders', { body: { dagId: 'orders', paused: true } });
    const { code, out } = await call(
      'dags',
      'trigger',
      'orders',
      '--run-id',
      'r1',
      '--conf',
      '{"a":1}',
      '--date',
      '2026-03-14T06:00:00',
    );
    expect(code).toBe(0);
    expect(out).toBe("orders is paused: the run waits until 'rondo dags unpause orders'\nrun r1 of orders is queued\n");
    expect(api.received[0]?.body).toEqual({ runId: 'r1', conf: { a: 1 }, logicalDate: Date.UTC(2026, 2, 14, 6) });
    expect(api.received[0]?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('reads conf from a file and says what is wrong with one that is no JSON', async () => {
    await writeFile(join(folder, 'conf.json'), '{"b":2}');
    api.on('POST /dags/orders/runs', { body: runRow('r1') });
    await call('dags', 'trigger', 'orders', '--conf', '@conf.json');
    expect(api.received[0]?.body).toEqual({ conf: { b: 2 } });
    const { code, err } = await call('dags', 'trigger', 'orders', '--conf', '{a:1}');
    expect(code).toBe(2);
    expect(err).toMatch(/--conf is not JSON: .*; allowed: JSON, @file/);
  });

  it("triggers and watches: the exit status is the run's", async () => {
    api.on('POST /dags/orders/runs', { body: runRow('r1', { state: 'queued' }) });
    api.on('GET /dags/orders/runs/r1', { body: runRow('r1', { state: 'failed', reason: 'task_failure' }) });
    api.on('GET /dags/orders', { body: { ...dagRow('orders'), definition } });
    api.on('GET /dags/orders/runs/r1/tasks', { body: { items: [taskRow('extract', { state: 'failed' })], total: 1 } });
    const { code, out } = await call('dags', 'trigger', 'orders', '--watch');
    expect(code).toBe(1);
    expect(out).toMatch(/extract {2}failed {2}1\.0s\n.*run orders r1 {2}failed {2}2\.0s {2}\(task_failure\)/);
  });

  it('pauses several', async () => {
    api.on('POST /dags/a/pause', { body: dagRow('a') }).on('POST /dags/b/pause', { body: dagRow('b') });
    expect((await call('dags', 'pause', 'a', 'b')).out).toBe('a is paused\nb is paused\n');
    api.on('PATCH /dags', { body: { dagIds: ['etl_1', 'etl_2'] } });
    expect((await call('dags', 'unpause', 'etl_*')).out).toBe('etl_1 is active\netl_2 is active\n');
    expect(api.received.at(-1)?.body).toEqual({ pattern: 'etl_*', paused: false });
  });

  it('tells import errors with their place, and has exit status 1 for them', async () => {
    api.on('GET /import-errors', {
      body: {
        items: [
          { file: 'x.ts', line: 3, column: 7, dagId: 'x', taskId: null, message: 'no such task', stack: null, at: 0 },
        ],
        total: 1,
      },
    });
    const { code, out } = await call('dags', 'errors');
    expect(code).toBe(1);
    expect(out).toBe('x.ts:3:7  DAG x\n  no such task\n');
  });

  it('tells when the next runs are due', async () => {
    const at = Date.UTC(2026, 2, 15, 6);
    api.on('GET /dags/orders/next', { body: { items: [{ logicalDate: at, dataInterval: [at, at], runAfter: at }] } });
    expect(rowsOf((await call('dags', 'next', 'orders')).out)[0]?.[0]).toBe('2026-03-15 06:00:00Z');
  });
});

describe('colours', () => {
  const escape = String.fromCodePoint(27);
  it('are on a terminal only, and not with --no-color or NO_COLOR', async () => {
    api.on('GET /import-errors', {
      body: {
        items: [
          { file: 'x.ts', line: null, column: null, dagId: null, taskId: null, message: 'm', stack: null, at: 0 },
        ],
        total: 1,
      },
    });
    const args = ['dags', 'errors', '--url', api.url];
    expect((await rondo(args, { tty: true })).out).toContain(escape);
    expect((await rondo(args)).out).not.toContain(escape);
    expect((await rondo([...args, '--no-color'], { tty: true })).out).not.toContain(escape);
    expect((await rondo(args, { tty: true, env: { NO_COLOR: '1' } })).out).not.toContain(escape);
  });
});
