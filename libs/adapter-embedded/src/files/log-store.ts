import { mkdir, open, rm } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import type { AttemptRef } from '@rondo/domain';
import type { LogLine, LogStore } from '@rondo/ports';
import { isMissing } from '../faults.ts';
import { LogFile } from './log-file.ts';
import { pathPart } from '@rondo/contracts';

const DEFAULT_LIMIT = 1_000;
const MAX_KNOWN_FILES = 1_000;

export interface FileLogStoreOptions {
  /** Milliseconds between two looks of a follower for lines of other processes: the first, and the most it grows to. Default 250 and 2,000. */
  readonly followPauseMs?: { readonly first: number; readonly most: number };
}

/**
 * Logs as files of JSON lines, `{dag}/{run}/{task}/{map index or -}/{try}.jsonl`. A try that says nothing has no file.
 * Several processes may write and follow one log, where the file system appends whole writes (all but NFS do).
 */
export function fileLogStore(folder: string, options: FileLogStoreOptions = {}): LogStore {
  return new FileLogStore(folder, options.followPauseMs ?? { first: 250, most: 2_000 });
}

interface Pending {
  readonly text: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What the store knows of a log that was touched lately. */
interface Known {
  readonly path: string;
  readonly file: LogFile;
  readonly followers: Set<() => void>;
  pending: Pending[];
  writing: Promise<void> | undefined;
  /** The folder is there, and the file's last line is whole: this store has written it. */
  ready: boolean;
}

class FileLogStore implements LogStore {
  readonly #folder: string;
  readonly #known = new Map<string, Known>();
  readonly #stops = new Set<() => void>();
  readonly #pauses: { readonly first: number; readonly most: number };

  constructor(folder: string, pauses: { readonly first: number; readonly most: number }) {
    this.#folder = folder;
    this.#pauses = pauses;
  }

  append(attempt: AttemptRef, lines: readonly LogLine[]): Promise<void> {
    if (lines.length === 0) return Promise.resolve();
    const known = this.#knownOf(attempt);
    let text = '';
    for (const line of lines) text += `${JSON.stringify(line)}\n`;
    return new Promise((resolve, reject) => {
      known.pending.push({ text, resolve, reject });
      known.writing ??= this.#write(known);
    });
  }

  /** Writes what waits, and what comes meanwhile, in order. */
  async #write(known: Known): Promise<void> {
    await Promise.resolve();
    while (known.pending.length > 0) {
      const batch = known.pending;
      known.pending = [];
      try {
        const start = known.ready ? '' : await prepare(known.path);
        await appendWhole(known.path, Buffer.from(start + batch.map((each) => each.text).join('')));
        known.ready = true;
        for (const each of batch) each.resolve();
        for (const follower of known.followers) follower();
      } catch (error) {
        known.ready = false;
        for (const each of batch) each.reject(error);
      }
    }
    known.writing = undefined;
  }

  read(
    attempt: AttemptRef,
    fromLine = 0,
    limit = DEFAULT_LIMIT,
  ): Promise<{ readonly lines: readonly LogLine[]; readonly next: number }> {
    return this.#knownOf(attempt).file.read(fromLine, limit);
  }

  follow(
    attempt: AttemptRef,
    fromLine: number,
    onLines: (lines: readonly LogLine[], next: number) => void,
  ): { stop(): void } {
    const known = this.#knownOf(attempt);
    let next = fromLine;
    let stopped = false;
    let running = false;
    let again = false;
    let pause = this.#pauses.first;
    let timer: NodeJS.Timeout | undefined;
    const pump = async (): Promise<void> => {
      do {
        again = false;
        const page = await known.file.read(next, DEFAULT_LIMIT);
        if (stopped || page.lines.length === 0) continue;
        next = page.next;
        pause = this.#pauses.first;
        onLines(page.lines, next);
        again = true;
      } while (again && !stopped);
    };
    const wake = (): void => {
      again = true;
      if (running || stopped) return;
      running = true;
      clearTimeout(timer);
      void pump()
        .catch((error: unknown) => process.emitWarning(`the log ${known.path} cannot be followed: ${String(error)}`))
        .finally(() => {
          running = false;
          if (again) return wake();
          // Other processes do not say that they have written.
          if (!stopped) timer = setTimeout(wake, pause);
          pause = Math.min(pause * 1.5, this.#pauses.most);
        });
    };
    const stop = (): void => {
      stopped = true;
      clearTimeout(timer);
      known.followers.delete(wake);
      this.#stops.delete(stop);
    };
    known.followers.add(wake);
    this.#stops.add(stop);
    wake();
    return { stop };
  }

  async deleteRun(dagId: string, runId: string): Promise<void> {
    const folder = join(this.#folder, pathPart(dagId), pathPart(runId));
    const own = [...this.#known.values()].filter(({ path }) => path.startsWith(folder + sep));
    for (const known of own) {
      await known.writing;
      this.#known.delete(known.path);
    }
    await rm(folder, { recursive: true, force: true });
  }

  async close(): Promise<void> {
    for (const stop of this.#stops) stop();
    for (const known of this.#known.values()) await known.writing;
    this.#known.clear();
  }

  #knownOf(attempt: AttemptRef): Known {
    const path = this.#pathOf(attempt);
    let known = this.#known.get(path);
    if (known === undefined) {
      known = { path, file: new LogFile(path), followers: new Set(), pending: [], writing: undefined, ready: false };
      this.#known.set(path, known);
      if (this.#known.size > MAX_KNOWN_FILES) this.#forgetQuiet();
    }
    return known;
  }

  #forgetQuiet(): void {
    let surplus = MAX_KNOWN_FILES / 10;
    for (const [path, known] of this.#known) {
      if (surplus <= 0) return;
      if (known.writing !== undefined || known.followers.size > 0) continue;
      this.#known.delete(path);
      surplus -= 1;
    }
  }

  #pathOf({ dagId, runId, taskId, mapIndex, tryNumber }: AttemptRef): string {
    const map = mapIndex.length === 0 ? '-' : mapIndex.join('.');
    return join(this.#folder, pathPart(dagId), pathPart(runId), pathPart(taskId), map, `${tryNumber}.jsonl`);
  }
}

/** Makes the folder; answers what ends a line that a crash cut short. */
async function prepare(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    const handle = await open(path, 'r');
    try {
      const { size } = await handle.stat();
      if (size === 0) return '';
      const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
      return buffer[0] === 0x0a ? '' : '\n';
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (isMissing(error)) return '';
    throw error;
  }
}

/** One write, which the system puts at the end whole: lines of several processes do not mix. */
async function appendWhole(path: string, bytes: Buffer): Promise<void> {
  const handle = await open(path, 'a', 0o600);
  try {
    const { bytesWritten } = await handle.write(bytes);
    if (bytesWritten < bytes.length) throw new Error(`${path}: only ${bytesWritten} of ${bytes.length} bytes written`);
  } finally {
    await handle.close();
  }
}
