/** The first command, as somebody types it: what it prints, how it ends, and what it refuses. */
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { readConfig } from '@rondo/standalone';
import type { ProcessOptions } from './platform-process.ts';
import { isAlive, Project, until, type Row } from './project.ts';

const root = join(import.meta.dirname, '../..');
jest.setTimeout(120_000);
const ESCAPE = '\u001b';

interface Result {
  readonly errorsByApp: Readonly<Record<string, number>>;
  readonly topTemplates: readonly Row[];
  readonly alerts: readonly Row[];
}

let project: Project;
beforeAll(() => {
  project = new Project();
  project.write(
    'own.ts',
    `import { BashOperator } from '@rondo/operators';
import { Dag, task } from '@rondo/sdk';

export default [
  new Dag({ id: 'broken_task' }, () => void task('fail', () => { throw new Error('as it must'); })),
  new Dag({ id: 'long' }, () => {
    new BashOperator({ id: 'shell', command: 'sleep 600 & sleep 600' });
    task('function', (ctx) => new Promise((resolve) => ctx.signal.addEventListener('abort', resolve)));
  }),
];
`,
  );
});
afterAll(() => project.remove());

/** Starts the platform with what must make it end by itself. */
async function ends(args: readonly string[], options: Partial<ProcessOptions> = {}) {
  const platform = project.start({ args, data: join(project.folder, 'refused'), ...options });
  const { code } = await platform.exited;
  return { code, out: platform.output, err: platform.errors };
}

describe('npm start -- --once --json', () => {
  it('runs the example, shows its progress line by line, and ends with one JSON object', async () => {
    const { code, out, err } = await ends(['--once', '--json', '--port', '0'], {
      data: join(project.folder, 'example'),
      dags: join(root, 'dags'),
    });
    expect({ code, err: code === 0 ? '' : err }).toEqual({ code: 0, err: '' });
    const result = JSON.parse(out.trimEnd().split('\n').at(-1)!) as Row & { readonly report: Result };
    expect(Object.keys(result)).toEqual(['dagId', 'runId', 'state', 'seconds', 'events', 'report']);
    expect(result).toMatchObject({ dagId: 'monitor_errors', state: 'success', runId: expect.any(String) });
    expect(result['seconds']).toBeGreaterThan(0);
    expect(result['events']).toBeGreaterThan(30);
    expect(Object.keys(result.report)).toEqual(['errorsByApp', 'topTemplates', 'alerts']);
    expect(result.report.errorsByApp).toMatchObject({ securityApp: 0, extApp: 24, messageApp: 5 });
    expect(result.report.topTemplates[0]).toMatchObject({ app: 'extApp', count: 14 });
    expect(result.report.alerts).toContainEqual({ app: 'extApp', errors: 24, limit: 20 });
    for (const line of [
      / download_securityApp\.log {2}success /,
      / drop_exception {2}success /,
      / check_threshold {2}success /,
    ])
      expect(err.split('\n').filter((text) => line.test(text))).toHaveLength(1);
    expect(err).toMatch(/API on http:\/\/127\.0\.0\.1:\d+/);
    expect(err).toContain('Errors by application');
    expect(out + err).not.toContain(ESCAPE);
  });

  it('ends with status 1 when the run fails, or there is no such DAG', async () => {
    const failed = await ends(['--once', '--json', '--port', '0', '--run', 'broken_task']);
    expect(failed.code).toBe(1);
    expect(JSON.parse(failed.out.trimEnd().split('\n').at(-1)!)).toMatchObject({
      dagId: 'broken_task',
      state: 'failed',
    });
    expect(failed.err).toContain('  fail: as it must\n');
    const missing = await ends(['--once', '--port', '0', '--run', 'nowhere']);
    expect(missing.code).toBe(1);
    expect(missing.err).toContain(`there is no DAG 'nowhere' in ${project.dags}`);
  });
});

