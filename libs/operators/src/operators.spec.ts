import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { collectDags, Dag, executeAttempt, serialiseDag, task, type AttemptResult, type Task } from '@rondo/sdk';
import { isInWindow } from './branch/branch-date-time-operator.ts';
import {
  BashOperator,
  branch,
  BranchDateTimeOperator,
  BranchOperator,
  EmptyOperator,
  HttpOperator,
  LatestOnlyOperator,
  PythonOperator,
  shortCircuit,
  splitStatements,
  SqlOperator,
  TriggerDagRunOperator,
} from './index.ts';

const root = mkdtempSync(join(tmpdir(), 'rondo-operators-'));
afterAll(() => rmSync(root, { recursive: true }));

interface Ran extends AttemptResult {
  readonly log: string[];
}

interface World {
  readonly connections?: Record<string, object>;
  readonly signal?: AbortSignal;
  readonly onLog?: (line: string) => void;
  readonly conf?: never;
}

async function run(make: () => unknown, world: World = {}, taskId = 't'): Promise<Ran> {
  const { dags, errors } = collectDags({ default: new Dag({ id: 'd', timezone: 'Europe/Berlin' }, make) }, 'dag.ts');
  expect(errors).toEqual([]);
  const log: string[] = [];
  const result = await executeAttempt({
    dag: dags[0]!,
    input: {
      id: 'a',
      attempt: { dagId: 'd', runId: 'r', taskId, mapIndex: [], tryNumber: 1, leg: 1 },
      bundle: { hash: '', file: 'dag.ts' },
      run: {
        runType: 'manual',
        logicalDate: Date.UTC(2024, 11, 1, 5),
        dataInterval: null,
        runAfter: 0,
        startedAt: 0,
        conf: {},
        triggeredBy: 'user',
      },
      maxTries: 1,
      inputs: {},
      position: 0,
      traceparent: '',
    },
    services: {
      variable: async () => undefined,
      connection: async (_id, connId) => world.connections?.[connId] as never,
      xcom: async () => undefined,
      putBlob: async () => '',
      getBlob: async () => undefined,
    },
    signal: world.signal ?? new AbortController().signal,
    log: (level, line) => {
      log.push(`${level} ${line}`);
      world.onLog?.(line);
    },
    env: { PATH: process.env['PATH']!, HOME: root, INHERITED: 'yes' },
    root,
    cacheFolder: join(root, 'cache'),
  });
  return { ...result, log };
}

const value = ({ outcome, log }: Ran): unknown => {
  if (outcome.kind !== 'success') throw new Error(`${JSON.stringify(outcome)}\n${log.join('\n')}`);
  const stored = outcome.xcoms?.['return_value'];
  return stored !== undefined && 'value' in stored ? stored.value : stored;
};
const message = ({ outcome }: Ran): string =>
  outcome.kind === 'failed' ? outcome.error.message : JSON.stringify(outcome);
