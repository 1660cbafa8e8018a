/** DAG files and tasks that do what they should not, beside others that must not notice. */
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { isAlive, Project, runPath, until, type Row, type Rows, type Served } from './project.ts';

jest.setTimeout(150_000);
const LOUD_LINES = 100_000;
const loudly = `for (let i = 0; i < ${LOUD_LINES}; i++) console.log(String(i).padEnd(99, '.'));`;
const healthy = `import { task, Dag } from '@rondo/sdk';

export default new Dag({ id: 'healthy' }, () => void task('add', () => 1 + 1));
`;

let project: Project;
let served: Served;

beforeAll(async () => {
  project = new Project();
  project.write('healthy.ts', healthy);
  project.write('syntax.ts', `import { Dag } from '@rondo/sdk';\n\nexport default new Dag({ id: 'syntax' ];\n`);
  project.write(
    'thrown.ts',
    `const host: string = 'nowhere';\n\nthrow new Error('no such host: ' + host);\nexport default 1;\n`,
  );
  project.write('clock.ts', `const today = 1;\nconst now = Date.now();\nexport default [today, now];\n`);
  project.write('exits.ts', `console.log('going');\nprocess.exit(4);\nexport default 1;\n`);
  project.write(
    'cycle.ts',
    `import { Dag, task, chain } from '@rondo/sdk';
export default new Dag({ id: 'cycle' }, () => {
  const [a, b, c] = ['a', 'b', 'c'].map((id) => task(id, () => 1)());
  chain(a, b, c, a);
});
`,
  );
  project.write(
    'loud.ts',
    `import { Dag, task } from '@rondo/sdk';
${loudly}
export default new Dag({ id: 'loud' }, () => void task('shout', () => { ${loudly} return 'hoarse'; }));
`,
  );
  project.write('tasks.ts', tasksSource());
  // It is being loaded while everything else is tested.
  project.write('endless.ts', `for (;;);\nexport default 1;\n`);
  symlinkSync(project.data, join(project.folder, 'beside'));
  served = await project.serve({ args: ['--no-run', '--port', '0', '--workers', '2', '--parse-timeout', '15'] });
});
afterAll(() => project.remove());

/** Each task of one DAG does its own harm. */
function tasksSource(): string {
  const data = JSON.stringify(project.data);
  const beside = JSON.stringify(join(project.folder, 'beside'));
  return `import { spawn } from 'node:child_process';
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { BashOperator } from '@rondo/operators';
import { Dag, task } from '@rondo/sdk';

const forever = () => new Promise<never>(() => {});

export default new Dag({ id: 'tasks', maxActiveTasks: 100 }, () => {
  task('exits', () => { console.log('just before'); process.exit(3); });
  task('killed', () => { process.kill(process.pid, 'SIGKILL'); return forever(); });
  task('unheard', async () => { Promise.reject(new RangeError('nobody listens')); await forever(); });
  task('greedy', () => {
    const kept: unknown[] = [];
    for (;;) kept.push(new Array(1_000_000).fill(0.5));
  });
  task('reads', () => readFileSync(join(${data}, 'events.db')).length);
  task('reads_key', () => readFileSync(join(${data}, 'keys', 'history.key')).length);
  task('reads_database', () => new DatabaseSync(join(${data}, 'events.db'), { readOnly: true }).prepare('select count(*) from events').get());
  task('reads_link', () => readFileSync(join(${beside}, 'events.db')).length);
  task('reads_linked_database', () => new DatabaseSync(join(${beside}, 'events.db'), { readOnly: true }).prepare('select count(*) from events').get());
  task('makes_link', () => symlinkSync(${data}, join(${data}, '../own')));
  task('spawns', () => {
    const { pid } = spawn('sleep', ['86400'], { detached: true, stdio: 'ignore' });
    console.log('child ' + pid);
    return pid;
  });
  task('spins', () => { for (;;); }, { executionTimeout: '3s' });
  new BashOperator({
    id: 'forks',
    command: 'setsid sleep 86400 & echo child $!; sleep 86400 & echo child $!; trap "" TERM; while true; do sleep 86400; done',
    executionTimeout: '3s',
  });
});
`;
}

