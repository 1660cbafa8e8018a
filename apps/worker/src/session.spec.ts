import { join } from 'node:path';
import {
  assignment,
  Driver,
  eventually,
  isAlive,
  NO_SERVICES,
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
    project.bundle(
      'b',
      `task('a', async () => ({ pid: process.pid, cwd: process.cwd(), trace: process.env.TRACEPARENT }))`,
    );
    await start();
    const given = assignment('a');
    const report = await driver.run(given);
    expect(report.outcome).toMatchObject({
      kind: 'success',
      xcoms: { return_value: { value: { pid: report.pid, cwd: project.folder, trace: given.traceparent } } },
    });
    expect(report.pid).not.toBe(process.pid);
    expect(driver.hello).toMatchObject({
      worker: 'local',
      slots: 1,
      queues: ['default'],
      interrupted: [],
      journalIntact: true,
    });
  });

  it('shares a warm child with the attempts before it, one at a time', async () => {
    project.bundle(
      'b',
      `let running = 0; let seen = 0;\ntask('a', async () => { running++; seen++; await null; const at = running; running--; return [at, seen]; })`,
    );
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
    expect(errorOf(lost)).toMatchObject({
      kind: 'load',
      message: expect.stringContaining('the bundle nowhere could not be unpacked') as string,
    });
    const other = assignment('a', 2);
    const report = await driver.run({ ...other, attempt: { ...other.attempt, dagId: 'e' } });
    expect(errorOf(report)).toMatchObject({ kind: 'load', message: `d.ts holds no DAG 'e', only d` });
  });

  it('reports started only when it takes a while', async () => {
    project.bundle(
      'b',
      `task('fast', async () => 1);\ntask('slow', async () => new Promise((done) => setTimeout(done, 1_500)))`,
    );
    await start({ limits: { startedAfterMs: 20 } });
    await driver.run(assignment('fast'));
    await driver.run(assignment('slow'));
    for (let i = 1; i <= 5; i++) await driver.run(assignment('fast', i + 1));
    expect(driver.reports.some(({ kind, id }) => kind === 'started' && id === assignment('slow').id)).toBe(true);
  });

  it('sees an allow-listed environment', async () => {
    process.env['RONDO_SECRET_KEY'] = 'not for tasks';
    process.env['RONDO_EXAMPLE_LOGS'] = '/logs';
    project.bundle(
      'b',
      `task('a', async (ctx) => { const seen = { ...process.env, ...ctx.env }; process.env.LEFT = '1'; return seen; })`,
    );
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
    project.bundle(
      'b',
      `
      task('a', async (ctx) => {
        const key = await ctx.variables.get('key');
        const { password } = await ctx.connections.get('db');
        console.log('key ' + key + ' and ' + encodeURIComponent(password));
        ctx.log.warn('password ' + password);
        throw new Error('refused ' + password);
      })`,
    );
    const asked: string[] = [];
    await start({
      secrets: ['configured-secret'],
      services: {
        ...NO_SERVICES,
        variable: async (id, key) => (asked.push(`${id} ${key}`), 'the-key-value'),
        connection: async (id, connId) => (
          asked.push(`${id} ${connId}`),
          { connId, connType: 'http', login: 'me', password: 's3cret/pw' }
        ),
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
    project.bundle(
      'b',
      `
      task('a', async (ctx) => 'x'.repeat(100_000));
      task('b', async (ctx) => ctx.variables.get('broken'));`,
    );
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
    expect((await driver.run(assignment('a'))).outcome).toMatchObject({
      kind: 'success',
      xcoms: { return_value: { blob: 'h'.repeat(64) } },
    });
    expect(Buffer.from(blobs[0]!).toString()).toBe(JSON.stringify('x'.repeat(100_000)));
    expect(errorOf(await driver.run(assignment('b'))).message).toContain('the store is away');
  });
});

describe('output', () => {
  it('goes line by line to the log of the attempt that wrote it', async () => {
    project.bundle(
      'b',
      `task('a', async (ctx) => { for (let i = 0; i < 3; i++) console.log(ctx.tryNumber + ' line ' + i); process.stderr.write(ctx.tryNumber + ' no line break'); })`,
    );
    await start();
    const given = Array.from({ length: 10 }, (_, i) => assignment('a', i + 1));
    driver.session.assign(given);
    for (const { id, attempt } of given) {
      await driver.finished(id);
      const n = attempt.tryNumber;
      const texts = project.log(attempt).map(({ stream, text }) => `${stream} ${text}`);
      expect(texts.sort()).toEqual([
        `stderr ${n} no line break`,
        `stdout ${n} line 0`,
        `stdout ${n} line 1`,
        `stdout ${n} line 2`,
      ]);
    }
  });

  it('of 10 MB, of one line of 5 MB and of processes that a task starts is taken, with long lines cut', async () => {
    project.bundle(
      'b',
      `
      task('many', async () => { for (let i = 0; i < 100_000; i++) console.log('x'.repeat(100)); });
      task('long', async () => { process.stdout.write('y'.repeat(5_000_000)); console.log('end'); console.log('after'); });
      task('shell', async () => { spawnSync('echo', ['from a process'], { stdio: 'inherit' }); });`,
      `import { spawnSync } from 'node:child_process';`,
    );
    await start();
    const [many, long, shell] = ['many', 'long', 'shell'].map((taskId) => assignment(taskId)) as [
      ReturnType<typeof assignment>,
      ReturnType<typeof assignment>,
      ReturnType<typeof assignment>,
    ];
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
    expect(lines.at(-1)).toMatchObject({
      stream: 'system',
      text: 'The log is cut here: the attempt has written more than 10000 bytes',
    });
  });
});

describe('children of several bundles', () => {
  it('stay warm side by side, and one that is not needed any more ends', async () => {
    for (const hash of ['b', 'c', 'e']) project.bundle(hash, `task('a', async () => 1)`);
    await start({ limits: { slots: 1, maxChildren: 4, idleMs: 1_500 } });
    const pids = new Map<string, number>();
    for (let round = 1; round <= 3; round++) {
      for (const hash of ['b', 'c', 'e']) {
        const { pid } = await driver.run(
          assignment(`a`, round * 10 + hash.charCodeAt(0), { bundle: { hash, file: 'd.ts' } }),
        );
        pids.set(`${hash} ${pid}`, pid);
      }
    }
    expect(pids.size).toBe(3);
    await eventually(() => [...pids.values()].filter((pid) => isAlive(pid)).length <= 1);
  });

  it('take turns where there is room for one', async () => {
    for (const hash of ['b', 'c'])
      project.bundle(hash, `task('a', async () => new Promise((done) => setTimeout(done, 20)))`);
    await start({ limits: { slots: 1, maxChildren: 1 } });
    const many = Array.from({ length: 100 }, (_, i) => assignment('a', i + 1));
    const other = assignment('a', 1_000, { bundle: { hash: 'c', file: 'd.ts' } });
    driver.session.assign([...many.slice(0, 10), other, ...many.slice(10)]);
    await driver.finished(other.id);
    expect(driver.reports.filter(({ kind }) => kind === 'finished').length).toBeLessThan(101);
    await driver.finished(many.at(-1)!.id);
  });
});
