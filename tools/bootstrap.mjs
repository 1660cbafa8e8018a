#!/usr/bin/env node
/**
 * Sets the checkout up where that is needed, then runs one target under the pinned Node.
 *
 * Plain JavaScript for Node 20, with nothing installed yet. Its own words go to stderr: stdout belongs to the target.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const modules = join(root, 'node_modules');
const pinnedNode = join(modules, 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
const NODE_MAJOR = 26;

const fromSource = (main) => ['--enable-source-maps', '--import', join(root, 'tools/nest-hook.mjs'), join(root, main)];
const jest = () => [
  '--experimental-vm-modules',
  '--disable-warning=ExperimentalWarning',
  join(modules, 'jest/bin/jest.js'),
  `--rootDir=${root}`,
];
const targets = {
  start: () => fromSource('apps/standalone/src/main.ts'),
  rondo: () => fromSource('apps/cli/src/main.ts'),
  cluster: () => fromSource('tools/cluster/main.ts'),
  bench: () => fromSource('test/bench/main.ts'),
  conformance: () => fromSource('test/conformance/main.ts'),
  simulate: () => fromSource('test/simulation/main.ts'),
  test: () => jest(),
  /** Against real services, which the specs start: says itself what is missing for them. */
  'test:cluster': () => {
    process.env.RONDO_CLUSTER_TESTS = '1';
    return [...jest(), '--testMatch=**/*.cluster.spec.ts', '--runInBand'];
  },
  /** Against linters that it fetches once: needs Python and Go, and says so. */
  'lint:deploy': () => [join(root, 'tools/deploy/lint.mjs')],
  setup: () => ['--version'],
  nx: () => [join(modules, 'nx/dist/bin/nx.js')],
  oxfmt: () => [join(modules, 'oxfmt/bin/oxfmt')],
};

const say = (message) => process.stderr.write(`${message}\n`);

const fail = (message) => {
  say(`rondo: ${message}`);
  process.exit(1);
};

/** What an installation depends on, as one hash: every manifest of the workspace and the lock file. */
const wantedInstall = () => {
  const members = ['apps', 'libs'].flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => join(folder, name, 'package.json')),
  );
  const hash = createHash('sha256');
  for (const file of ['package.json', 'package-lock.json', ...members.sort()]) {
    if (existsSync(join(root, file))) hash.update(`${file}\0`).update(readFileSync(join(root, file)));
  }
  return hash.digest('hex');
};

const stamp = join(modules, '.rondo-installed');
const isInstalled = () => existsSync(stamp) && readFileSync(stamp, 'utf8') === wantedInstall();

const isAlive = (pid) => {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
};

/** Two commands started at once in a fresh clone must not install into one folder: the second waits for the first. */
const withInstallLock = async (work) => {
  const lock = join(tmpdir(), `rondo-install-${createHash('sha256').update(root).digest('hex').slice(0, 16)}`);
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      const holder = Number(existsSync(lock) ? readFileSync(lock, 'utf8') : 0);
      if (holder && !isAlive(holder)) rmSync(lock, { force: true });
      else await sleep(250);
    }
  }
  try {
    work();
  } finally {
    rmSync(lock, { force: true });
  }
};

const install = () => {
  if (isInstalled()) return;
  say('Installing dependencies (once; about a minute) ...');
  const npm = spawnSync('npm', ['install', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    shell: process.platform === 'win32',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (npm.error) throw new Error(`npm could not be started: ${npm.error.message}`);
  if (npm.status !== 0) {
    say(npm.stdout + npm.stderr);
    throw new Error(`"npm install" failed (${npm.signal ?? `exit status ${npm.status}`}); its output is above`);
  }
  mkdirSync(modules, { recursive: true });
  writeFileSync(stamp, wantedInstall());
};

const findNode = () => {
  if (existsSync(pinnedNode)) return pinnedNode;
  if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR) return process.execPath;
  return fail(
    `Node ${NODE_MAJOR} is not at ${pinnedNode}, and this is Node ${process.versions.node}. Its installation script was ` +
      `probably not allowed to run: check "npm config get ignore-scripts", remove node_modules and try again.`,
  );
};

/** A terminal sends Ctrl-C to the whole foreground group, so that passing SIGINT on would deliver it twice. */
const hasTerminal = [0, 1, 2].some((fd) => isatty(fd));

const run = (node, args) => {
  const path = [dirname(node), join(modules, '.bin'), process.env.PATH].join(delimiter);
  const child = spawn(node, args, { stdio: 'inherit', env: { ...process.env, PATH: path } });
  const passed = new Set();
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      if (passed.has(signal) || (signal === 'SIGINT' && hasTerminal)) return;
      passed.add(signal);
      child.kill(signal);
    });
  }
  child.on('error', (error) => fail(`${node} could not be started: ${error.message}`));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
};

const [name, ...args] = process.argv.slice(2);
if (!Object.hasOwn(targets, name ?? '')) {
  fail(`unknown target ${JSON.stringify(name ?? '')}; one of: ${Object.keys(targets).join(', ')}`);
}
if (!isInstalled()) await withInstallLock(install).catch((error) => fail(error.message));
run(findNode(), [...targets[name](), ...args]);