describe('a DAG file that does harm', () => {
  let errors: readonly Row[];
  beforeAll(async () => {
    errors = (await served.get<Rows>('/import-errors')).items.filter((row) => row['file'] !== 'endless.ts');
  });
  const of = (file: string): Row | undefined => errors.find((row) => row['file'] === file);

  it.each([
    ['syntax.ts', 3, /Expected|Unexpected/],
    ['thrown.ts', 3, /no such host: nowhere/],
    ['clock.ts', 2, /Date\.now\(\)/],
    ['exits.ts', 2, /process\.exit\(4\) was called while the file was loading/],
    ['cycle.ts', null, /a.*b.*c.*a/],
  ] as const)('%s says what is wrong, and where', (file, line, message) => {
    expect(of(file)).toMatchObject({ message: expect.stringMatching(message) });
    if (line !== null) expect(of(file)).toMatchObject({ line });
  });

  it('hurts no other', async () => {
    expect(errors.map((row) => row['file']).sort()).toEqual([
      'clock.ts',
      'cycle.ts',
      'exits.ts',
      'syntax.ts',
      'thrown.ts',
    ]);
    const { items } = await served.get<Rows>('/dags');
    expect(items.map((row) => row['dagId']).sort()).toEqual(['healthy', 'loud', 'tasks']);
  });

  it('does not hold up the others while it is being loaded, for which there is a limit', async () => {
    project.write('late.ts', healthy.replace('healthy', 'late'));
    expect(await served.run('late')).toMatchObject({ state: 'success' });
    const row = await until('the end of endless.ts', async () =>
      (await served.get<Rows>('/import-errors')).items.find((one) => one['file'] === 'endless.ts'),
    );
    expect(row['message']).toMatch(/^did not finish loading within 15/);
  });
});

describe('a task that does harm', () => {
  let runId: string;
  const errorOf = async (taskId: string): Promise<Row> => {
    const row = await served.task('tasks', runId, taskId);
    expect({ taskId, state: row['state'] }).toEqual({ taskId, state: 'failed' });
    return row['error'] as Row;
  };
  const closed = /is not allowed: (it is in|the way there may lead through) the data folder of the platform/;

  beforeAll(async () => {
    runId = await served.trigger('tasks');
    // While all this goes on.
    for (let i = 0; i < 3; i++) expect(await served.run('healthy')).toMatchObject({ state: 'success' });
    expect(await served.ended('tasks', runId)).toMatchObject({ state: 'failed' });
  });

  it('ends its process: exit code or signal, the place, and the last lines of its log', async () => {
    expect(await errorOf('exits')).toMatchObject({
      kind: 'exit',
      exitCode: 3,
      logTail: ['just before'],
      message: expect.stringMatching(/process\.exit\(3\) at .*tasks\.ts:\d+/),
    });
    expect(await errorOf('killed')).toMatchObject({ kind: 'exit', signal: 'SIGKILL' });
    expect(await served.log('tasks', runId, 'exits')).toContain('just before');
  });

  it('rejects where nobody listens', async () => {
    expect(await errorOf('unheard')).toMatchObject({
      kind: 'exception',
      type: 'RangeError',
      message: 'nobody listens',
    });
  });

  it('takes all memory', async () => {
    expect(await errorOf('greedy')).toMatchObject({ kind: 'exit', message: "the task's process ran out of memory" });
  });

  it.each(['reads', 'reads_key', 'reads_database', 'reads_link', 'reads_linked_database'])(
    '%s the data folder',
    async (taskId) => {
      expect((await errorOf(taskId))['message']).toMatch(closed);
    },
  );

  it('makes a way around', async () => {
    expect((await errorOf('makes_link'))['message']).toMatch(/symlink|not allowed|restricted/i);
  });

  it('forks and sleeps for ever, or spins: its time limit ends it, and its processes with it', async () => {
    expect(await errorOf('spins')).toMatchObject({
      kind: 'timeout',
      message: expect.stringContaining('executionTimeout of 3'),
    });
    expect(await errorOf('forks')).toMatchObject({ kind: 'timeout' });
    expect(await served.task('tasks', runId, 'spawns')).toMatchObject({ state: 'success' });
    const said = [...(await served.log('tasks', runId, 'forks')), ...(await served.log('tasks', runId, 'spawns'))];
    const pids = said.flatMap((line) => /^child (\d+)$/.exec(line)?.[1] ?? []).map(Number);
    expect(pids).toHaveLength(3);
    await until('their end', async () => !pids.some(isAlive));
  });

  it('writes 10 MB: all of it is in its log', async () => {
    const run = await served.run('loud');
    expect(run).toMatchObject({ state: 'success' });
    const path = `${runPath('loud', String(run['runId']))}/tasks/shout`;
    expect(await served.get(`${path}/xcoms/return_value`)).toMatchObject({ value: 'hoarse' });
    const page = await served.get<{ readonly lines: readonly Row[] }>(`${path}/log?from=${LOUD_LINES - 1}`);
    expect(page.lines[0]).toMatchObject({ text: String(LOUD_LINES - 1).padEnd(99, '.'), stream: 'stdout' });
  });

  it('leaves a platform that is well, and after it nothing', async () => {
    expect(await served.get('/health')).toMatchObject({ status: 'ok' });
    expect(await served.platform.end()).toBe(0);
    expect(await project.leftovers()).toEqual([]);
  });
});
