import { pathPart } from '@rondo/contracts';
import type { AttemptRef } from '@rondo/domain';
import type { LogLine, LogStore } from '@rondo/ports';
import type { Bucket } from './bucket.ts';
import { LogParts, type LogPage, type PartCache } from './log-parts.ts';

const DEFAULT_LIMIT = 1_000;
const MOST_KNOWN = 1_000;

export interface S3LogOptions {
  /** Milliseconds between two looks of a follower for lines of other processes: the first, and the most it grows to. Default 250 and 5,000. */
  readonly followPauseMs?: { readonly first: number; readonly most: number };
}

/** Logs as objects `logs/{dag}/{run}/{task}/{map index or -}/{try}/{first line}.jsonl`. */
export function s3LogStore(bucket: Bucket, options: S3LogOptions = {}): S3LogStore {
  return new S3LogStore(bucket, options.followPauseMs ?? { first: 250, most: 5_000 });
}

interface Pending {
  readonly lines: readonly string[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What the store knows of a log that was touched lately. */
interface Known {
  readonly folder: string;
  readonly parts: LogParts;
  readonly followers: Set<() => void>;
  pending: Pending[];
  writing: Promise<void> | undefined;
}

const runFolder = (dagId: string, runId: string): string => `logs/${pathPart(dagId)}/${pathPart(runId)}/`;

export class S3LogStore implements LogStore {
  readonly #bucket: Bucket;
  readonly #pauses: { readonly first: number; readonly most: number };
  readonly #known = new Map<string, Known>();
  readonly #stops = new Set<() => void>();
  readonly #cache: PartCache = new Map();

  constructor(bucket: Bucket, pauses: { readonly first: number; readonly most: number }) {
    this.#bucket = bucket;
    this.#pauses = pauses;
  }

  append(attempt: AttemptRef, lines: readonly LogLine[]): Promise<void> {
    if (lines.length === 0) return Promise.resolve();
    const known = this.#knownOf(attempt);
    return new Promise((resolve, reject) => {
      known.pending.push({ lines: lines.map((line) => JSON.stringify(line)), resolve, reject });
      known.writing ??= this.#write(known);
    });
  }

  /** Writes what waits as one part, then what has come meanwhile, in order. */
  async #write(known: Known): Promise<void> {
    await Promise.resolve();
    while (known.pending.length > 0) {
      const batch = known.pending;
      known.pending = [];
      try {
        await known.parts.append(batch.flatMap(({ lines }) => lines));
        for (const each of batch) each.resolve();
        for (const wake of known.followers) wake();
      } catch (error) {
        for (const each of batch) each.reject(error);
      }
    }
    known.writing = undefined;
  }

  read(attempt: AttemptRef, fromLine = 0, limit = DEFAULT_LIMIT): Promise<LogPage> {
    return this.#knownOf(attempt).parts.read(fromLine, limit);
  }

  follow(
    attempt: AttemptRef,
    fromLine: number,
    onLines: (lines: readonly LogLine[], next: number) => void,
  ): { stop(): void } {
    const known = this.#knownOf(attempt);
    let wake: () => void = () => undefined;
    const ended = new AbortController();
    const stop = (): void => {
      ended.abort();
      known.followers.delete(poke);
      this.#stops.delete(stop);
      wake();
    };
    const poke = (): void => wake();
    known.followers.add(poke);
    this.#stops.add(stop);
    const pause = (ms: number): Promise<void> =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, ms);
        wake = () => (clearTimeout(timer), resolve());
      });
    void this.#follow(known, fromLine, onLines, pause, ended.signal);
    return { stop };
  }

  async #follow(
    { folder, parts }: Known,
    fromLine: number,
    onLines: (lines: readonly LogLine[], next: number) => void,
    pause: (ms: number) => Promise<void>,
    ended: AbortSignal,
  ): Promise<void> {
    let next = fromLine;
    for (let ms = this.#pauses.first; !ended.aborted;) {
      const page = await parts.read(next, DEFAULT_LIMIT).catch((error: unknown) => {
        process.emitWarning(`the log ${folder} cannot be followed at this moment: ${String(error)}`);
        return undefined;
      });
      if (ended.aborted) return;
      if (page !== undefined && page.lines.length > 0) {
        next = page.next;
        ms = this.#pauses.first;
        onLines(page.lines, next);
        continue;
      }
      await pause(ms);
      ms = Math.min(ms * 1.5, this.#pauses.most);
    }
  }

  /** Brings in a log that was kept elsewhere under this path; answers the number of lines that were missing. */
  async import(path: string, linesFrom: (line: number) => AsyncIterable<readonly LogLine[]>): Promise<number> {
    const parts = new LogParts(this.#bucket, `logs/${path}/`, this.#cache);
    let missing = 0;
    for await (const lines of linesFrom(await parts.end())) {
      await parts.append(lines.map((line) => JSON.stringify(line)));
      missing += lines.length;
    }
    return missing;
  }

  async deleteRun(dagId: string, runId: string): Promise<void> {
    const start = runFolder(dagId, runId);
    for (const [folder, known] of this.#known) {
      if (!folder.startsWith(start)) continue;
      await known.writing;
      this.#known.delete(folder);
    }
    this.#cache.clear();
    await this.#bucket.removeAll(start);
  }

  async close(): Promise<void> {
    for (const stop of this.#stops) stop();
    for (const known of this.#known.values()) await known.writing;
    this.#known.clear();
  }

  #knownOf({ dagId, runId, taskId, mapIndex, tryNumber }: AttemptRef): Known {
    const map = mapIndex.length === 0 ? '-' : mapIndex.join('.');
    const folder = `${runFolder(dagId, runId)}${pathPart(taskId)}/${map}/${tryNumber}/`;
    let known = this.#known.get(folder);
    if (known === undefined) {
      const parts = new LogParts(this.#bucket, folder, this.#cache);
      known = { folder, parts, followers: new Set(), pending: [], writing: undefined };
      this.#known.set(folder, known);
      if (this.#known.size > MOST_KNOWN) this.#forgetQuiet();
    }
    return known;
  }

  #forgetQuiet(): void {
    let surplus = MOST_KNOWN / 10;
    for (const [folder, known] of this.#known) {
      if (surplus <= 0) return;
      if (known.writing !== undefined || known.followers.size > 0) continue;
      this.#known.delete(folder);
      surplus -= 1;
    }
  }
}
