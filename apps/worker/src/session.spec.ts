import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assignment, Driver, eventually, isAlive, NO_SERVICES, processesOf, Project, type Finished } from '../test/fixtures/harness.ts';
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
  expect(processesOf(project.folder)).toEqual([]);
  project.remove();
});

const valueOf = (outcome: Finished['outcome']): unknown => {
  const xcom = outcome.kind === 'success' ? outcome.xcoms?.['return_value'] : undefined;
  return xcom !== undefined && 'value' in xcom ? xcom.value : undefined;
};

const errorOf = ({ outcome }: Finished) => {
  if (outcome.kind !== 'failed') throw new Error(`expected a failure, got ${JSON.stringify(outcome)}`);
  return outcome.error;
};

describe('an attempt', () => {
  it('runs in a child, and reports its result in one message', async () => {
    project.bundle('b', `task('a', async () => ({ pid: process.pid, cwd: process.cwd(), trace: process.env.TRACEPARENT }))`);
    await start();
    const given = assignment('a');
    const report = await driver.run(given);
    expect(report.outcome).toMatchObject({ kind: 'success', xcoms: { return_value: { value: { pid: report.pid, cwd: project.folder, trace: given.traceparent } } } });
    expect(report.pid).not.toBe(process.pid);
    expect(driver.hello).toMatchObject({ worker: 'local', slots: 1, queues: ['default'], interrupted: [], journalIntact: true });
  });

  it('shares a warm child with the attempts before it, one at a time', async () => {
    project.bundle('b', `let running = 0; let seen = 0;\ntask('a', async () => { running++; seen++; await null; const at = running; running--; return [at, seen]; })`);
    await start();
    const given = Array.from({ length: 50 }, (_, i) => assignment('a', i + 1));
    driver.session.assign(given);
    const reports = await Promise.all(given.map(({ id }) => driver.finished(id)));
    expect(new Set(reports.map(({ pid }) => pid)).size).toBe(1);
    expect(reports.map(({ outcome }) => valueOf(outcome))).toEqual(given.map((_, i) => [1, i + 1]));
  });

  it('is dropped when it was seen before', async () => {
    project.bundle('b', `let runs = 0;\ntask('a', async () => ++runs);\ntask('runs', async () => runs)`);
    await start();
    await driver.run(assignment('a'));
    driver.session.assign([assignment('a'), assignment('a')]);
    const { outcome } = await driver.run(assignment('runs'));
    expect(outcome).toMatchObject({ xcoms: { return_value: { value: 1 } } });
  });

  it('never shares a child with another bundle', async () => {
    project.bundle('b', `task('a', async () => process.pid)`);
    project.bundle('c', `task('a', async () => process.pid)`);
    await start({ limits: { slots: 1, maxChildren: 1 } });
    const first = await driver.run(assignment('a'));
    const second = await driver.run(assignment('a', 2, { bundle: { hash: 'c', file: 'd.ts' } }));
    expect(second.outcome.kind).toBe('success');
    expect(second.pid).not.toBe(first.pid);
    await eventually(() => !isAlive(first.pid));
  });

  it('says which file and DAG are missing', async () => {
    project.bundle('b', `task('a', async () => 1)`);
    await start();
    const lost = await driver.run(assignment('a', 1, { bundle: { hash: 'nowhere', file: 'd.ts' } }));
    expect(errorOf(lost)).toMatchObject({ kind: 'load', message: expect.stringContaining('the bundle nowhere could not be unpacked') as string });
    const other = assignment('a', 2);
    const report = await driver.run({ ...other, attempt: { ...other.attempt, dagId: 'e' } });
    expect(errorOf(report)).toMatchObject({ kind: 'load', message: `d.ts holds no DAG 'e', only d` });
  });

  it('reports started only when it takes a while', async () => {
    project.bundle('b', `task('fast', async () => 1);\ntask('slow', async () => new Promise((done) => setTimeout(done, 100)))`);
    await start({ limits: { startedAfterMs: 20 } });
    await driver.run(assignment('fast'));
    await driver.run(assignment('slow'));
    for (let i = 1; i <= 5; i++) await driver.run(assignment('fast', i + 1));
    expect(driver.reports.some(({ kind, id }) => kind === 'started' && id === assignment('slow').id)).toBe(true);
  });

  it('sees an allow-listed environment', async () => {
    process.env['RONDO_SECRET_KEY'] = 'not for tasks';
    process.env['RONDO_EXAMPLE_LOGS'] = '/logs';
    project.bundle('b', `task('a', async (ctx) => { const seen = { ...process.env, ...ctx.env }; process.env.LEFT = '1'; return seen; })`);
    await start({ passEnv: ['RONDO_EXAMPLE_*'], env: { FIXED: 'yes' } });
    await driver.run(assignment('a'));
    const { outcome } = await driver.run(assignment('a', 2));
    const seen = valueOf(outcome) as Record<string, string>;
    expect(seen).toMatchObject({ RONDO_EXAMPLE_LOGS: '/logs', FIXED: 'yes', PATH: process.env['PATH'] });
    expect(Object.keys(seen)).not.toEqual(expect.arrayContaining(['RONDO_SECRET_KEY']));
    expect(seen['LEFT']).toBeUndefined();
    delete process.env['RONDO_SECRET_KEY'];
    delete process.env['RONDO_EXAMPLE_LOGS'];
  });

  it('finds npm packages of the project and the SDK from wherever its bundle lies', async () => {
    project.write('elsewhere/node_modules/left/package.json', '{"name":"left","main":"index.js"}');
    project.write('elsewhere/node_modules/left/index.js', `module.exports = 'found';`);
    project.bundle('b', `task('a', async () => left)`, `import left from 'left';`);
    await start({ moduleRoots: [join(project.folder, 'elsewhere')] });
    expect((await driver.run(assignment('a'))).outcome).toMatchObject({ xcoms: { return_value: { value: 'found' } } });
  });
});

