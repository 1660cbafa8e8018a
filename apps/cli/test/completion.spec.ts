import { spawnSync } from 'node:child_process';
import { rondo } from './fake-api.ts';

/** What bash offers for a line; the last word is the one that is being typed. */
const offered = (script: string, ...words: string[]): readonly string[] => {
  const line = ['rondo', ...words].map((word) => `'${word}'`).join(' ');
  const asked = `${script}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length}; _rondo; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync('bash', ['--norc', '-c', asked], {
    encoding: 'utf8',
    cwd: import.meta.dirname,
  });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return stdout.trim().split('\n');
};

const has = (shell: string): boolean => spawnSync(shell, ['-c', 'exit 0']).status === 0;

describe('completion', () => {
  it('offers commands, subcommands and options to bash', async () => {
    const { out } = await rondo(['completion', 'bash']);
    expect(offered(out, 'd')).toEqual(['dags', 'dead-letters']);
    expect(offered(out, 'dags', 'p')).toEqual(['pause']);
    expect(offered(out, '--json', 'runs', 'cl')).toEqual(['clear']);
    expect(offered(out, 'runs', 'clear', 'orders', '--only')).toEqual([
      '--only-failed',
      '--only-running',
      '--only-new',
    ]);
    expect(offered(out, 'runs', 'list', '--js')).toEqual(['--json']);
  });

  it.each(['bash', 'zsh', 'fish'])('is a script that %s can read', async (shell) => {
    const { code, out } = await rondo(['completion', shell]);
    expect(code).toBe(0);
    expect(out).toContain('only-failed');
    // A shell that is not on this machine cannot judge.
    const judged = has(shell) ? spawnSync(shell, ['-n'], { input: out, encoding: 'utf8' }) : { status: 0, stderr: '' };
    expect(judged).toMatchObject({ status: 0, stderr: '' });
  });
});
