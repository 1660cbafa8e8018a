import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../../..');

/** The command line as its own process. */
const rondo = (...args: string[]) =>
  spawnSync(
    process.execPath,
    ['--import', join(root, 'tools/nest-hook.mjs'), join(root, 'apps/cli/src/main.ts'), ...args],
    {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, NO_COLOR: '1' },
      cwd: root,
    },
  );

describe('the process', () => {
  it('ends with the exit status of the command', () => {
    expect(rondo('--help')).toMatchObject({ status: 0, stderr: '' });
    expect(rondo('dags', 'nonsense')).toMatchObject({ status: 2, stdout: '' });
    expect(rondo('dags', 'list', '--url', 'http://127.0.0.1:1').status).toBe(3);
  });

  it('tests a DAG file that lies anywhere', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rondo-cli-'));
    const file = join(folder, 'away.ts');
    writeFileSync(
      file,
      "import { Dag, task } from '@rondo/sdk';\nexport default new Dag({ id: 'away' }, () => { task('a', () => 1); });\n",
    );
    try {
      expect(rondo('dags', 'test', file)).toMatchObject({ status: 0, stdout: expect.stringContaining('success') });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('leaves everything after start to the platform', () => {
    const { status, stdout } = rondo('start', '--help');
    expect(status).toBe(0);
    expect(stdout).toContain('--once');
    expect(rondo('start', '--no-such-option').status).not.toBe(0);
  });
});
