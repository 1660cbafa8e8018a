import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const MAIN = [
  '--enable-source-maps',
  '--import',
  join(root, 'tools/nest-hook.mjs'),
  join(root, 'apps/standalone/src/main.ts'),
];

export interface ProcessOptions {
  readonly data: string;
  readonly dags: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What files may become at most, in KiB: beyond it writing fails as on a full disk. */
  readonly fileLimitKiB?: number;
}

/** A platform in a process of its own, as a user starts it. */
export class PlatformProcess {
  readonly child: ChildProcess;
  output = '';
  errors = '';
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  private readonly data: string;

  constructor({ data, dags, args = [], env = {}, fileLimitKiB }: ProcessOptions) {
    this.data = data;
    const command = [process.execPath, ...MAIN, '--data', data, '--dags', dags, ...args];
    const limited = fileLimitKiB === undefined ? [] : ['bash', '-c', `ulimit -f ${fileLimitKiB}; exec "$@"`, 'bash'];
    const [file, ...rest] = [...limited, ...command];
    this.child = spawn(file!, rest, {
      cwd: root,
      env: { ...process.env, NODE_OPTIONS: '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout!.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    this.child.stderr!.on('data', (chunk: Buffer) => (this.errors += chunk.toString()));
    this.exited = new Promise((resolve) => this.child.once('close', (code, signal) => resolve({ code, signal })));
  }

  get pid(): number {
    return this.child.pid!;
  }

  get isOver(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** The address of the API once it answers; undefined when the process ended before. */
  async ready(): Promise<string | undefined> {
    for (;;) {
      if (this.isOver) return undefined;
      const url = this.address();
      if (url !== undefined && (await fetch(`${url}/api/v1/health`).catch(() => undefined))?.ok === true) return url;
      await pause(20);
    }
  }

  private address(): string | undefined {
    const file = join(this.data, 'api.json');
    if (!existsSync(file)) return undefined;
    try {
      const { url, pid } = JSON.parse(readFileSync(file, 'utf8')) as { readonly url: string; readonly pid: number };
      return pid === this.pid ? url : undefined;
    } catch {
      return undefined;
    }
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    if (!this.isOver) this.child.kill(signal);
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.kill(signal);
    return (await this.exited).code;
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks the API; throws with the problem's text unless the answer is a success. */
export async function api<T>(
  url: string,
  path: string,
  body?: unknown,
  method = body === undefined ? 'GET' : 'POST',
): Promise<T> {
  const answer = await fetch(`${url}/api/v1${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return (text === '' ? undefined : JSON.parse(text)) as T;
}
