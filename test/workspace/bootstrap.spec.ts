import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

const NPM = `#!${process.execPath}
import { appendFileSync, existsSync, mkdirSync, symlinkSync } from 'node:fs';
appendFileSync('npm-calls', process.argv.slice(2).join(' ') + '\\n');
if (existsSync('no-network')) { console.log('E_NETWORK: no way to the registry'); process.exit(3); }
mkdirSync('node_modules/node/bin', { recursive: true });
if (!existsSync('node_modules/node/bin/node')) symlinkSync(process.execPath, 'node_modules/node/bin/node');
`;

const MAIN = `
const [what] = process.argv.slice(2);
process.on('SIGTERM', () => { console.log('got SIGTERM'); setTimeout(() => process.exit(4), 200); });
if (what === 'wait') { console.log('ready'); setInterval(() => process.ppid === 1 && process.exit(), 100); }
else if (what === 'die') process.kill(process.pid, 'SIGKILL');
else { console.log(JSON.stringify(process.argv.slice(2))); process.exit(what === 'fail' ? 7 : 0); }
`;

type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

describe('tools/bootstrap.mjs', () => {
  let folder: string;
  let children: ChildProcess[];

  const write = (file: string, text: string): void => {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  };

  /** A checkout with nothing installed, and an npm that only notes that it was called. */
  beforeEach(() => {
    children = [];
    folder = mkdtempSync(join(tmpdir(), 'rondo-bootstrap-'));
    mkdirSync(join(folder, 'libs'));
    for (const file of ['bootstrap.mjs', 'rondo.mjs']) cpSync(join(root, 'tools', file), join(folder, 'tools', file));
    write('tools/nest-hook.mjs', '');
    write('package.json', '{ "type": "module" }');
    write('apps/standalone/src/main.ts', MAIN);
    write('apps/cli/src/main.ts', MAIN);
    write('bin/npm', NPM);
    chmodSync(join(folder, 'bin/npm'), 0o755);
  });

  afterEach(() => {
    for (const child of children) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  const start = (args: readonly string[], script = 'bootstrap.mjs') => {
    const path = [join(folder, 'bin'), process.env['PATH']].join(delimiter);
    const child = spawn(process.execPath, [join(folder, 'tools', script), ...args], {
      cwd: folder,
      env: { ...process.env, PATH: path },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(child);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
    const ended = new Promise<Ended>((done) => child.on('close', (code) => done({ code, stdout, stderr })));
    return { child, ended };
  };

  const run = (...args: readonly string[]): Promise<Ended> => start(args).ended;
  const installs = (): number =>
    existsSync(join(folder, 'npm-calls'))
      ? readFileSync(join(folder, 'npm-calls'), 'utf8').trim().split('\n').length
      : 0;

  it('installs first, says so on stderr, and leaves stdout to the target', async () => {
    const ended = await run('start', '--once', '--json');
    expect(ended).toMatchObject({ code: 0, stdout: '["--once","--json"]\n' });
    expect(ended.stderr).toContain('Installing dependencies');
    expect(readFileSync(join(folder, 'npm-calls'), 'utf8')).toMatch(/^install --include=dev /);
  });

  it('installs again only when a manifest has changed', async () => {
    await run('start');
    expect(await run('start')).toMatchObject({ code: 0, stderr: '' });
    expect(installs()).toBe(1);
    write('libs/kernel/package.json', '{ "name": "@rondo/kernel" }');
    await run('start');
    expect(installs()).toBe(2);
  });

  it('installs once when two commands start together', async () => {
    const ended = await Promise.all([run('start', 'a'), run('start', 'b')]);
    expect(ended.map(({ stdout }) => stdout)).toEqual(['["a"]\n', '["b"]\n']);
    expect(installs()).toBe(1);
  });

  it('shows the output of an installation that failed', async () => {
    write('no-network', '');
    const ended = await run('start');
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('E_NETWORK: no way to the registry');
    expect(ended.stderr).toContain('rondo: "npm install" failed (exit status 3)');
    expect(installs()).toBe(1);
  });

  it('passes the exit status on, and a fatal signal as 128 and its number', async () => {
    expect((await run('start', 'fail')).code).toBe(7);
    expect((await run('start', 'die')).code).toBe(128 + 9);
  });

  it('passes SIGTERM on once and waits for the target to end by itself', async () => {
    const { child, ended } = start(['start', 'wait']);
    await new Promise<void>((done) => child.stdout.on('data', (text: string) => text.includes('ready') && done()));
    child.kill('SIGTERM');
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 4, stdout: 'ready\ngot SIGTERM\n' });
  });

  it('refuses an unknown target with what is allowed', async () => {
    const ended = await run('strat');
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toMatch(/unknown target "strat"; one of: start, rondo, /);
    expect(installs()).toBe(0);
  });

  it('runs the command line as `rondo`', async () => {
    expect(await start(['dags', 'list'], 'rondo.mjs').ended).toMatchObject({ code: 0, stdout: '["dags","list"]\n' });
  });
});
