import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gone, message, root, run, value, type Ran, type World } from '../../test/harness.ts';
import { decodeValue } from '@rondo/sdk';
import { PythonOperator } from '../index.ts';

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
    return {"sum": double(a) + b, "ds": ds, "run": rest["run_id"], "who": rondo_task.context["task_id"], "of": rest["templates_dict"]}
def plain(x): return x
def boom(): raise KeyError("missing")
def skip(): rondo_task.skip("nothing")
def never(): rondo_task.fail_now("give up")
def bad(): return object()
def typed(v):
    assert v['at'].year == 1970 and v['at'].tzinfo is not None and v['id'] == 2**60 and v['tags'] == {'a'}
    assert v['raw'] == b'hi' and v['rows'] == {1: 'x'} and v['plain'] == {'$type': 'date'}
    rondo_task.push('again', v['tags'])
    return {**v, 'more': (float('inf'), v['at'].date())}
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
    const ran = await python('add', { opArgs: [20], opKwargs: { b: 2 }, templatesDict: { day: '{{ ds }}' } });
    expect(value(ran)).toEqual({ sum: 42, ds: '2024-12-01', run: 'r', who: 't', of: { day: '2024-12-01' } });
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
    expect(message(await python('bad'))).toBe('what bad returned: Object of type object cannot be stored');
    expect(message(await python('leave'))).toBe('the callable ended with exit code 4');
    expect(message(await python('crash'))).toBe(
      'the interpreter ended with exit code 7 before crash had answered: dying',
    );
    expect(message(await python('plain', { python: '/no/python' }))).toContain("'/no/python' cannot be started");
    expect(message(await run(() => new PythonOperator({ id: 't', file: 'none.py', callable: 'x' })))).toContain(
      "'none.py' is not in the bundle",
    );
  });

  it('takes and gives what JSON lacks', async () => {
    const given = {
      ...{ at: new Date(0), id: 2n ** 60n, tags: new Set(['a']), raw: Uint8Array.from(Buffer.from('hi')) },
      ...{ rows: new Map([[1, 'x']]), plain: { $type: 'date' } },
    };
    const { outcome } = await python('typed', { opArgs: [given] });
    const xcoms = (outcome as { xcoms?: Record<string, { value: never }> }).xcoms ?? {};
    if (!('return_value' in xcoms)) throw new Error(JSON.stringify(outcome));
    expect(decodeValue(xcoms['return_value'].value)).toEqual({ ...given, more: [Infinity, '1970-01-01'] });
    expect(xcoms['again']).toEqual({ value: { $type: 'set', $value: ['a'] } });
    expect(message(await python('plain', { opArgs: [/x/] }))).toBe(
      'opArgs: a RegExp at $[0] cannot be stored; use its source',
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