describe('services', () => {
  it('reach the attempt, and what it looks up is masked in log, error and rendered fields', async () => {
    project.bundle('b', `
      task('a', async (ctx) => {
        const key = await ctx.variables.get('key');
        const { password } = await ctx.connections.get('db');
        console.log('key ' + key + ' and ' + encodeURIComponent(password));
        ctx.log.warn('password ' + password);
        throw new Error('refused ' + password);
      })`);
    const asked: string[] = [];
    await start({
      secrets: ['configured-secret'],
      services: {
        ...NO_SERVICES,
        variable: async (id, key) => (asked.push(`${id} ${key}`), 'the-key-value'),
        connection: async (id, connId) => (asked.push(`${id} ${connId}`), { connId, connType: 'http', login: 'me', password: 's3cret/pw' }),
      },
    });
    const given = assignment('a');
    const report = await driver.run(given);
    expect(asked).toEqual([`${given.id} key`, `${given.id} db`]);
    expect(errorOf(report)).toMatchObject({ kind: 'exception', message: 'refused ***' });
    const lines = project.log(given.attempt);
    expect(lines).toContainEqual(expect.objectContaining({ stream: 'stdout', text: 'key *** and ***' }));
    expect(lines).toContainEqual(expect.objectContaining({ stream: 'log', level: 'warn', text: 'password ***' }));
    expect(JSON.stringify([report, lines])).not.toMatch(/s3cret|the-key-value/);
  });

  it('carry bytes both ways, and errors', async () => {
    project.bundle('b', `
      task('a', async (ctx) => 'x'.repeat(100_000));
      task('b', async (ctx) => ctx.variables.get('broken'));`);
    const blobs: Uint8Array[] = [];
    await start({
      services: {
        ...NO_SERVICES,
        putBlob: async (_id, bytes) => (blobs.push(bytes), 'h'.repeat(64)),
        variable: async () => {
          throw new Error('the store is away');
        },
      },
    });
    expect((await driver.run(assignment('a'))).outcome).toMatchObject({ kind: 'success', xcoms: { return_value: { blob: 'h'.repeat(64) } } });
    expect(Buffer.from(blobs[0]!).toString()).toBe(JSON.stringify('x'.repeat(100_000)));
    expect(errorOf(await driver.run(assignment('b'))).message).toContain('the store is away');
  });
});

