import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LeaseTerm } from '@rondo/ports';
import { monotonicMs } from '../monotonic.ts';
import type { RecordedGroup } from '../pool/processes.ts';
import { Wards, type WardenMessage } from './wards.ts';

/** Who is told of children and leases. */
export interface Guard {
  child(group: RecordedGroup, mark: string): void;
  gone(pid: number): void;
  /** What a child runs, from before it is handed over. Without a lease: nothing, or what may go on. */
  busy(pid: number, lease: string | undefined): void;
  renew(terms: readonly LeaseTerm[]): void;
}

export const NO_GUARD: Guard = {
  child: () => undefined,
  gone: () => undefined,
  busy: () => undefined,
  renew: () => undefined,
};

export interface WardenOptions {
  /** The worker's own folder. */
  readonly folder: string;
  /** In the environment of all that the worker starts. */
  readonly token: string;
  readonly onNotice: (text: string) => void;
}

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const ENTRY = fileURLToPath(new URL(`./main.${extension}`, import.meta.url));
/** One that ends sooner than this cannot run here: the next is started after as long a pause. */
const SHORT_LIFE_MS = 1_000;
/** A child that rests for less is taken to be busy: at worst it is ended at the end of a lease under which it ran. */
const REST_MS = 50;

/** The worker's end of its warden: starts it, and again when it ends, and tells it what it has to know. */
export class Warden implements Guard {
  readonly #options: WardenOptions;
  readonly #wards = new Wards();
  /** What it was told that children are busy with. */
  readonly #leases = new Map<number, string>();
  /** Of these, those that have nothing to do any more. */
  readonly #idle = new Set<number>();
  #resting: NodeJS.Timeout | undefined;
  #process: ChildProcess | undefined;
  #restarting: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(options: WardenOptions) {
    this.#options = options;
    this.#start();
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  child(group: RecordedGroup, mark: string): void {
    this.#tell({ kind: 'child', ward: { ...group, mark } });
  }

  gone(pid: number): void {
    this.#leases.delete(pid);
    this.#idle.delete(pid);
    this.#tell({ kind: 'gone', pid });
  }

  /** That one rests is told a little later, and not at all when it goes on under the same lease. */
  busy(pid: number, lease: string | undefined): void {
    if (lease === undefined) {
      if (!this.#leases.has(pid)) return;
      this.#idle.add(pid);
      this.#resting ??= setTimeout(() => this.#rest(), REST_MS);
      return;
    }
    this.#idle.delete(pid);
    if (this.#leases.get(pid) === lease) return;
    this.#leases.set(pid, lease);
    this.#tell({ kind: 'busy', pid, lease });
  }

  renew(terms: readonly LeaseTerm[]): void {
    this.#rest();
    this.#tell({ kind: 'renew', terms });
  }

  /** No child is left: it may go. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#restarting);
    clearTimeout(this.#resting);
    this.#process?.stdin?.end();
    this.#process?.unref();
  }

  #rest(): void {
    clearTimeout(this.#resting);
    this.#resting = undefined;
    for (const pid of this.#idle) {
      this.#leases.delete(pid);
      this.#tell({ kind: 'busy', pid, lease: undefined });
    }
    this.#idle.clear();
  }

  #tell(message: WardenMessage): void {
    this.#wards.apply(message);
    this.#write([message]);
  }

  #write(messages: readonly WardenMessage[]): void {
    this.#process?.stdin?.write(messages.map((message) => `${JSON.stringify(message)}\n`).join(''));
  }

  #start(): void {
    const { token, folder, onNotice } = this.#options;
    // A process group of its own; its code comes from a cache, which spares it half of its memory.
    const child = spawn(process.execPath, ['--max-semi-space-size=1', ENTRY, token], {
      stdio: ['pipe', 'ignore', 'inherit'],
      detached: true,
      env: { NODE_COMPILE_CACHE: join(folder, 'warden-cache') },
    });
    this.#process = child;
    const startedAt = monotonicMs();
    child.stdin!.on('error', () => undefined);
    const onEnd = (how: string): void => {
      if (this.#process !== child) return;
      this.#process = undefined;
      if (this.#isStopped) return;
      onNotice(`the warden has ended (${how}): another is started`);
      const isShort = monotonicMs() - startedAt < SHORT_LIFE_MS;
      this.#restarting = setTimeout(() => this.#start(), isShort ? SHORT_LIFE_MS : 0);
    };
    child.once('error', (error) => onEnd(error.message));
    child.once('exit', (code, signal) => onEnd(signal ?? `exit code ${code}`));
    this.#write(this.#wards.statement(monotonicMs()));
  }
}
