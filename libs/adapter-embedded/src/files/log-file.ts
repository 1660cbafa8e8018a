import { open, type FileHandle } from 'node:fs/promises';
import type { LogLine } from '@rondo/ports';
import { isMissing } from '../faults.ts';

const CHUNK = 256 * 1024;
/** Lines between two remembered places of a file. */
const STRIDE = 1_000;
/** Bytes of lines in one page, at most, but never less than one line. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024;

export interface LogPage {
  readonly lines: readonly LogLine[];
  readonly next: number;
}

/** Reads pages of a log without ever holding the whole of it. A last line without its end is not there yet. */
export class LogFile {
  readonly #path: string;
  /** Byte offsets of the lines 0, STRIDE, 2 × STRIDE … as far as they have been passed. */
  readonly #offsets: number[] = [0];
  /** Where the last page ended: a follower goes on from there. */
  #lastPlace = { line: 0, offset: 0 };

  constructor(path: string) {
    this.#path = path;
  }

  async read(fromLine: number, limit: number): Promise<LogPage> {
    let handle: FileHandle;
    try {
      handle = await open(this.#path, 'r');
    } catch (error) {
      if (!isMissing(error)) throw error;
      // Should it begin again, what is known of its places is wrong.
      this.#offsets.length = 1;
      this.#lastPlace = { line: 0, offset: 0 };
      return { lines: [], next: fromLine };
    }
    try {
      return await this.#readFrom(handle, fromLine, limit);
    } finally {
      await handle.close();
    }
  }

  async #readFrom(handle: FileHandle, fromLine: number, limit: number): Promise<LogPage> {
    let { line, offset } = this.#placeBefore(fromLine);
    const lines: LogLine[] = [];
    let bytes = 0;
    let rest: Buffer = Buffer.alloc(0);
    for (let at = offset; ;) {
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK, at);
      if (bytesRead === 0) break;
      at += bytesRead;
      const chunk = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
      let start = 0;
      for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
        if (lines.length >= limit || bytes >= MAX_PAGE_BYTES) break;
        // An empty line is none: two processes may both have ended a line that seemed cut short.
        const isLine = end > start;
        if (isLine && line >= fromLine) {
          lines.push(parseLine(chunk.subarray(start, end)));
          bytes += end - start;
        }
        offset += end + 1 - start;
        start = end + 1;
        if (isLine) line += 1;
        if (line === this.#offsets.length * STRIDE) this.#offsets.push(offset);
      }
      rest = chunk.subarray(start);
      if (lines.length >= limit || bytes >= MAX_PAGE_BYTES) break;
    }
    this.#lastPlace = { line, offset };
    return { lines, next: fromLine + lines.length };
  }

  #placeBefore(line: number): { line: number; offset: number } {
    const index = Math.min(Math.floor(line / STRIDE), this.#offsets.length - 1);
    const stride = { line: index * STRIDE, offset: this.#offsets[index]! };
    return this.#lastPlace.line <= line && this.#lastPlace.line > stride.line ? this.#lastPlace : stride;
  }
}

/** A line that a crash cut short is shown as it is. */
function parseLine(bytes: Buffer): LogLine {
  const text = bytes.toString('utf8');
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && 'text' in value) return value as LogLine;
  } catch {
    // Falls through to the raw text.
  }
  return { at: 0, stream: 'system', text };
}