describe('output', () => {
  it('goes line by line to the log of the attempt that wrote it', async () => {
    project.bundle('b', `task('a', async (ctx) => { for (let i = 0; i < 3; i++) console.log(ctx.tryNumber + ' line ' + i); process.stderr.write(ctx.tryNumber + ' no line break'); })`);
    await start();
    const given = Array.from({ length: 10 }, (_, i) => assignment('a', i + 1));
    driver.session.assign(given);
    for (const { id, attempt } of given) {
      await driver.finished(id);
      const n = attempt.tryNumber;
      const texts = project.log(attempt).map(({ stream, text }) => `${stream} ${text}`);
      expect(texts.sort()).toEqual([`stderr ${n} no line break`, `stdout ${n} line 0`, `stdout ${n} line 1`, `stdout ${n} line 2`]);
    }
  });

  it('of 10 MB, of one line of 5 MB and of processes that a task starts is taken, with long lines cut', async () => {
    project.bundle('b', `
      task('many', async () => { for (let i = 0; i < 100_000; i++) console.log('x'.repeat(100)); });
      task('long', async () => { process.stdout.write('y'.repeat(5_000_000)); console.log('end'); console.log('after'); });
      task('shell', async () => { spawnSync('echo', ['from a process'], { stdio: 'inherit' }); });`, `import { spawnSync } from 'node:child_process';`);
    await start();
    const [many, long, shell] = ['many', 'long', 'shell'].map((taskId) => assignment(taskId)) as [ReturnType<typeof assignment>, ReturnType<typeof assignment>, ReturnType<typeof assignment>];
    driver.session.assign([many, long, shell]);
    expect((await driver.finished(many.id)).outcome.kind).toBe('success');
    expect(project.log(many.attempt)).toHaveLength(100_000);
    expect((await driver.finished(long.id)).outcome.kind).toBe('success');
    const lines = project.log(long.attempt).map(({ text }) => text);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^y{65536} … \[line cut: 4934467 more bytes\]$/);
    expect(lines[1]).toBe('after');
    await driver.finished(shell.id);
    expect(project.log(shell.attempt)).toMatchObject([{ stream: 'stdout', text: 'from a process' }]);
  });

  it('beyond the limit of a log is dropped with a notice', async () => {
    project.bundle('b', `task('a', async () => { for (let i = 0; i < 1000; i++) console.log('x'.repeat(100)); })`);
    await start({ limits: { maxLogBytes: 10_000 } });
    const given = assignment('a');
    await driver.run(given);
    const lines = project.log(given.attempt);
    expect(lines.length).toBeLessThan(100);
    expect(lines.at(-1)).toMatchObject({ stream: 'system', text: 'The log is cut here: the attempt has written more than 10000 bytes' });
  });
});

describe('a child', () => {
  it.each([
    ['process.exit(3)', { kind: 'exit', exitCode: 3, message: expect.stringMatching(/^the task called process\.exit\(3\) at .*d\.ts:\d+:\d+: a task ends by returning or throwing$/) as string }],
    [`process.kill(process.pid, 'SIGKILL')`, { kind: 'exit', signal: 'SIGKILL', message: `the task's process was ended by SIGKILL` }],
    [`setTimeout(() => { throw new TypeError('later') }, 1); await new Promise(() => {})`, { kind: 'exception', type: 'TypeError', message: 'later' }],
    [`Promise.reject(new RangeError('unheard')); await new Promise(() => {})`, { kind: 'exception', type: 'RangeError', message: 'unheard' }],
  ])('that ends by %s fails only its own attempt', async (code, error) => {
    project.bundle('b', `task('bad', async () => { console.log('before the end'); ${code} });\ntask('good', async () => 1)`);
    await start();
    const bad = assignment('bad');
    driver.session.assign([bad, assignment('good')]);
    const report = await driver.finished(bad.id);
    expect(errorOf(report)).toMatchObject(error);
    expect(report.outcome).toMatchObject({ retryable: true, callbacksRan: false });
    if (errorOf(report).kind === 'exit') expect(errorOf(report).logTail).toEqual(['before the end']);
    expect((await driver.finished(assignment('good').id)).outcome.kind).toBe('success');
    expect(project.log(bad.attempt)).toContainEqual(expect.objectContaining({ text: 'before the end' }));
  });

  it('that is killed from outside fails only its own attempt', async () => {
    project.bundle('b', `task('bad', async () => new Promise((done) => setTimeout(done, 60_000)));\ntask('good', async () => 1)`);
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
    project.bundle('b', `task('a', async () => { ${code}; return process.pid; });\ntask('b', async () => process.pid)`, `import { createServer } from 'node:net'; import { spawn } from 'node:child_process';`);
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
    const given = assignment('bad', 1, { executionTimeoutMs: 150 });
    const report = await driver.run(given);
    expect(errorOf(report)).toEqual({ kind: 'timeout', message: 'the attempt ran longer than its executionTimeout of 150ms' });
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
    project.bundle('b', `task('a', async (ctx) => { await new Promise((done) => ctx.signal.addEventListener('abort', done)); console.log('tidied up: ' + ctx.signal.reason.name); throw ctx.signal.reason; })`);
    await start({ limits: { abortMs: 10_000 } });
    const given = assignment('a', 1, { executionTimeoutMs: 50 });
    const report = await driver.run(given);
    expect(errorOf(report).kind).toBe('timeout');
    expect(project.log(given.attempt)).toContainEqual(expect.objectContaining({ text: 'tidied up: TimeoutError' }));
  });

  it('drops what has not begun', async () => {
    const file = join(project.folder, 'ran');
    project.bundle('b', `task('slow', async () => new Promise((done) => setTimeout(done, 300)));\ntask('a', async () => writeFileSync(${JSON.stringify(file)}, ''))`, `import { writeFileSync } from 'node:fs';`);
    await start();
    driver.session.assign([assignment('slow'), assignment('a')]);
    driver.session.cancel([assignment('a').id], 'changed my mind');
    expect(errorOf(await driver.finished(assignment('a').id))).toEqual({ kind: 'cancelled', message: 'changed my mind' });
    await driver.finished(assignment('slow').id);
    expect(existsSync(file)).toBe(false);
  });

  it('by stopping the worker makes it lost', async () => {
    project.bundle('b', `task('a', async () => new Promise(() => {}))`);
    await start();
    driver.session.assign([assignment('a')]);
    await driver.started(assignment('a').id);
    await driver.session.stop(50);
    expect(driver.reports.at(-1)).toMatchObject({ kind: 'lost', id: assignment('a').id, reason: 'the worker was stopped while the attempt was running' });
  });
});

