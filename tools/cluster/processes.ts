import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const checkout = resolve(import.meta.dirname, '../..');

export interface ProcessOptions {
  readonly name: string;
  /** Relative to the checkout. */
  readonly main: string;
  readonly args?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The folder for `NAME.log`. */
  readonly logs: string;
  /** Where its health endpoints are. */
  readonly health: string;
}

export interface Readiness {
  readonly status: 'ok' | 'failing' | 'starting' | 'gone';
  readonly dependencies: Readonly<Record<string, { readonly state: string; readonly detail?: string }>>;
}

/** A service as a process of its own, in its own process group: a signal of the terminal does not reach it. */
export class ServiceProcess {
  readonly name: string;
  readonly log: string;
  private readonly options: ProcessOptions;
  private child: ChildProcess | undefined;
  private ended: Promise<void> = Promise.resolve();

  constructor(options: ProcessOptions) {
    this.options = options;
    this.name = options.name;
    this.log = join(options.logs, `${options.name}.log`);
  }

  /** Where its health endpoints are. */
  get health(): string {
    return this.options.health;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  get isRunning(): boolean {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Also after it has ended. */
  start(): void {
    const { main, args = [], env } = this.options;
    const log = openSync(this.log, 'a');
    const hook = join(checkout, 'tools/nest-hook.mjs');
    const child = spawn(process.execPath, ['--enable-source-maps', '--import', hook, join(checkout, main), ...args], {
      cwd: checkout,
      detached: true,
      env: { ...process.env, ...env },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.child = child;
    this.ended = new Promise((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
  }

  /** Resolves when it is ready; rejects when it has ended. */
  async ready(): Promise<void> {
    for (;;) {
      if (!this.isRunning) throw new Error(`${this.name} ended while it started: see ${this.log}`);
      if ((await this.readiness()).status === 'ok') return;
      await sleep(100);
    }
  }

  async readiness(): Promise<Readiness> {
    if (!this.isRunning) return { status: 'gone', dependencies: {} };
    try {
      const response = await fetch(`${this.options.health}/readyz`, { signal: AbortSignal.timeout(4_000) });
      return (await response.json()) as Readiness;
    } catch {
      return { status: 'starting', dependencies: {} };
    }
  }

  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) this.child!.kill(signal);
  }

  /** SIGTERM, and SIGKILL when that is of no use within `patienceMs`. True: it ended by itself. */
  async stop(patienceMs = 30_000): Promise<boolean> {
    this.signal('SIGTERM');
    const late = sleep(patienceMs, true, { ref: false });
    const isLate = (await Promise.race([this.ended, late])) === true;
    if (isLate) this.signal('SIGKILL');
    await this.ended;
    return !isLate && this.child?.exitCode === 0;
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended;
  }
}
