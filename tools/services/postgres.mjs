/**
 * A PostgreSQL server of this machine's own, for tests and for a cluster on one machine. Needs PostgreSQL 14 or later; as it
 * refuses to run as root, root runs it as the user `postgres`, whom Debian's package makes.
 */
import { execFile, execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.mjs';

const DEBIAN = '/usr/lib/postgresql';
const PASSWORD = 'rondo';
const HOW = 'PostgreSQL 14 or later (Debian: apt-get install postgresql; its initdb and pg_ctl on the PATH elsewhere)';

const isRoot = process.getuid?.() === 0;

/** The folder of the newest server's programs. */
function programs() {
  const debian = existsSync(DEBIAN)
    ? readdirSync(DEBIAN)
        .sort((a, b) => Number(b) - Number(a))
        .map((version) => join(DEBIAN, version, 'bin'))
    : [];
  const folders = [...debian, ...(process.env.PATH ?? '').split(delimiter)];
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'pg_ctl')));
}

function idsOfPostgres() {
  const id = (flag) => Number(execFileSync('id', [flag, 'postgres'], { stdio: ['ignore', 'pipe', 'ignore'] }));
  return { uid: id('-u'), gid: id('-g') };
}

export function missingForPostgres() {
  if (programs() === undefined) return [HOW];
  if (!isRoot) return [];
  try {
    idsOfPostgres();
    return [];
  } catch {
    return ["a user 'postgres', as whom root runs the server (useradd --system postgres)"];
  }
}

/**
 * Starts a server on a free port, or on the given one, with what the folder has. `halt()` ends it (SIGTERM closes connections,
 * SIGKILL is a crash), `resume()` starts it again where it was; `stop()` ends it and, unless `keep`, removes its data.
 */
export async function startPostgres({
  folder = mkdtempSync(join(tmpdir(), 'rondo-postgres-')),
  port,
  keep = false,
} = {}) {
  const missing = missingForPostgres();
  if (missing.length > 0) throw new Error(`PostgreSQL cannot run here, missing: ${missing.join('; ')}`);
  const owner = isRoot ? idsOfPostgres() : {};
  if (isRoot) chownSync(folder, owner.uid, owner.gid);
  const bin = programs();
  const run = (program, args) => promisify(execFile)(join(bin, program), args, { ...owner, cwd: folder });
  const data = join(folder, 'data');
  if (!existsSync(join(data, 'PG_VERSION'))) {
    const secret = join(folder, 'password');
    writeFileSync(secret, PASSWORD);
    if (isRoot) chownSync(secret, owner.uid, owner.gid);
    const login = ['--username=rondo', `--pwfile=${secret}`, '--auth=scram-sha-256'];
    await run('initdb', ['-D', data, ...login, '--encoding=UTF8', '--locale=C.UTF-8', '--no-sync']);
  }
  const listener = port ?? (await freePort());
  const settings = ['-c', 'listen_addresses=127.0.0.1', '-c', `unix_socket_directories=${folder}`, '-c', 'fsync=off'];
  const log = join(folder, 'server.log');
  let isUp = false;
  const resume = async () => {
    await run('pg_ctl', ['start', '-w', '-D', data, '-l', log, '-o', `-p ${listener} ${settings.join(' ')}`]);
    isUp = true;
  };
  const halt = async (signal = 'SIGTERM') => {
    isUp = false;
    await run('pg_ctl', ['stop', '-w', '-D', data, '-m', signal === 'SIGKILL' ? 'immediate' : 'fast']);
  };
  await resume();
  return {
    url: `postgres://rondo:${PASSWORD}@127.0.0.1:${listener}/postgres`,
    port: listener,
    halt,
    resume,
    async stop() {
      if (isUp) await halt();
      if (!keep) rmSync(folder, { recursive: true, force: true });
    },
  };
}
