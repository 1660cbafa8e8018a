/**
 * An object store of this machine's own that speaks S3, for tests and for a cluster on one machine: the `moto` server from
 * PyPI, in a virtual environment that is kept in a cache folder. It keeps objects in memory. Needs Python 3.9 or later.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.mjs';

const VERSION = '5.2.5';

/** What is missing on this machine, with how to get it; nothing: it can run. */
export function missingForS3() {
  try {
    execFileSync('python3', ['-c', 'import venv, ensurepip'], { stdio: 'ignore' });
    return [];
  } catch {
    return ['Python 3.9 or later with venv (Debian: apt-get install python3-venv)'];
  }
}

/** The server's program, fetched once. */
export function s3Program() {
  const cache = process.env.RONDO_SERVICES_CACHE ?? join(homedir(), '.cache', 'rondo');
  const folder = join(cache, `moto-${VERSION}`);
  const server = join(folder, 'bin', 'moto_server');
  if (existsSync(server)) return server;
  execFileSync('python3', ['-m', 'venv', folder], { stdio: ['ignore', 'ignore', 'inherit'] });
  execFileSync(join(folder, 'bin', 'pip'), ['install', '--quiet', `moto[server]==${VERSION}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return server;
}

/** Starts a server with one empty bucket, on a free port or the given one. */
export async function startS3({ port, bucket = 'rondo' } = {}) {
  const listener = port ?? (await freePort());
  const endpoint = `http://127.0.0.1:${listener}`;
  const server = spawn(s3Program(), ['-H', '127.0.0.1', '-p', String(listener)], { stdio: 'ignore' });
  const ended = new Promise((resolve) => server.once('exit', resolve));
  for (let tries = 0; ; tries++) {
    if (server.exitCode !== null || tries > 600) throw new Error('the S3 server did not start');
    const made = await fetch(`${endpoint}/${bucket}`, { method: 'PUT' }).catch(() => undefined);
    if (made?.ok === true) break;
    await sleep(100);
  }
  return {
    endpoint,
    bucket,
    port: listener,
    pid: server.pid,
    credentials: { accessKeyId: 'rondo', secretAccessKey: 'rondo-secret' },
    async stop(signal = 'SIGTERM') {
      server.kill(signal);
      await ended;
    },
  };
}
