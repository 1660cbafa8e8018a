import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  assignment,
  Driver,
  eventually,
  isAlive,
  processesOf,
  Project,
  type Finished,
} from '../test/fixtures/harness.ts';
import type { WorkerOptions } from './options.ts';

let project: Project;
let driver: Driver;

async function start(options: Partial<WorkerOptions> = {}): Promise<Driver> {
  driver = await new Driver(project.workerOptions(options)).start();
  return driver;
}

beforeEach(() => {
  project = new Project();
});

afterEach(async () => {
  await driver?.session.stop(0);
  project.remove();
});

const errorOf = ({ outcome }: Finished) => {
  if (outcome.kind !== 'failed') throw new Error(`expected a failure, got ${JSON.stringify(outcome)}`);
  return outcome.error;
};

describe('a child', () => {
  it.each([
    [
      'process.exit(3)',
      {
        kind: 'exit',
        exitCode: 3,
        logTail: ['before the end'],
        message: expect.stringMatching(
          /^the task called process\.exit\(3\) at .*d\.ts:\d+:\d+: a task ends by returning or throwing$/,
        ) as string,
      },
    ],
    [
      `process.kill(process.pid, 'SIGKILL')`,
      {
        kind: 'exit',
        signal: 'SIGKILL',
        logTail: ['before the end'],
        message: `the task's process was ended by SIGKILL`,
      },
    ],
    [
      `setTimeout(() => { throw new TypeError('later') }, 1); await new Promise(() => {})`,
      { kind: 'exception', type: 'TypeError', message: 'later' },
    ],
    [
      `Promise.reject(new RangeError('unheard')); await new Promise(() => {})`,
      { kind: 'exception', type: 'RangeError', message: 'unheard' },
    ],
  ])('that ends by %s fails only its own attempt', async (code, error) => {
    project.bundle(
      'b',
      `task('bad', async () => { console.log('before the end'); ${code} });\ntask('good', async () => 1)`,
    );
    await start();
    const bad = assignment('bad');
    driver.session.assign([bad, assignment('good')]);
    const report = await driver.finished(bad.id);
    expect(errorOf(report)).toMatchObject(error);
    expect(report.outcome).toMatchObject({ retryable: true, callbacksRan: false });
    expect((await driver.finished(assignment('good').id)).outcome.kind).toBe('success');
    expect(project.log(bad.attempt)).toContainEqual(expect.objectContaining({ text: 'before the end' }));
  });

  it('that is killed from outside fails only its own attempt', async () => {
    project.bundle(
      'b',
      `task('bad', async () => new Promise((done) => setTimeout(done, 60_000)));\ntask('good', async () => 1)`,
    );
    await start();
    const bad = assignment('bad');
    driver.session.assign([bad, assignment('good')]);
    const started = await driver.started(bad.id);
    process.kill((started as { pid: number }).pid, 'SIGKILL');
    expect(errorOf(await driver.finished(bad.id))).toMatchObject({ kind: 'exit', signal: 'SIGKILL' });
    expect((await driver.finished(assignment('good').id)).outcome.kind).toBe('success');
  });

  it.each([
    ['a timer', `setInterval(() => {}, 1000)`],
    ['a socket', `createServer().listen(0)`],
    ['a process', `spawn('sleep', ['60'])`],
    ['output', `setTimeout(() => console.log('late'), 30).unref()`],
  ])('that an attempt leaves with %s is replaced', async (_what, code) => {
    project.bundle(
      'b',
      `task('a', async () => { ${code}; return process.pid; });\ntask('b', async () => process.pid)`,
      `import { createServer } from 'node:net'; import { spawn } from 'node:child_process';`,
    );
    await start();
    const first = await driver.run(assignment('a'));
    expect(first.outcome.kind).toBe('success');
    await eventually(() => !isAlive(first.pid));
    expect((await driver.run(assignment('b'))).pid).not.toBe(first.pid);
  });

  it('is replaced after its number of attempts', async () => {
    project.bundle('b', `task('a', async () => 1)`);
    await start({ limits: { maxAttempts: 3, recycleAgeMs: 0 } });
    const pids: number[] = [];
    for (let i = 1; i <= 7; i++) pids.push((await driver.run(assignment('a', i))).pid);
    expect(new Set(pids).size).toBe(3);
  });

  it('is replaced when it has grown too large', async () => {
    project.bundle('b', `const kept = [];\ntask('a', async () => { kept.push(Buffer.alloc(64 * 1_048_576, 1)); })`);
    await start({ limits: { maxRssMiB: 96 } });
    const first = await driver.run(assignment('a'));
    expect((await driver.run(assignment('a', 2))).pid).not.toBe(first.pid);
  });
});

