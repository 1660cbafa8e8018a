import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Dag, task } from '@rondo/sdk';
import { gone, message, root, run, value, type Ran, type World } from '../../test/harness.ts';
import { BashOperator } from '../index.ts';

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
    const source = new URL('../process/run.ts', import.meta.url).href;
    const operator = readFileSync(new URL('./bash-operator.ts', import.meta.url), 'utf8');
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