describe('the data folder', () => {
  it('is closed to a task, with an error that says so', async () => {
    const secret = join(project.data, 'secret.txt');
    const other = join(project.folder, 'input.txt');
    project.write('.rondo/secret.txt', 'hidden');
    writeFileSync(other, 'open');
    project.bundle('b', `
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
      });`, `import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';\nimport { tmpdir } from 'node:os';\nimport { join } from 'node:path';\nimport { DatabaseSync } from 'node:sqlite';`);
    await start();
    const refusal = (verb: string, path: string) => `${verb} '${path}' is not allowed: it is in the data folder of the platform (${project.data}), which is closed to DAG files and tasks`;
    expect(errorOf(await driver.run(assignment('read'))).message).toBe(refusal('reading', secret));
    expect(errorOf(await driver.run(assignment('write'))).message).toBe(refusal('writing', secret));
    expect(errorOf(await driver.run(assignment('list'))).message).toBe(refusal('reading', project.data));
    expect(errorOf(await driver.run(assignment('sqlite'))).message).toContain('is not allowed');
    expect(errorOf(await driver.run(assignment('attach'))).message).toMatch(/not authorized/);
    if (process.platform === 'linux') expect(errorOf(await driver.run(assignment('proc'))).message).toContain('is not allowed');
    const { outcome } = await driver.run(assignment('allowed'));
    expect(outcome).toMatchObject({ kind: 'success', xcoms: { return_value: { value: ['open', 'made', ['.rondo', 'input.txt', 'output.txt', 'own.db'], true, true, '.'] } } });
    expect(readFileSync(secret, 'utf8')).toBe('hidden');
  });
});

describe('a callback', () => {
  it('runs apart from its attempt, and its error is reported', async () => {
    project.write('.rondo/bundles/b/d.ts', `import { dag, task } from '@rondo/sdk';
      export default dag('d', { onFailure: async (ctx) => { console.log('dag failed: ' + ctx.reason); } }, () => {
        task('a', async () => 1, { onFailure: async (ctx) => { console.log('told of ' + ctx.reason); throw new Error('nobody there'); } });
      });`);
    await start();
    const { attempt, bundle, run, position } = assignment('a');
    const shared = { bundle, run, position, dagId: 'd', runId: 'r', callback: 'onFailure', reason: 'the end' } as const;
    driver.session.runCallbacks([{ ...shared, id: 'one', attempt }, { ...shared, id: 'two' }]);
    const first = await driver.report((report) => report.id === 'one');
    expect(first).toMatchObject({ kind: 'callback', error: { kind: 'exception', message: 'nobody there' } });
    expect(project.log(attempt)).toContainEqual(expect.objectContaining({ text: 'told of the end' }));
    const second = await driver.report((report) => report.id === 'two');
    expect(second).toEqual({ kind: 'callback', id: 'two', at: expect.any(Number) as number });
    await eventually(() => driver.notices.some((text) => text.includes('dag failed: the end')));
  });
});