describe('ending an attempt', () => {
  const forks = (extra = '') => `task('bad', async (ctx) => {
      const { pid } = spawn('sh', ['-c', 'trap "" TERM; sleep 1000 & while true; do sleep 1000; done'], ${extra || '{}'});
      console.log('child ' + pid);
      await new Promise(() => {});
    });`;

  it('by its time limit kills the whole process group, also what ignores SIGTERM', async () => {
    project.bundle('b', forks(), `import { spawn } from 'node:child_process';`);
    await start();
    const given = assignment('bad', 1, { executionTimeoutMs: 1_500 });
    const report = await driver.run(given);
    expect(errorOf(report)).toEqual({
      kind: 'timeout',
      message: 'the attempt ran longer than its executionTimeout of 1.5s',
    });
    expect(report.outcome).toMatchObject({ retryable: true, callbacksRan: false });
    const pid = Number(/child (\d+)/.exec(project.log(given.attempt)[0]!.text)![1]);
    expect(isAlive(pid)).toBe(false);
    expect(processesOf(project.folder).every((one) => one !== pid)).toBe(true);
  });

  it('reaches processes that have left the group', async () => {
    project.bundle('b', forks(`{ detached: true, stdio: 'ignore' }`), `import { spawn } from 'node:child_process';`);
    await start();
    const given = assignment('bad');
    driver.session.assign([given]);
    await eventually(() => project.log(given.attempt).length > 0);
    driver.session.cancel([given.id], 'not wanted any more');
    const report = await driver.finished(given.id);
    expect(errorOf(report)).toEqual({ kind: 'cancelled', message: 'not wanted any more' });
    const pid = Number(/child (\d+)/.exec(project.log(given.attempt)[0]!.text)![1]);
    await eventually(() => !isAlive(pid));
  });

  it('tells the body first', async () => {
    project.bundle(
      'b',
      `task('a', async (ctx) => { await new Promise((done) => ctx.signal.addEventListener('abort', done)); console.log('tidied up: ' + ctx.signal.reason.name); throw ctx.signal.reason; })`,
    );
    await start({ limits: { abortMs: 10_000 } });
    const given = assignment('a', 1, { executionTimeoutMs: 1_500 });
    const report = await driver.run(given);
    expect(errorOf(report).kind).toBe('timeout');
    expect(project.log(given.attempt)).toContainEqual(expect.objectContaining({ text: 'tidied up: TimeoutError' }));
  });

  it('drops what has not begun', async () => {
    const file = join(project.folder, 'ran');
    project.bundle(
      'b',
      `task('slow', async () => new Promise((done) => setTimeout(done, 300)));\ntask('a', async () => writeFileSync(${JSON.stringify(file)}, ''))`,
      `import { writeFileSync } from 'node:fs';`,
    );
    await start();
    driver.session.assign([assignment('slow'), assignment('a')]);
    driver.session.cancel([assignment('a').id], 'changed my mind');
    expect(errorOf(await driver.finished(assignment('a').id))).toEqual({
      kind: 'cancelled',
      message: 'changed my mind',
    });
    await driver.finished(assignment('slow').id);
    expect(existsSync(file)).toBe(false);
  });

  it('makes it lost where that is asked for, begun or not', async () => {
    project.bundle('b', `task('a', async () => new Promise(() => {}));\ntask('waits', async () => 1)`);
    await start();
    driver.session.assign([assignment('a'), assignment('waits')]);
    await driver.started(assignment('a').id);
    driver.session.cancel([assignment('a').id, assignment('waits').id], 'nobody is there', 'lost');
    for (const id of [assignment('a').id, assignment('waits').id])
      expect(await driver.report((report) => report.kind === 'lost' && report.id === id)).toMatchObject({
        reason: 'nobody is there',
      });
  });

  it('by stopping the worker makes it lost', async () => {
    project.bundle('b', `task('a', async () => new Promise(() => {}))`);
    await start();
    driver.session.assign([assignment('a')]);
    await driver.started(assignment('a').id);
    await driver.session.stop(50);
    expect(driver.reports.at(-1)).toMatchObject({
      kind: 'lost',
      id: assignment('a').id,
      reason: 'the worker was stopped while the attempt was running',
    });
  });
});

