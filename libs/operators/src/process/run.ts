import type { ChildProcess } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { Lines } from './lines.ts';

export interface ProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly signal: AbortSignal;
  readonly onStdout: (line: string) => void;
  readonly onStderr: (line: string) => void;
  /**
   * Descriptor 3 of the process: a two-way pipe. It ends when this process does, however it does: the process takes that as
   * the sign to kill its group.
   */
  readonly onPipe?: (pipe: Duplex) => void;
}

export interface ProcessEnd {
  /** Null: ended by a signal. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const GRACE_MS = 5_000;
const DRAIN_MS = 1_000;

/**
 * Runs a process in a group of its own. When the signal aborts, the group gets SIGTERM and after 5 seconds SIGKILL; what the
 * process leaves running in its group ends with it. Rejects when it cannot be started, and with the signal's reason.
 */
export async function runProcess(options: ProcessOptions): Promise<ProcessEnd> {
  const { spawn } = await import('node:child_process');
  const { command, args, env, cwd, signal } = options;
  signal.throwIfAborted();
  const child = spawn(command, args, { env, cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
  const pipe = child.stdio[3] as Duplex;
  pipe.on('error', () => undefined);
  let timer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    killGroup(child, 'SIGTERM');
    timer = setTimeout(() => killGroup(child, 'SIGKILL'), GRACE_MS);
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    const end = ended(child, command, cwd);
    read(child.stdout, options.onStdout);
    read(child.stderr, options.onStderr);
    options.onPipe?.(pipe);
    const result = await end;
    signal.throwIfAborted();
    return result;
  } finally {
    signal.removeEventListener('abort', stop);
    clearTimeout(timer);
    pipe.destroy();
    child.stdout?.destroy();
    child.stderr?.destroy();
  }
}

/** The process has ended and its output is read. What left its group and holds the output open is waited for a second. */
function ended(child: ChildProcess, command: string, cwd: string): Promise<ProcessEnd> {
  return new Promise((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => reject(notStarted(error, command, cwd)));
    child.once('exit', (code, signal) => {
      killGroup(child, 'SIGKILL');
      const timer = setTimeout(() => resolve({ code, signal }), DRAIN_MS);
      child.once('close', () => {
        clearTimeout(timer);
        resolve({ code, signal });
      });
    });
  });
}

function notStarted({ code, message }: NodeJS.ErrnoException, command: string, cwd: string): Error {
  if (code !== 'ENOENT') return new Error(`'${command}' cannot be started: ${message}`);
  return new Error(`'${command}' cannot be started in ${cwd}: the program or the folder does not exist`);
}

function read(stream: NodeJS.ReadableStream | null, onLine: (line: string) => void): void {
  const lines = new Lines(onLine);
  stream?.on('data', (chunk: Uint8Array) => lines.push(chunk));
  stream?.on('end', () => lines.end());
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
