/** The command line and a platform that really runs: what one says is what the other understands. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startArguments } from '../src/commands/start.ts';
import { rondo, rowsOf } from './fake-api.ts';

let data: string;
let platform: ChildProcess;
let said = '';

beforeAll(async () => {
  data = join(await mkdtemp(join(tmpdir(), 'rondo-live-')), 'data');
  const args = startArguments([
    '--no-run',
    '--data',
    data,
    '--dags',
    join(import.meta.dirname, 'fixtures'),
    '--port',
    '0',
  ]);
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, RONDO_VAR_NAME: 'mara' };
  platform = spawn(process.execPath, args, {
    cwd: join(import.meta.dirname, '../../..'),
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [platform.stdout, platform.stderr])
    stream?.on('data', (chunk: Buffer) => (said += String(chunk)));
  while (!existsSync(join(data, 'api.json'))) {
    if (platform.exitCode !== null) throw new Error(`the platform ended with ${platform.exitCode}:\n${said}`);
    await sleep(50);
  }
}, 120_000);

afterAll(async () => {
  const ended = new Promise((resolve) => platform.once('exit', resolve));
  if (platform.exitCode === null && platform.kill('SIGTERM')) await ended;
  await rm(join(data, '..'), { recursive: true, force: true });
}, 60_000);

const call = (...args: string[]) => rondo([...args, '--data', data]);
const ok = async (...args: string[]): Promise<string> => {
  const { code, out, err } = await call(...args);
  expect({ args, code, err: code === 0 ? '' : err }).toEqual({ args, code: 0, err: '' });
  return out;
};

describe('against a platform', () => {
  it('lists and shows DAGs, and the file that does not load', async () => {
    expect(rowsOf(await ok('dags', 'list')).map(([id]) => id)).toEqual(
      expect.arrayContaining(['greet', 'orders', 'slow', 'trigger']),
    );
    expect(await ok('dags', 'show', 'orders')).toMatch(/├─ · flaky[\s\S]*└─ · unwanted/);
    expect(await ok('dags', 'next', 'orders')).toContain('no further run');
    const errors = await call('dags', 'errors');
    expect(errors.code).toBe(1);
    expect(errors.out).toMatch(/^broken\.ts:\d+.*\n {2}.*broken on purpose/);
  });

  it('triggers, watches, and looks at a run, its log and its history', async () => {
    const watched = await call(
      'dags',
      'trigger',
      'greet',
      '--run-id',
      'r1',
      '--conf',
      '{"a":1}',
      '--date',
      '2026-03-14',
      '--watch',
    );
    expect(watched.code).toBe(0);
    expect(watched.out).toMatch(/hello {2}success/);
    expect(rowsOf(await ok('runs', 'list', 'greet'))[0]?.slice(0, 3)).toEqual(['greet', 'r1', 'success']);
    expect(await ok('runs', 'show', 'greet', 'r1')).toMatch(/conf +\{"a":1\}[\s\S]*✔ hello/);
    expect(rowsOf(await ok('tasks', 'list', 'greet', 'r1'))[0]?.slice(0, 2)).toEqual(['hello', 'success']);
    expect(await ok('tasks', 'why', 'greet', 'r1', 'hello')).toMatch(/^hello is success\n/);
    expect(await ok('tasks', 'log', 'greet', 'r1', 'hello')).toBe('');
    expect(await ok('tasks', 'log', 'greet', 'r1', 'hello', '--follow')).toBe('');
    expect(await ok('history', 'show', 'greet', 'r1')).toMatch(/RunStarted[\s\S]*TaskSucceeded[\s\S]*RunSucceeded/);
    const again = await call('dags', 'trigger', 'greet', '--run-id', 'r1');
    expect(again.code).toBe(1);
    expect(again.err).toContain("'r1'");
  });

  it('fails with the run that it watches, and clears, marks and cancels', async () => {
    const failed = await call('dags', 'trigger', 'slow', '--run-id', 'r1', '--watch', '--json');
    expect(failed.code).toBe(1);
    expect(JSON.parse(failed.out)).toMatchObject({
      run: { state: 'failed' },
      tasks: [{ taskId: 'wait', state: 'failed' }],
    });
    expect(await ok('runs', 'clear', 'slow', 'r1', '--task', 'wait', '--dry-run')).toBe('1 would be cleared: wait\n');
    expect(await ok('runs', 'mark', 'slow', 'r1', 'success', '--task', 'wait')).toBe('1 marked success: wait\n');
    expect(await ok('runs', 'mark', 'slow', 'r1', 'success')).toContain('is marked success');
    const unknown = await call('runs', 'abort', 'slow', 'nowhere');
    expect(unknown.code).toBe(1);
    expect(unknown.err).toContain('nowhere');
  });

  it('pauses and unpauses', async () => {
    expect(await ok('dags', 'pause', 'orders')).toBe('orders is paused\n');
    expect(rowsOf(await ok('dags', 'list', '--paused')).map(([id]) => id)).toEqual(['orders']);
    expect(await ok('dags', 'unpause', 'orders')).toBe('orders is active\n');
  });

  it('lets a run wait for its pool, says so, and goes on when the pool is made larger', async () => {
    await ok('pools', 'set', 'default_pool', '0', '--description', 'closed');
    await ok('dags', 'trigger', 'greet', '--run-id', 'pooled');
    const why = async () => await ok('tasks', 'why', 'greet', 'pooled', 'hello');
    for (let i = 0; i < 200 && !(await why()).includes('default_pool'); i++) await sleep(20);
    expect(await why()).toMatch(/✖ +pool +it takes 1 slot and pool 'default_pool' has 0/);
    expect(rowsOf(await ok('pools', 'list'))).toEqual([
      ['default_pool', '0', '0', '0 (not counted)', '1', '0', 'closed'],
    ]);
    expect((await call('pools', 'delete', 'default_pool')).err).toContain('cannot be deleted');
    await ok('pools', 'set', 'default_pool', '5');
    for (let i = 0; i < 500 && (await why()).startsWith('hello is scheduled'); i++) await sleep(20);
    expect(await why()).toMatch(/^hello is (running|success)/);
    await ok('pools', 'set', 'other', '1');
    await ok('pools', 'delete', 'other');
  });

  it('holds a task, says so, takes a priority and a note, releases it; aborts', async () => {
    await ok('pools', 'set', 'default_pool', '0');
    await ok('dags', 'trigger', 'greet', '--run-id', 'held');
    const why = async () => await ok('tasks', 'why', 'greet', 'held', 'hello');
    for (let i = 0; i < 200 && !(await why()).includes('hello is scheduled'); i++) await sleep(20);
    expect(await ok('tasks', 'hold', 'greet', 'held', 'hello')).toBe('1 held: hello\n');
    await ok('pools', 'set', 'default_pool', '5');
    for (let i = 0; i < 200 && !(await why()).includes('without a status'); i++) await sleep(20);
    expect(await why()).toMatch(/it waits because:\n.*\n✖ +held +the task instance is held/);
    expect(rowsOf(await ok('tasks', 'list', 'greet', 'held'))[0]).toContain('the task is held');
    await ok('tasks', 'set', 'greet', 'held', 'hello', '--priority', '3', '--retries', '1');
    await ok('runs', 'note', 'greet', 'held', 'late data');
    expect(await ok('runs', 'show', 'greet', 'held')).toContain('late data (user:local)');
    expect(await ok('tasks', 'release', 'greet', 'held', 'hello')).toBe('1 released: hello\n');
    for (let i = 0; i < 500 && !(await why()).startsWith('hello is success'); i++) await sleep(20);
    expect(await why()).toMatch(/^hello is success/);
    expect(await ok('runs', 'abort', 'greet', 'held')).toBe('run held of greet has ended: success\n');
  });

  it('keeps variables and connections', async () => {
    await ok('variables', 'set', 'color', 'green', '--description', 'of the day');
    expect(await ok('variables', 'get', 'color')).toBe('green\n');
    await ok('variables', 'delete', 'color');
    expect((await call('variables', 'get', 'color')).code).toBe(1);
    await ok('connections', 'set', 'db', '--uri', 'sqlite:////tmp/x.db');
    expect(rowsOf(await ok('connections', 'list'))[0]?.slice(0, 2)).toEqual(['db', 'sqlite']);
    await ok('connections', 'delete', 'db');
  });

  it('verifies the history while the platform runs, backs it up and restores it', async () => {
    expect(await ok('history', 'verify')).toContain('the history is whole');
    const backup = join(data, '../backup');
    expect(await ok('backup', backup)).toContain(backup);
    const restored = join(data, '../restored');
    expect((await rondo(['restore', backup, '--data', restored])).code).toBe(0);
    expect((await rondo(['history', 'show', 'greet', 'r1', '--offline', '--data', restored])).out).toContain(
      'RunSucceeded',
    );
  });
});