describe('the data folder', () => {
  it('is closed to a task, with an error that says so', async () => {
    const secret = join(project.data, 'secret.txt');
    const other = join(project.folder, 'input.txt');
    project.write('.rondo/secret.txt', 'hidden');
    writeFileSync(other, 'open');
    project.bundle(
      'b',
      `
      task('read', async () => readFileSync('.rondo/secret.txt', 'utf8'));
      task('write', async () => writeFileSync(${JSON.stringify(secret)}, ''));
      task('list', async () => readdirSync('.rondo'));
      task('proc', async () => readFileSync('/proc/self/cwd/.rondo/secret.txt', 'utf8'));
      task('sqlite', async () => new DatabaseSync('.rondo/secret.txt'));
      task('attach', async () => { const db = new DatabaseSync(':memory:'); db.exec("attach database '.rondo/secret.txt' as a"); });
      task('allowed', async () => {
        writeFileSync('output.txt', 'made');
        mkdirSync('.', { recursive: true });
        const scratch = mkdtempSync(join(tmpdir(), 'x-'));
        writeFileSync(join(scratch, 'y'), '1');
        new DatabaseSync('own.db').close();
        return [readFileSync('input.txt', 'utf8'), readFileSync('output.txt', 'utf8'), readdirSync('.').sort(), existsSync('..'), statSync('/').isDirectory(), readdirSync('.', { withFileTypes: true })[0].parentPath];
      });`,
      `import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';\nimport { tmpdir } from 'node:os';\nimport { join } from 'node:path';\nimport { DatabaseSync } from 'node:sqlite';`,
    );
    await start();
    const refusal = (verb: string, path: string) =>
      `${verb} '${path}' is not allowed: it is in the data folder of the platform (${project.data}), which is closed to DAG files and tasks`;
    expect(errorOf(await driver.run(assignment('read'))).message).toBe(refusal('reading', secret));
    expect(errorOf(await driver.run(assignment('write'))).message).toBe(refusal('writing', secret));
    expect(errorOf(await driver.run(assignment('list'))).message).toBe(refusal('reading', project.data));
    expect(errorOf(await driver.run(assignment('sqlite'))).message).toContain('is not allowed');
    expect(errorOf(await driver.run(assignment('attach'))).message).toMatch(/not authorized/);
    // Where there is no /proc there is no such file.
    expect(errorOf(await driver.run(assignment('proc'))).message).toMatch(/is not allowed|ENOENT/);
    const { outcome } = await driver.run(assignment('allowed'));
    expect(outcome).toMatchObject({
      kind: 'success',
      xcoms: {
        return_value: { value: ['open', 'made', ['.rondo', 'input.txt', 'output.txt', 'own.db'], true, true, '.'] },
      },
    });
    expect(readFileSync(secret, 'utf8')).toBe('hidden');
  });
});

const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;

(isRoot ? describe : describe.skip)(`another user for user code${isRoot ? '' : ' [skipped: needs root]'}`, () => {
  it('runs children as that user, and closes the data folder to what they start', async () => {
    chmodSync(project.folder, 0o755);
    project.write('.rondo/secret.txt', 'hidden');
    project.bundle(
      'b',
      `task('a', async () => [process.getuid(), execSync('id -u; cat .rondo/secret.txt 2>&1; echo kept > $TMPDIR/x; cat $TMPDIR/x', { encoding: 'utf8' })])`,
      `import { execSync } from 'node:child_process';`,
    );
    await start({ runAsUser: { uid: NOBODY, gid: NOBODY } });
    const { outcome } = await driver.run(assignment('a'));
    expect(outcome).toMatchObject({
      kind: 'success',
      xcoms: { return_value: { value: [NOBODY, `${NOBODY}\ncat: .rondo/secret.txt: Permission denied\nkept\n`] } },
    });
  });
});

describe('a callback', () => {
  it('runs apart from its attempt, and its error is reported', async () => {
    project.write(
      '.rondo/bundles/b/d.ts',
      `import { dag, task } from '@rondo/sdk';
      export default dag('d', { onFailure: async (ctx) => { console.log('dag failed: ' + ctx.reason); } }, () => {
        task('a', async () => 1, { onFailure: async (ctx) => { console.log('told of ' + ctx.reason); throw new Error('nobody there'); } });
      });`,
    );
    await start();
    const { attempt, bundle, run, position } = assignment('a');
    const shared = { bundle, run, position, dagId: 'd', runId: 'r', callback: 'onFailure', reason: 'the end' } as const;
    driver.session.runCallbacks([
      { ...shared, id: 'one', attempt },
      { ...shared, id: 'two' },
    ]);
    const first = await driver.report((report) => report.id === 'one');
    expect(first).toMatchObject({ kind: 'callback', error: { kind: 'exception', message: 'nobody there' } });
    expect(project.log(attempt)).toContainEqual(expect.objectContaining({ text: 'told of the end' }));
    const second = await driver.report((report) => report.id === 'two');
    expect(second).toEqual({ kind: 'callback', id: 'two', at: expect.any(Number) as number });
    await eventually(() => driver.notices.some((text) => text.includes('dag failed: the end')));
  });
});
