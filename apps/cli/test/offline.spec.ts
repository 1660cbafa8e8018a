import { join } from 'node:path';
import { FakeApi, rondo } from './fake-api.ts';

const fixtures = join(import.meta.dirname, 'fixtures');
const here = { cwd: import.meta.dirname };

describe('dags test', () => {
  it('runs a DAG to its end, leaps over the delay of a retry, and shows the tree', async () => {
    const { code, out, err } = await rondo(['dags', 'test', 'fixtures/orders.ts'], here);
    expect(err).toContain('[flaky] not yet');
    expect(err).toContain('[flaky] at last');
    expect(out).toMatch(/^orders {2}manual__\S+ {2}success {2}3\/3 tasks/);
    expect(out).toMatch(/✔ flaky +success +try 2/);
    expect(out).toMatch(/✔ sum +success/);
    expect(out).toMatch(/↷ unwanted +skipped/);
    expect(code).toBe(0);
  });

  it('finds a DAG by its id, past broken files, and answers a program', async () => {
    const { code, out } = await rondo(
      ['dags', 'test', 'orders', '--dags', fixtures, '--conf', '{"broken":true}', '--json'],
      here,
    );
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      dagId: 'orders',
      state: 'failed',
      reason: 'task_failure',
      tasks: expect.arrayContaining([
        expect.objectContaining({ taskId: 'sum', state: 'failed' }),
        expect.objectContaining({ taskId: 'unwanted', state: 'upstream_failed' }),
      ]) as unknown,
    });
  });

  it('tells the instances of a mapped task how many they are', async () => {
    const { out } = await rondo(['dags', 'test', 'fixtures/counted.ts', '--json'], here);
    expect(JSON.parse(out)).toMatchObject({ returned: { all: '10 of 3, 20 of 3, 30 of 3; None' } });
  });

  it('runs one instance of a mapped task, and says which there may be', async () => {
    const test = (...more: string[]) =>
      rondo(['tasks', 'test', 'fixtures/counted.ts', 'say', '2026-03-01', '--json', ...more], here);
    expect(JSON.parse((await test()).out)).toMatchObject({ mapIndex: [0], outcome: 'success' });
    expect(JSON.parse((await test('--map-index', '2')).out)).toMatchObject({
      mapIndex: [2],
      xcoms: { return_value: expect.stringMatching(/^30 of/) as unknown },
    });
    expect((await test('--map-index', '1.2')).err).toContain('--map-index 1.2 is not allowed: a number, from 0');
    const plain = await rondo(['tasks', 'test', 'fixtures/counted.ts', 'all', '2026-03-01', '--map-index', '0'], here);
    expect(plain.err).toContain('the task is not mapped');
  });

  it('refuses a file that does not load, with the reason', async () => {
    const { code, err } = await rondo(['dags', 'test', 'fixtures/broken.ts'], here);
    expect(code).toBe(1);
    expect(err).toMatch(/error: broken\.ts does not load\n {2}- broken\.ts:\d+.*broken on purpose/);
  });

  it('asks which DAG of several is meant', async () => {
    const { code, err } = await rondo(['dags', 'test', 'fixtures/two.ts'], here);
    expect(code).toBe(1);
    expect(err).toContain('allowed: slow, greet');
  });

  it('says which DAGs there are when an id is unknown', async () => {
    const { code, err } = await rondo(['dags', 'test', 'none', '--dags', fixtures], here);
    expect(code).toBe(1);
    expect(err).toContain("no DAG 'none'");
    expect(err).toContain('greet');
  });

  it('pokes sensors, runs triggers, resumes, and leaps to times and defaults', async () => {
    const { code, out, err } = await rondo(['dags', 'test', 'fixtures/waits.ts', '--json'], here);
    expect(err).toContain('counting orders');
    const { tasks, returned } = JSON.parse(out) as {
      tasks: readonly { taskId: string; state: string }[];
      returned: Record<string, unknown>;
    };
    expect(Object.fromEntries(tasks.map(({ taskId, state }) => [taskId, state]))).toEqual({
      twice: 'success',
      never: 'skipped',
      count: 'success',
      tomorrow: 'success',
      ask: 'success',
      go_on: 'success',
    });
    expect(returned).toMatchObject({ twice: 2, count: { table: 'orders', rows: 3 }, go_on: 'went on' });
    expect(code).toBe(0);
  });

  it('ends a body that takes too long', async () => {
    const { code, out, err } = await rondo(['dags', 'test', 'fixtures/two.ts', '--dag', 'slow'], here);
    expect(code).toBe(1);
    expect(err).toContain('ran longer than executionTimeout (20ms)');
    expect(out).toMatch(/✖ wait +failed/);
  });
});