describe('a platform that stays up', () => {
  it('refuses a second one on its data folder, goes on, and takes everything with it when it is asked to stop', async () => {
    const first = await project.serve();
    const runId = await first.trigger('long');
    await first.taskIs('long', runId, 'shell', 'running');
    await first.taskIs('long', runId, 'function', 'running');
    const pids = await until('process ids', async () => {
      const rows = [await first.task('long', runId, 'shell'), await first.task('long', runId, 'function')];
      return rows.every((row) => typeof row['pid'] === 'number') && rows.map((row) => row['pid'] as number);
    });

    const second = project.start();
    expect((await second.exited).code).toBe(1);
    expect(second.errors).toContain(`process ${first.platform.pid}`);
    expect(second.errors).toContain(project.data);
    expect(await first.get('/health')).toMatchObject({ status: 'ok' });
    expect(JSON.parse(readFileSync(join(project.data, 'api.json'), 'utf8'))).toMatchObject({ url: first.url });

    expect(pids.every(isAlive)).toBe(true);
    expect(await first.platform.end('SIGTERM')).toBe(0);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(await project.leftovers()).toEqual([]);
  });
});

describe('the door', () => {
  let taken: Server;
  let port: number;
  beforeAll(async () => {
    taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    port = (taken.address() as AddressInfo).port;
  });
  afterAll(() => new Promise((resolve) => taken.close(resolve)));

  it('is at the next free port when nobody has chosen one', async () => {
    // Where something else has the port already, that does as well.
    const usual = createServer().on('error', () => undefined);
    await new Promise((resolve) => usual.once('error', resolve).listen(8080, '127.0.0.1', () => resolve(undefined)));
    const served = await project.serve({ data: join(project.folder, 'usual'), args: ['--no-run'] });
    expect(Number(new URL(served.url).port)).toBeGreaterThan(8080);
    expect(served.platform.output).toContain(`API on ${served.url}`);
    await served.platform.end();
    usual.close();
  });

  it('is not opened where it was asked to be and cannot', async () => {
    const inUse = await ends(['--no-run', '--port', String(port)]);
    expect(inUse.code).toBe(1);
    expect(inUse.err).toContain(`port ${port} of 127.0.0.1 is in use: choose another with --port`);
    const open = await ends(['--no-run', '--port', '0', '--host', '0.0.0.0'], { env: { RONDO_API_TOKEN: '' } });
    expect(open.code).not.toBe(0);
    expect(open.err).toContain('RONDO_API_TOKEN');
  });
});

describe('what was meant otherwise', () => {
  it('ends it with status 2: every flag is named, its value, and what is allowed', async () => {
    const { code, out, err } = await ends(['--port', '70000', '--workers', 'many', '--executor', 'kubernetes']);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain('--port "70000": at most 65535');
    expect(err).toContain('--workers "many": a whole number from 1 to 1000');
    expect(err).toMatch(/--executor "kubernetes": .*"local".*"sequential"/);
    expect(err).toContain('--port N ');
  });

  const problems = (args: readonly string[], env: Readonly<Record<string, string>> = {}): string => {
    const result = readConfig(args, env, '/');
    return result.kind === 'bad' ? result.problems.join('\n') : result.kind;
  };

  it.each([
    [['--prot', '1'], "Unknown option '--prot'"],
    [['--port'], "Option '--port <value>' argument missing"],
    [['dags'], "Unexpected argument 'dags'"],
    [['--parse-timeout', '0'], '--parse-timeout "0": at least 1'],
    [['--once', '--no-run'], '--once runs a DAG and --no-run runs none: only one of them is allowed'],
  ])('%s: %s', (args, problem) => expect(problems(args)).toContain(problem));

  it('names an environment variable too, but not a token, and takes an empty one for none', () => {
    expect(problems([], { RONDO_PORT: 'x' })).toBe('RONDO_PORT "x": a whole number from 0 to 65535 is wanted');
    expect(problems([], { RONDO_API_TOKEN: 'hush' })).toBe('RONDO_API_TOKEN: at least 16 characters');
    expect(problems([], { RONDO_API_TOKEN: '', RONDO_PORT: '', RONDO_DATA: '' })).toBe('run');
  });

  it('a folder of DAGs that is not there', async () => {
    const missing = join(project.folder, 'no-dags');
    const { code, err } = await ends(['--no-run', '--port', '0'], {
      dags: missing,
      data: join(project.folder, 'untouched'),
    });
    expect({ code, err }).toEqual({
      code: 1,
      err: `rondo: --dags '${missing}' is not a folder: the path of a folder with DAG files is wanted\n`,
    });
    expect(existsSync(join(project.folder, 'untouched'))).toBe(false);
  });
});
