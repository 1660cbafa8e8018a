import type { Readable } from 'node:stream';
import type { AttemptRef } from '@rondo/domain';
import type { LogLine, LogStore } from '@rondo/ports';
import type { Masker } from '../child/masker.ts';

const TAIL_LINES = 20;
const TAIL_LINE_LENGTH = 400;
/** What V8 writes after it is a stack of its own, longer than the tail. */
const OUT_OF_MEMORY = /^FATAL ERROR: .*JavaScript heap out of memory/;

/** What attempts have written and the store has not taken yet, over all of a worker. */
export class LogBacklog {
  readonly #limitBytes: number;
  #bytes = 0;
  readonly #held = new Set<Readable>();

  constructor(limitBytes = 4 * 1_048_576) {
    this.#limitBytes = limitBytes;
  }

  /** Reads no more from a child while there is too much, until the store has caught up. */
  hold(stream: Readable): void {
    if (this.#bytes <= this.#limitBytes || this.#held.has(stream)) return;
    this.#held.add(stream);
    stream.pause();
  }

  change(bytes: number): void {
    this.#bytes += bytes;
    if (this.#held.size === 0 || this.#bytes > this.#limitBytes / 4) return;
    const held = [...this.#held];
    this.#held.clear();
    for (const stream of held) stream.resume();
  }
}

export interface AttemptLogOptions {
  readonly store: LogStore;
  readonly attempt: AttemptRef;
  readonly masker: Masker;
  readonly backlog: LogBacklog;
  /** Beyond this the rest of the attempt's output is dropped, with a notice. */
  readonly maxBytes: number;
  readonly onError: (error: unknown) => void;
}

/** The log of one attempt on its way to the store: live, in order, masked, one write at a time. */
export class AttemptLog {
  readonly #options: AttemptLogOptions;
  readonly #tail: string[] = [];
  #lines: LogLine[] = [];
  #bytes = 0;
  #total = 0;
  #writing: Promise<void> | undefined;

  constructor(options: AttemptLogOptions) {
    this.#options = options;
  }

  /** Nothing is on its way. */
  get isDrained(): boolean {
    return this.#writing === undefined && this.#lines.length === 0;
  }

  /** The last lines, masked: for the error of an attempt whose child ended. */
  tail(): readonly string[] {
    return [...this.#tail];
  }

  add(line: LogLine, cutBytes = 0): void {
    const { masker, maxBytes, backlog } = this.#options;
    if (this.#total > maxBytes) return;
    let text = masker.mask(line.text);
    // A cut may have left the first part of a secret, which no longer is one to the masker.
    if (cutBytes > 0)
      text = `${text.slice(0, Math.max(0, text.length - masker.longest))} … [line cut: ${cutBytes} more bytes]`;
    const bytes = text.length + 64;
    this.#total += bytes;
    this.#put({ ...line, text }, bytes);
    if (this.#total > maxBytes)
      this.#put(
        {
          at: line.at,
          stream: 'system',
          level: 'warn',
          text: `The log is cut here: the attempt has written more than ${maxBytes} bytes`,
        },
        128,
      );
    backlog.change(bytes);
    this.#write();
  }

  /** When everything added so far is in the store. */
  async drained(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  #put(line: LogLine, bytes: number): void {
    this.#lines.push(line);
    this.#bytes += bytes;
    if (OUT_OF_MEMORY.test(this.#tail.at(-1) ?? '')) return;
    this.#tail.push(line.text.length > TAIL_LINE_LENGTH ? `${line.text.slice(0, TAIL_LINE_LENGTH)} …` : line.text);
    if (this.#tail.length > TAIL_LINES) this.#tail.shift();
  }

  #write(): void {
    this.#writing ??= this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    const { store, attempt, backlog, onError } = this.#options;
    // What one read of the child brings goes to the store in one call.
    await Promise.resolve();
    while (this.#lines.length > 0) {
      const lines = this.#lines;
      const bytes = this.#bytes;
      this.#lines = [];
      this.#bytes = 0;
      try {
        await store.append(attempt, lines);
      } catch (error) {
        onError(error);
      }
      backlog.change(-bytes);
    }
    this.#writing = undefined;
  }
}