describe('dags test of a DAG that starts others', () => {
  it('runs what it waits for, and says what it does not start', async () => {
    const { code, out, err } = await rondo(['dags', 'test', 'trigger', '--dags', fixtures], {
      ...here,
      env: { RONDO_VAR_NAME: 'mara' },
    });
    expect(code).toBe(1);
    expect(err).toContain('hello  success');
    expect(err).toContain('of slow, which nothing waits for, is not started in a test');
    expect(err).toContain("no DAG 'nowhere'");
    expect(out).toMatch(/✔ wait +success/);
    expect(out).toMatch(/✔ go +success/);
    expect(out).toMatch(/✖ unknown +failed/);
  });
});

describe('tasks test', () => {
  it('runs one task and shows what it left behind', async () => {
    const args = ['tasks', 'test', 'fixtures/two.ts', 'hello', '2026-03-14', '--dag', 'greet', '--conf', '{"a":1}'];
    const { code, out } = await rondo([...args, '--json'], { ...here, env: { RONDO_VAR_NAME: 'mara' } });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      taskId: 'hello',
      outcome: 'success',
      xcoms: { name: 'mara', return_value: 'hello {"a":1} 2026-03-14T00:00:00.000Z' },
    });
    const shown = await rondo(args, { ...here, env: { RONDO_VAR_NAME: 'mara' } });
    expect(shown.out).toMatch(/^hello: success\n[\s\S]*XComs\n[\s\S]*name +"mara"/);
  });

  it('takes what upstream tasks would have returned', async () => {
    const { out } = await rondo(
      ['tasks', 'test', 'fixtures/orders.ts', 'sum', '2026-03-14', '--inputs', '{"flaky":{"rows":[4,5]}}', '--json'],
      here,
    );
    expect(JSON.parse(out)).toMatchObject({ outcome: 'success', xcoms: { return_value: 9 } });
  });

  it('has exit status 1 for a failure and shows the error', async () => {
    const { code, out } = await rondo(
      ['tasks', 'test', 'fixtures/two.ts', 'hello', '2026-03-14', '--dag', 'greet'],
      here,
    );
    expect(code).toBe(1);
    expect(out).toMatch(/hello: failed\n\n.*variable/s);
  });

  it('says which tasks there are, and what a date looks like', async () => {
    const unknown = await rondo(['tasks', 'test', 'fixtures/orders.ts', 'none', '2026-03-14'], here);
    expect(unknown.code).toBe(1);
    expect(unknown.err).toContain('allowed: flaky, sum, unwanted');
    expect((await rondo(['tasks', 'test', 'fixtures/orders.ts', 'sum', 'soon'], here)).code).toBe(2);
  });
});

describe('tasks render', () => {
  const render = (...args: string[]) => rondo(['tasks', 'render', 'fixtures/templated.ts', ...args], here);

  it('shows the template fields as a run of the date would have them', async () => {
    const { code, out } = await render('report', '2026-03-01', '--conf', '{"region": "south"}');
    expect(code).toBe(0);
    expect(out).toBe('# command\necho "2026-03-01 of south True"\n\n# env\n{\n  "NAMES": "None"\n}\n');
  });

  it('takes what upstream tasks returned, and answers a program', async () => {
    const { out } = await render('greet', '2026-03-01', '--inputs', '{"names": ["Grace"]}', '--json');
    expect(JSON.parse(out)).toMatchObject({ taskId: 'greet', fields: { args: [{ names: ['Grace'] }] } });
  });

  it('says what a template lacks', async () => {
    const { code, err } = await render('broken', '2026-03-01');
    expect(code).toBe(1);
    expect(err).toContain("field command, template 'echo {{ nothing }}', line 1: 'nothing' is undefined");
  });

  it('of a run shows what the platform keeps', async () => {
    const api = await FakeApi.start();
    const fields = { command: 'echo 1' };
    api.on('GET /dags/templated/runs/r1/tasks/report/rendered', { body: { tryNumber: 2, fields } });
    const { out } = await rondo(['tasks', 'render', 'templated', 'report', 'r1', '--try', '2', '--url', api.url], here);
    expect(out).toBe('# command\necho 1\n');
    expect(api.received.at(-1)?.query).toEqual({ try: '2' });
    await api.stop();
  });
});