const isAlive = (pid: number): boolean => {
  try {
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};
const gone = async (pid: number): Promise<void> => {
  while (isAlive(pid)) await sleep(10);
};

describe('BashOperator', () => {
  const bash = (command: string, extra: object = {}, world: World = {}): Promise<Ran> =>
    run(() => new BashOperator({ id: 't', command, ...extra }), world);

  it('returns the last line and logs every line', async () => {
    const ran = await bash('echo one; echo err >&2; printf "two {{ ds }}"');
    expect(value(ran)).toBe('two 2024-12-01');
    expect(ran.log.filter((line) => line.startsWith('info'))).toEqual(['info one', 'info two 2024-12-01']);
    expect(ran.log).toContain('warn err');
    expect(ran.rendered).toEqual({ command: 'echo one; echo err >&2; printf "two 2024-12-01"' });
  });

  it('has the environment, the folder and the facts of the attempt', async () => {
    writeFileSync(join(root, 'beside.txt'), 'content');
    expect(value(await bash('echo "$INHERITED $RONDO_TASK_ID $RONDO_TRY_NUMBER $(cat beside.txt)"'))).toBe(
      'yes t 1 content',
    );
    expect(value(await bash('echo "[$INHERITED] $OWN"', { env: { OWN: '{{ ds }}' } }))).toBe('[] 2024-12-01');
    expect(value(await bash('echo "[$INHERITED] $OWN"', { env: { OWN: 'x' }, appendEnv: true }))).toBe('[yes] x');
    expect(value(await bash('pwd', { cwd: '/' }))).toBe('/');
    expect(message(await bash('pwd', { cwd: 'nowhere' }))).toContain(
      'nowhere: the program or the folder does not exist',
    );
  });

  it('fails by exit code and signal, and skips by exit code', async () => {
    expect(message(await bash('exit 3'))).toBe('the command ended with exit code 3');
    expect(message(await bash('kill -9 $$'))).toBe('the command was ended by SIGKILL');
    expect((await bash('exit 99')).outcome).toEqual({ kind: 'skipped', reason: 'the command ended with exit code 99' });
    expect((await bash('exit 5', { skipOnExitCode: [4, 5] })).outcome).toMatchObject({ kind: 'skipped' });
    expect((await bash('exit 99', { skipOnExitCode: null })).outcome).toMatchObject({ kind: 'failed' });
  });

  it('takes the text of a script of the bundle', async () => {
    writeFileSync(join(root, 'script.sh'), 'echo "script of {{ dag.dag_id }}"\n');
    expect(value(await bash('script.sh'))).toBe('script of d');
  });

  it('ends with all that it started when it is cancelled', async () => {
    const abort = new AbortController();
    let pid = 0;
    const ran = await bash(
      'sleep 1000 & echo $!; wait',
      {},
      {
        signal: abort.signal,
        onLog: (line) => {
          pid = Number(line);
          abort.abort(new Error('cancelled'));
        },
      },
    );
    expect(message(ran)).toBe('cancelled');
    await gone(pid);
  });

  it('leaves nothing behind', async () => {
    const ran = await bash('sleep 1000 & echo $!');
    const pid = Number(value(ran));
    await gone(pid);
    expect(pid).toBeGreaterThan(0);
  });

  it('ends when the process that started it is gone', async () => {
    const script = join(root, 'parent.ts');
    const source = new URL('./process/run.ts', import.meta.url).href;
    const operator = readFileSync(new URL('./bash/bash-operator.ts', import.meta.url), 'utf8');
    const watch = /const WATCH = '([^']*)'/.exec(operator.replaceAll('\n', ' '))![1]!;
    writeFileSync(
      script,
      `import { runProcess } from ${JSON.stringify(source)};
      void runProcess({ command: 'bash', args: ['-c', ${JSON.stringify(watch)}, 'bash', 'echo $$; sleep 1000'], env: process.env as Record<string, string>, cwd: '/', signal: new AbortController().signal,
        onStdout: (line) => { console.log(line); process.kill(process.pid, 'SIGKILL'); }, onStderr: () => {} });`,
    );
    let out = '';
    try {
      execFileSync(process.execPath, [script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    } catch (error) {
      out = String((error as { stdout: string }).stdout);
    }
    expect(Number(out)).toBeGreaterThan(0);
    await gone(Number(out));
  });

  it('checks its arguments when the DAG loads, by compiler and by schema', () => {
    const make = (args: object) => () =>
      new Dag({ id: 'd' }, () => void new BashOperator({ id: 't', command: 'x', ...args } as never));
    expect(make({ comand: 1 })).toThrow(/DAG 'd', task 't': comand is not an attribute; did you mean command\?/);
    expect(make({ command: '' })).toThrow(/command is ''; allowed: a command, or the name of a .sh or .bash file/);
    expect(make({ skipOnExitCode: 300 })).toThrow(/skipOnExitCode is 300; allowed: an exit code from 1 to 255/);
    expect(make({ env: { A: 1 } })).toThrow(/env is \{"A":1\}|env.A is 1/);
    new Dag({ id: 'd' }, () => {
      const count = task('count', () => 1)();
      // @ts-expect-error: a command is a text, the output is a number
      expect(() => new BashOperator({ id: 'x', command: count })).not.toThrow();
      // @ts-expect-error: there is no such argument
      expect(() => new BashOperator({ id: 'y', command: 'x', nope: 1 })).toThrow('nope is not an attribute');
    });
  });
});

describe('PythonOperator', () => {
  const file = join(root, 'job.py');
  beforeAll(() => {
    mkdirSync(join(root, 'pkg'), { recursive: true });
    writeFileSync(join(root, 'helper.py'), 'def double(x):\n    return 2 * x\n');
    writeFileSync(
      file,
      `import os, sys, rondo_task
from helper import double
def add(a, b=1, *, ds, **rest):
    print("adding", a)
    print("to stderr", file=sys.stderr)
    return {"sum": double(a) + b, "ds": ds, "run": rest["run_id"], "who": rondo_task.context["task_id"]}
def plain(x): return x
def boom(): raise KeyError("missing")
def skip(): rondo_task.skip("nothing")
def never(): rondo_task.fail_now("give up")
def bad(): return {1, 2}
def push(): rondo_task.push("k", [1]); return None
def leave(): sys.exit(4)
def crash(): print("dying", file=sys.stderr, flush=True); os._exit(7)
def env(): return os.environ.get("OWN"), os.environ.get("INHERITED")
def hang():
    print(os.getpid(), flush=True)
    import time; time.sleep(1000)
def large(n): return "x" * n
class Tools:
    @staticmethod
    def inner(): return "inner"
`,
    );
  });
  const python = (callable: string, extra: object = {}, world: World = {}): Promise<Ran> =>
    run(() => new PythonOperator({ id: 't', file: 'job.py', callable, ...extra }), world);

  it('calls a function with JSON, templates and the context', async () => {
    const ran = await python('add', { opArgs: [20], opKwargs: { b: 2 } });
    expect(value(ran)).toEqual({ sum: 42, ds: '2024-12-01', run: 'r', who: 't' });
    expect(ran.log).toEqual(expect.arrayContaining(['info adding 20', 'warn to stderr']));
    expect(value(await python('plain', { opArgs: [{ at: '{{ ds }}', n: [1, null, true] }] }))).toEqual({
      at: '2024-12-01',
      n: [1, null, true],
    });
    expect(value(await python('Tools.inner'))).toBe('inner');
    expect(value(await python('env', { env: { OWN: 'x' }, appendEnv: true }))).toEqual(['x', 'yes']);
    expect(value(await python('large', { opArgs: [20_000] }))).toHaveLength(20_000);
  });

  it('says what went wrong', async () => {
    const { outcome } = await python('boom');
    expect(outcome).toMatchObject({
      kind: 'failed',
      retryable: true,
      error: { type: 'KeyError', message: "'missing'" },
    });
    expect(JSON.stringify(outcome)).toMatch(/Traceback.*job\.py.*line 8, in boom/);
    expect(JSON.stringify(outcome)).not.toContain('rondo_runner');
    expect(message(await python('nope'))).toMatch(/job\.py has no callable 'nope'; it has: Tools, add, bad/);
    expect(message(await python('bad'))).toBe(
      'what bad returned is not JSON: Object of type set is not JSON serializable',
    );
    expect(message(await python('leave'))).toBe('the callable ended with exit code 4');
    expect(message(await python('crash'))).toBe(
      'the interpreter ended with exit code 7 before crash had answered: dying',
    );
    expect(message(await python('plain', { python: '/no/python' }))).toContain("'/no/python' cannot be started");
    expect(message(await run(() => new PythonOperator({ id: 't', file: 'none.py', callable: 'x' })))).toContain(
      "'none.py' is not in the bundle",
    );
  });

  it('skips, fails for good and pushes', async () => {
    expect((await python('skip')).outcome).toEqual({ kind: 'skipped', reason: 'nothing' });
    expect((await python('never')).outcome).toMatchObject({
      kind: 'failed',
      retryable: false,
      error: { message: 'give up' },
    });
    expect((await python('push')).outcome).toEqual({ kind: 'success', xcoms: { k: { value: [1] } } });
  });

  it('ends when it is cancelled', async () => {
    const abort = new AbortController();
    let pid = 0;
    const ran = await python(
      'hang',
      {},
      {
        signal: abort.signal,
        onLog: (line) => {
          pid = Number(line);
          abort.abort(new Error('cancelled'));
        },
      },
    );
    expect(message(ran)).toBe('cancelled');
    await gone(pid);
  });

  it('makes a virtual environment with its requirements once', async () => {
    const wheels = join(root, 'wheels');
    mkdirSync(wheels);
    execFileSync('python3', [
      '-c',
      `
import zipfile
with zipfile.ZipFile(${JSON.stringify(join(wheels, 'tinypkg-1.0-py3-none-any.whl'))}, 'w') as z:
    z.writestr('tinypkg.py', 'ANSWER = 42\\n')
    z.writestr('tinypkg-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: tinypkg\\nVersion: 1.0\\n')
    z.writestr('tinypkg-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    z.writestr('tinypkg-1.0.dist-info/RECORD', '')
`,
    ]);
    writeFileSync(join(root, 'venv_job.py'), 'def answer():\n    import tinypkg\n    return tinypkg.ANSWER\n');
    const requirements = ['--no-index', `--find-links ${wheels}`, 'tinypkg==1.0'];
    const make = () => new PythonOperator({ id: 't', file: 'venv_job.py', callable: 'answer', requirements });
    const [first, second] = await Promise.all([run(make), run(make)]);
    expect([value(first), value(second)]).toEqual([42, 42]);
    expect([...first.log, ...second.log].filter((line) => line.includes('making a virtual environment'))).toHaveLength(
      1,
    );
    expect(readdirSync(join(root, 'cache', 'venv'))).toHaveLength(1);
    expect(
      message(
        await run(
          () =>
            new PythonOperator({
              id: 't',
              file: 'venv_job.py',
              callable: 'answer',
              requirements: ['--no-index', 'nopkg'],
            }),
        ),
      ),
    ).toMatch(/pip.*ended with exit code 1.*nopkg/s);
  }, 120_000);
});

describe('decisions', () => {
  const decide = (first: () => Task, taskId = 't'): Promise<Ran> =>
    run(() => first().to([new EmptyOperator({ id: 'a' }), new EmptyOperator({ id: 'b' })]), {}, taskId);

  it('branch', async () => {
    expect((await decide(() => new BranchOperator({ id: 't', fn: () => 'a' }))).outcome).toEqual({
      kind: 'success',
      xcoms: { return_value: { value: 'a' } },
      skip: { kind: 'branch', follow: ['a'] },
    });
    expect(
      (await decide(() => branch('t', (_ctx, n: number) => (n > 0 ? ['a', 'b'] : null))(1))).outcome,
    ).toMatchObject({ skip: { kind: 'branch', follow: ['a', 'b'] } });
    expect((await decide(() => branch('t', () => null)())).outcome).toEqual({
      kind: 'success',
      skip: { kind: 'branch', follow: [] },
    });
    expect((await decide(() => branch('t', () => 'zz')())).outcome).toMatchObject({
      kind: 'failed',
      error: { kind: 'branch' },
    });
    // @ts-expect-error: a branch chooses ids
    branch('t', () => 5);
  });

  it('short circuit', async () => {
    expect((await decide(() => shortCircuit('t', () => 0)())).outcome).toMatchObject({
      skip: { kind: 'shortCircuit', ignoreDownstreamTriggerRules: true },
    });
    expect(
      (await decide(() => shortCircuit('t', () => [], { ignoreDownstreamTriggerRules: false })())).outcome,
    ).toMatchObject({ skip: { ignoreDownstreamTriggerRules: false } });
    expect((await decide(() => shortCircuit('t', () => 'go')())).outcome).toEqual({
      kind: 'success',
      xcoms: { return_value: { value: 'go' } },
    });
  });

  it('by date and time', async () => {
    const window = {
      targetLower: '05:30',
      targetUpper: '06:30',
      useTaskLogicalDate: true,
      followTaskIdsIfTrue: 'a',
      followTaskIdsIfFalse: ['b'],
    };
    expect((await decide(() => new BranchDateTimeOperator({ id: 't', ...window }))).outcome).toMatchObject({
      skip: { follow: ['a'] },
    });
    expect(
      (await decide(() => new BranchDateTimeOperator({ id: 't', ...window, targetUpper: '05:45' }))).outcome,
    ).toMatchObject({ skip: { follow: ['b'] } });
    const at = new Date('2024-12-01T23:30:00Z');
    expect(isInWindow(at, { targetLower: '23:00', targetUpper: '01:00' }, 'UTC')).toBe(true);
    expect(isInWindow(at, { targetLower: '2024-12-01T23:30', targetUpper: '2024-12-02T00:00+01:00' }, 'UTC')).toBe(
      false,
    );
    expect(isInWindow(at, { targetUpper: '2024-12-02T00:30+01:00' }, 'UTC')).toBe(true);
    const make = (args: object) =>
      new Dag({ id: 'd' }, () => void new BranchDateTimeOperator({ id: 't', ...args } as never));
    expect(() => make({ followTaskIdsIfTrue: 'a', followTaskIdsIfFalse: 'b' })).toThrow(
      /targetLower is undefined; allowed: .*targetLower|targetLower, targetUpper or both/,
    );
    expect(() => make({ ...window, targetLower: '25:00' })).toThrow(
      /targetLower is '25:00'; allowed: ISO date and time/,
    );
    expect(make(window).complete().map(String).join()).toMatch(/'a' is no task or group of the DAG/);
  });

  it('trigger another DAG', async () => {
    const { outcome, rendered } = await run(
      () =>
        new TriggerDagRunOperator({
          id: 't',
          triggerDagId: 'other',
          triggerRunId: 'for_{{ ds }}',
          conf: { day: '{{ ds }}' },
          logicalDate: '{{ ts }}',
          waitForCompletion: true,
        }),
    );
    expect(outcome).toEqual({
      kind: 'trigger',
      request: {
        dagId: 'other',
        runId: 'for_2024-12-01',
        conf: { day: '2024-12-01' },
        logicalDate: Date.UTC(2024, 11, 1, 5),
        wait: true,
        allowedStates: ['success'],
        skipWhenAlreadyExists: false,
      },
    });
    expect(rendered).toMatchObject({ triggerRunId: 'for_2024-12-01' });
    expect(
      message(await run(() => new TriggerDagRunOperator({ id: 't', triggerDagId: 'o', logicalDate: 'soon' }))),
    ).toContain("logicalDate is 'soon'; allowed: ISO text");
  });

  it('that need no process say so', () => {
    const d = new Dag({ id: 'd' }, () => [
      new EmptyOperator({ id: 'e' }),
      new EmptyOperator({ id: 'c', onSuccess: () => 1 }),
      new LatestOnlyOperator({ id: 'l' }),
    ]);
    expect(serialiseDag(d).tasks.map((t) => [t.operator, t.runs])).toEqual([
      ['EmptyOperator', 'empty'],
      ['EmptyOperator', 'child'],
      ['LatestOnlyOperator', 'latest_only'],
    ]);
  });
});

describe('HttpOperator', () => {
  let server: Server;
  let url: string;
  beforeAll(async () => {
    server = createServer((request, response) => {
      const body: Buffer[] = [];
      request.on('data', (chunk: Buffer) => body.push(chunk));
      request.on('end', () => {
        const path = request.url ?? '';
        if (path.startsWith('/fail')) return void response.writeHead(503).end('not now');
        if (path.startsWith('/text')) return void response.end('plain');
        if (path.startsWith('/large')) return void response.end('x'.repeat(300_000));
        if (path.startsWith('/cut')) {
          response.writeHead(200, { 'content-length': '1000' });
          response.write('part');
          return void setImmediate(() => response.destroy());
        }
        if (path.startsWith('/hang')) return;
        response.setHeader('content-type', 'application/json');
        response.end(
          JSON.stringify({
            method: request.method,
            path,
            body: Buffer.concat(body).toString(),
            auth: request.headers.authorization,
            x: request.headers['x-own'],
          }),
        );
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => server.close());
  const http = (args: object, world: World = {}): Promise<Ran> =>
    run(() => new HttpOperator({ id: 't', ...args } as never), world);

  it('sends requests and returns JSON or text', async () => {
    expect(value(await http({ url: `${url}/a`, query: { day: '{{ ds }}', n: 1 } }))).toMatchObject({
      method: 'GET',
      path: '/a?day=2024-12-01&n=1',
    });
    expect(
      value(await http({ url: `${url}/a`, method: 'POST', body: { day: '{{ ds }}' }, headers: { 'x-own': 'h' } })),
    ).toMatchObject({ method: 'POST', body: '{"day":"2024-12-01"}', x: 'h' });
    expect(value(await http({ url: `${url}/text` }))).toBe('plain');
    expect(
      value(await http({ url: `${url}/a`, responseFilter: (a: { json: () => { path: string } }) => a.json().path })),
    ).toBe('/a');
  });

  it('goes by a connection', async () => {
    const { port } = new URL(url);
    const connections = {
      api: {
        connId: 'api',
        connType: 'http',
        host: '127.0.0.1',
        port: Number(port),
        login: 'me',
        password: 'pw',
        extra: { 'x-own': 'extra' },
      },
    };
    expect(value(await http({ url: '/a', connection: 'api' }, { connections }))).toMatchObject({
      path: '/a',
      auth: `Basic ${Buffer.from('me:pw').toString('base64')}`,
      x: 'extra',
    });
    expect(value(await http({ url: 'b?x=1', connection: `http://127.0.0.1:${port}/base` }))).toMatchObject({
      path: '/base/b?x=1',
    });
    expect(message(await http({ url: 'b', connection: 'none' }))).toBe("there is no connection 'none'");
    expect(() => new Dag({ id: 'd' }, () => void new HttpOperator({ id: 't' }))).toThrow(/url, connection or both/);
  });

  it('fails by status, by its check, and when nobody answers', async () => {
    expect(message(await http({ url: `${url}/fail` }))).toBe(`${url}/fail answered 503 Service Unavailable: not now`);
    expect(message(await http({ url: `${url}/text`, responseCheck: () => false }))).toBe(
      `${url}/text answered 200, which responseCheck refused: plain`,
    );
    expect(value(await http({ url: `${url}/fail`, responseCheck: (a: { status: number }) => a.status === 503 }))).toBe(
      'not now',
    );
    expect(message(await http({ url: 'http://127.0.0.1:1/x' }))).toMatch(
      /^http:\/\/127\.0\.0\.1:1 could not be reached: /,
    );
    const abort = new AbortController();
    const hanging = http({ url: `${url}/hang` }, { signal: abort.signal });
    setImmediate(() => abort.abort(new Error('cancelled')));
    expect(message(await hanging)).toBe('cancelled');
  });

  it('downloads to a file that appears when it is whole', async () => {
    const path = join(root, 'deep', 'file.bin');
    expect(value(await http({ url: `${url}/large`, saveTo: path }))).toEqual({ path, bytes: 300_000, status: 200 });
    expect(readFileSync(path)).toHaveLength(300_000);
    const cut = join(root, 'deep', 'cut.bin');
    expect(message(await http({ url: `${url}/cut`, saveTo: cut }))).toMatch(
      /the download of .*\/cut broke off after \d+ bytes/,
    );
    expect(message(await http({ url: `${url}/fail`, saveTo: cut }))).toContain('answered 503');
    expect(existsSync(cut)).toBe(false);
    expect(readdirSync(join(root, 'deep'))).toEqual(['file.bin']);
    expect(message(await http({ url: `${url}/large`, saveTo: 'relative' }))).toContain(
      "saveTo is 'relative'; allowed: an absolute path",
    );
  });
});

describe('SqlOperator', () => {
  const path = join(root, 'test.db');
  const sql = (
    args: object,
    world: World = { connections: { db: { connId: 'db', connType: 'sqlite', host: path } } },
  ): Promise<Ran> => run(() => new SqlOperator({ id: 't', connection: 'db', ...args } as never), world);

  it('runs scripts and returns rows', async () => {
    expect(
      value(
        await sql({
          sql: "create table if not exists t (n integer, s text, b blob); delete from t; insert into t values (1, 'a;b', x'00ff'), (9007199254740993, null, null)",
        }),
      ),
    ).toBeUndefined();
    expect(value(await sql({ sql: 'select * from t order by n' }))).toEqual([
      { n: 1, s: 'a;b', b: 'AP8=' },
      { n: '9007199254740993', s: null, b: null },
    ]);
    expect(value(await sql({ sql: 'select count(*) as c from t', fetch: 'scalar' }))).toBe(2);
    expect(value(await sql({ sql: 'select n from t order by n', fetch: 'first' }))).toEqual({ n: 1 });
    expect(value(await sql({ sql: 'select 1', fetch: 'none' }))).toBeUndefined();
  });

  it('binds parameters by name and by place, and takes files', async () => {
    expect(
      value(await sql({ sql: 'select :a as a, $b as b', parameters: { a: '{{ ds }}', b: true, other: 1 } })),
    ).toEqual([{ a: '2024-12-01', b: 1 }]);
    expect(value(await sql({ sql: 'select ? as a, ? as b', parameters: [1, null] }))).toEqual([{ a: 1, b: null }]);
    writeFileSync(join(root, 'q.sql'), "select '{{ ds }}' as ds;\n");
    expect(value(await sql({ sql: 'q.sql' }))).toEqual([{ ds: '2024-12-01' }]);
    expect(value(await sql({ connection: `sqlite:///${path}`, sql: ['select 1 as x', 'select 2 as x'] }))).toEqual([
      { x: 2 },
    ]);
  });

  it('takes all of it back when a statement fails', async () => {
    const before = value(await sql({ sql: 'select count(*) as c from t', fetch: 'scalar' }));
    const failed = await sql({ sql: "insert into t values (5, 'x', null); select * from nowhere" });
    expect(message(failed)).toBe('statement 2 of 2 failed: no such table: nowhere: select * from nowhere');
    expect(value(await sql({ sql: 'select count(*) as c from t', fetch: 'scalar' }))).toBe(before);
  });

  it('refuses other databases', async () => {
    const connections = {
      pg: { connId: 'pg', connType: 'postgres' },
      rel: { connId: 'rel', connType: 'sqlite', host: 'x.db' },
    };
    expect(message(await sql({ connection: 'pg', sql: 'select 1' }, { connections }))).toBe(
      "connection 'pg' is of type 'postgres'; allowed: sqlite",
    );
    expect(message(await sql({ connection: 'rel', sql: 'select 1' }, { connections }))).toContain(
      "names the database 'x.db'; allowed: an absolute path",
    );
    expect(message(await sql({ connection: 'sqlite:////no/such/folder/x.db', sql: 'select 1' }))).toContain(
      'the database /no/such/folder/x.db cannot be opened',
    );
  });

  it('splits scripts', () => {
    expect(splitStatements("select 1; -- a; comment\nselect ';' /* ; */ ; ;\n")).toEqual([
      'select 1',
      "-- a; comment\nselect ';' /* ; */",
    ]);
    expect(splitStatements('begin; insert into t values (1); end; select 1')).toEqual([
      'begin',
      'insert into t values (1)',
      'end',
      'select 1',
    ]);
    const trigger =
      'create temp trigger x after insert on t begin update t set n = case when n > 1 then 2 else 3 end; delete from u; end';
    expect(splitStatements(`${trigger}; select [a;b], "c;d", \`e;f\``)).toEqual([
      trigger,
      'select [a;b], "c;d", `e;f`',
    ]);
    expect(splitStatements(' -- nothing')).toEqual([]);
  });
});

describe('loading', () => {
  it('brings in no heavy module', () => {
    const probe = `process.moduleLoadList.length; await import(${JSON.stringify(new URL('./index.ts', import.meta.url).href)}); console.log(process.moduleLoadList.filter((m) => /NativeModule (child_process|sqlite|http|https)$/.test(m)).join())`;
    expect(
      execFileSync(process.execPath, ['--input-type=module', '-e', probe], {
        encoding: 'utf8',
        cwd: new URL('.', import.meta.url).pathname,
      }).trim(),
    ).toBe('');
  });
});
