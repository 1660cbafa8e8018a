import type { LogLine } from '@rondo/ports';
import type { Bucket } from './bucket.ts';

/** Bytes of one part, and of one page, at most, but never less than one line. */
const MOST_BYTES = 4 * 1024 * 1024;

export interface LogPage {
  readonly lines: readonly LogLine[];
  readonly next: number;
}

/** Lines of the parts that were read last, by key, of all logs of a store. */
export type PartCache = Map<string, readonly string[]>;
const MOST_CACHED = 16;

/**
 * One log as numbered parts: an object of JSON lines is named by the number of its first line, so that only one can stand at
 * a place. A part never changes once it is written.
 */
export class LogParts {
  readonly #bucket: Bucket;
  readonly #folder: string;
  /** First lines of the parts that are known. */
  readonly #firsts: number[] = [];
  readonly #cache: PartCache;
  /** The line at which the next part begins; undefined: not known. */
  #end: number | undefined;

  constructor(bucket: Bucket, folder: string, cache: PartCache) {
    this.#bucket = bucket;
    this.#folder = folder;
    this.#cache = cache;
  }

  /**
   * Writes lines after all that stand. What has been written of them before, its answer lost, is not written again; where
   * another process was faster, they come after its lines.
   */
  async append(lines: readonly string[]): Promise<void> {
    let left = this.#end === undefined ? withoutStart(lines, await this.#findEnd()) : lines;
    while (left.length > 0) {
      const end = this.#end!;
      const part = left.slice(0, fitting(left));
      if (await this.#bucket.putNew(this.#keyOf(end), Buffer.from(part.map((line) => `${line}\n`).join('')))) {
        this.#passed(end, part.length);
        left = left.slice(part.length);
        continue;
      }
      const standing = await this.#linesOf(end);
      this.#passed(end, standing.length);
      left = withoutStart(left, standing);
    }
  }

  /** The number of lines. */
  async end(): Promise<number> {
    if (this.#end === undefined) await this.#findEnd();
    return this.#end!;
  }

  /** A read from the beginning looks anew: the log may have been deleted, and begun again, by another process. */
  async read(fromLine: number, limit: number): Promise<LogPage> {
    if (fromLine === 0) await this.#relist();
    try {
      return await this.#readKnown(fromLine, limit);
    } catch (error) {
      if (!(error instanceof PartGoneError)) throw error;
      await this.#relist();
      return this.#readKnown(fromLine, limit);
    }
  }

  async #readKnown(fromLine: number, limit: number): Promise<LogPage> {
    const lines: LogLine[] = [];
    let bytes = 0;
    if (limit <= 0 || !(await this.#reach(fromLine))) return { lines, next: fromLine };
    for (let at = this.#partOf(fromLine); lines.length < limit && bytes < MOST_BYTES; at++) {
      if (at >= this.#firsts.length && !(await this.#look())) break;
      const first = this.#firsts[at];
      if (first === undefined) break;
      for (const text of (await this.#linesOf(first)).slice(Math.max(0, fromLine - first))) {
        if (lines.length >= limit || bytes >= MOST_BYTES) break;
        lines.push(parseLine(text));
        bytes += text.length;
      }
    }
    return { lines, next: fromLine + lines.length };
  }

  /** Whether there is a part at or before the line; looks once for parts that are not known yet. */
  async #reach(line: number): Promise<boolean> {
    const last = this.#firsts.at(-1);
    if (last === undefined || line >= last) await this.#look();
    return this.#firsts.length > 0;
  }

  #partOf(line: number): number {
    let [low, high] = [0, this.#firsts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#firsts[middle]! <= line) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Lists the parts after the last that is known; answers whether there were any. */
  async #look(): Promise<boolean> {
    const last = this.#firsts.at(-1);
    const before = this.#firsts.length;
    const after = last === undefined ? undefined : this.#keyOf(last);
    for await (const key of this.#bucket.list(this.#folder, after)) this.#note(Number(key.slice(-20, -6)));
    return this.#firsts.length > before;
  }

  async #relist(): Promise<void> {
    const before = new Set(this.#firsts);
    const found: number[] = [];
    for await (const key of this.#bucket.list(this.#folder)) found.push(Number(key.slice(-20, -6)));
    // What was written meanwhile is there too.
    for (const first of this.#firsts) if (!before.has(first) && first > (found.at(-1) ?? -1)) found.push(first);
    this.#firsts.splice(0, this.#firsts.length, ...found);
    for (const first of [...before, ...found]) this.#cache.delete(this.#keyOf(first));
  }

  #note(first: number): void {
    if (first > (this.#firsts.at(-1) ?? -1)) this.#firsts.push(first);
  }

  #passed(first: number, count: number): void {
    this.#note(first);
    this.#end = first + count;
  }

  /** Answers the lines of the last part. */
  async #findEnd(): Promise<readonly string[]> {
    await this.#look();
    const first = this.#firsts.at(-1);
    const lines = first === undefined ? [] : await this.#linesOf(first);
    this.#end = (first ?? 0) + lines.length;
    return lines;
  }

  async #linesOf(first: number): Promise<readonly string[]> {
    const key = this.#keyOf(first);
    const cached = this.#cache.get(key);
    if (cached !== undefined) return cached;
    const bytes = await this.#bucket.get(key);
    if (bytes === undefined) throw new PartGoneError(`the part ${key} of a log is gone`);
    const lines = Buffer.from(bytes).toString().split('\n').slice(0, -1);
    this.#cache.set(key, lines);
    if (this.#cache.size > MOST_CACHED) this.#cache.delete(this.#cache.keys().next().value!);
    return lines;
  }

  #keyOf(first: number): string {
    return `${this.#folder}${String(first).padStart(14, '0')}.jsonl`;
  }
}

class PartGoneError extends Error {}

/** Lines without those that stand already, where they begin with all of these. */
function withoutStart(lines: readonly string[], standing: readonly string[]): readonly string[] {
  const isRepeat = standing.length <= lines.length && standing.every((line, at) => line === lines[at]);
  return isRepeat ? lines.slice(standing.length) : lines;
}

function fitting(lines: readonly string[]): number {
  let bytes = 0;
  for (const [at, line] of lines.entries()) {
    bytes += Buffer.byteLength(line) + 1;
    if (bytes > MOST_BYTES) return Math.max(1, at);
  }
  return lines.length;
}

/** What is no line of a log is shown as it is. */
function parseLine(text: string): LogLine {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && 'text' in value) return value as LogLine;
  } catch {
    // Falls through to the raw text.
  }
  return { at: 0, stream: 'system', text };
}
