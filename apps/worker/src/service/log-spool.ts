import { createHash, randomUUID } from 'node:crypto';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { appendFile, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { attemptId, type AttemptRef } from '@rondo/domain';
import type { GatewayLine, LogLine } from '@rondo/ports';

export interface LogSpoolOptions {
  /** Of its own. */
  readonly folder: string;
  /** Those that are likely to answer first. */
  readonly lines: () => readonly GatewayLine[];
  /** What waits for a gateway takes no more of the disk; beyond it lines are dropped, with a mark. Default 1 GiB. */
  readonly maxBytes?: number;
  readonly onNotice: (text: string) => void;
}

/** The log of one attempt on its way. */
interface Entry {
  readonly path: string;
  readonly attempt: AttemptRef;
  /** Bytes in the file, and how many of them a gateway has stored. */
  written: number;
  sent: number;
  writing: Promise<void>;
  isShipping: boolean;
  /** Names what is in the file, for as long as the file is there. */
  id: string;
  /** Bytes of the file's first line. */
  readonly head: number;
  /** What comes next may have been stored, by an earlier process. */
  isDoubtful: boolean;
  /** Lines have been dropped since the last one that was taken. */
  isCut: boolean;
  waiting: { readonly upTo: number; readonly resolve: () => void }[];
}

const MAX_BYTES = 1_073_741_824;
const CHUNK_BYTES = 262_144;
/** Logs on their way at once. */
const LANES = 8;
/** How long the end of an attempt waits for its log to be stored, before the copy on this disk is enough. */
const PATIENCE_MS = 1_000;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Logs of attempts on their way to a gateway: first into a file of the attempt, from there in order to whichever gateway takes
 * them, and deleted when they are stored. What an earlier process has left is sent first.
 */
export class LogSpool {
  readonly #options: LogSpoolOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #queue: Entry[] = [];
  #lanes = 0;
  #bytes = 0;
  #isClosed = false;
  /** Somebody has been told that no gateway takes logs. */
  #isTold = false;

  constructor(options: LogSpoolOptions) {
    this.#options = options;
    mkdirSync(options.folder, { recursive: true });
    for (const name of readdirSync(options.folder))
      if (name.endsWith('.jsonl')) this.#adopt(join(options.folder, name));
  }

  /** Sends what an earlier process has left. */
  start(): void {
    for (const entry of this.#entries.values()) this.#ship(entry);
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Resolves when a gateway has stored the lines; when that takes long, with the copy on this disk. */
  async append(attempt: AttemptRef, lines: readonly LogLine[]): Promise<void> {
    const entry = this.#entryOf(attempt);
    const text = this.#textOf(entry, lines);
    if (text === undefined) return;
    const bytes = Buffer.from(text);
    this.#bytes += bytes.length;
    entry.writing = entry.writing.then(() => this.#write(entry, bytes));
    await entry.writing;
    const upTo = entry.written;
    const stored = new Promise<void>((resolve) => entry.waiting.push({ upTo, resolve }));
    this.#ship(entry);
    const late = new AbortController();
    await Promise.race([
      stored,
      sleep(PATIENCE_MS, undefined, { signal: late.signal, ref: false }).catch(() => undefined),
    ]);
    late.abort();
  }

  /** Waits until everything is stored, at most that long; then nothing is sent any more. */
  async close(graceMs: number): Promise<void> {
    const until = performance.now() + graceMs;
    while (this.#bytes > 0 && performance.now() < until) await sleep(20);
    this.#isClosed = true;
    await Promise.all([...this.#entries.values()].map(({ writing }) => writing));
  }

  #entryOf(attempt: AttemptRef): Entry {
    const id = attemptId(attempt);
    let entry = this.#entries.get(id);
    if (entry === undefined) {
      const name = createHash('sha256').update(id).digest('hex').slice(0, 40);
      entry = newEntry(join(this.#options.folder, `${name}.jsonl`), attempt);
      this.#entries.set(id, entry);
    }
    return entry;
  }

  /** Undefined: there is no room, and that is written down already. */
  #textOf(entry: Entry, lines: readonly LogLine[]): string | undefined {
    const { maxBytes = MAX_BYTES, onNotice } = this.#options;
    if (this.#bytes < maxBytes) {
      entry.isCut = false;
      return textOf(lines);
    }
    if (entry.isCut) return undefined;
    entry.isCut = true;
    const mark = `Lines are missing here: ${maxBytes} bytes of logs wait for a gateway already`;
    onNotice(`${attemptId(entry.attempt)}: ${mark}`);
    return textOf([{ at: lines[0]?.at ?? Date.now(), stream: 'system', level: 'warn', text: mark }]);
  }

  async #write(entry: Entry, bytes: Buffer): Promise<void> {
    try {
      const isNew = entry.written === 0;
      await appendFile(entry.path, isNew ? Buffer.concat([headOf(entry), bytes]) : bytes);
      entry.written += bytes.length;
    } catch (error) {
      this.#bytes -= bytes.length;
      this.#options.onNotice(`lines of ${attemptId(entry.attempt)} could not be written: ${String(error)}`);
    }
  }

  #ship(entry: Entry): void {
    if (entry.isShipping || this.#isClosed || entry.sent >= entry.written) return;
    entry.isShipping = true;
    this.#queue.push(entry);
    if (this.#lanes < LANES) void this.#work();
  }

  async #work(): Promise<void> {
    this.#lanes++;
    for (let entry = this.#queue.shift(); entry !== undefined; entry = this.#queue.shift()) {
      try {
        await this.#send(entry);
      } catch (error) {
        this.#options.onNotice(`the log of ${attemptId(entry.attempt)} could not be sent: ${String(error)}`);
        this.#giveUp(entry);
      }
      entry.isShipping = false;
      this.#ship(entry);
    }
    this.#lanes--;
  }

  /** One chunk, so that a long log does not keep the others. */
  async #send(entry: Entry): Promise<void> {
    const chunk = await chunkOf(entry.path, entry.head + entry.sent, entry.written - entry.sent);
    const [first, ...rest] = chunk.lines;
    const lines = first === undefined ? [] : [{ ...first, mark: `${entry.id}.${entry.sent}` }, ...rest];
    if (lines.length > 0 && !(await this.#store(entry, lines))) return;
    entry.isDoubtful = false;
    entry.sent += chunk.bytes;
    this.#bytes -= chunk.bytes;
    const isWhole = entry.sent === entry.written;
    // After a crash what was stored is not sent again.
    if (!isWhole) await writeFile(`${entry.path}.sent`, `${entry.sent} ${entry.id}`);
    for (const one of entry.waiting) if (one.upTo <= entry.sent) one.resolve();
    entry.waiting = entry.waiting.filter(({ upTo }) => upTo > entry.sent);
    if (isWhole) entry.writing = entry.writing.then(() => this.#forget(entry));
    await entry.writing;
  }

  /** Until a gateway has stored them; false: this process sends no more. */
  async #store(entry: Entry, lines: readonly LogLine[]): Promise<boolean> {
    let problem: unknown = 'none is configured';
    for (let round = 0; !this.#isClosed; round++) {
      for (const line of this.#options.lines()) {
        try {
          await line.appendLog(entry.attempt, lines, entry.isDoubtful);
          this.#isTold = false;
          return true;
        } catch (error) {
          // It may be that the answer was lost.
          entry.isDoubtful = true;
          problem = error;
        }
      }
      if (round > 0 && !this.#isTold)
        this.#options.onNotice(`no gateway takes logs, which wait here: ${String(problem)}`);
      this.#isTold ||= round > 0;
      await sleep(Math.min(LONGEST_PAUSE_MS, 100 * 2 ** Math.min(round, 10)), undefined, { ref: false });
    }
    return false;
  }

  /** Unless more has been written meanwhile. */
  async #forget(entry: Entry): Promise<void> {
    if (entry.sent < entry.written) return;
    await Promise.all([entry.path, `${entry.path}.sent`].map((path) => rm(path, { force: true })));
    entry.written = entry.sent = 0;
    entry.id = randomUUID();
    if (entry.waiting.length === 0) this.#entries.delete(attemptId(entry.attempt));
  }

  /** Its file cannot be read: nothing of it will ever be sent. */
  #giveUp(entry: Entry): void {
    this.#bytes -= entry.written - entry.sent;
    entry.sent = entry.written;
    for (const { resolve } of entry.waiting.splice(0)) resolve();
    entry.writing = entry.writing.then(() => this.#forget(entry));
  }

  #adopt(path: string): void {
    try {
      const text = readFileSync(path, 'utf8');
      const first = text.split('\n', 1)[0]!;
      const { spool = path, ...attempt } = JSON.parse(first) as AttemptRef & { readonly spool?: string };
      if (!text.endsWith('\n')) appendFileSync(path, '\n');
      const entry = newEntry(path, attempt, spool, Buffer.byteLength(first) + 1);
      entry.isDoubtful = true;
      entry.written = statSync(path).size - entry.head;
      entry.sent = sentBefore(path, spool);
      this.#bytes += entry.written - entry.sent;
      this.#entries.set(attemptId(attempt), entry);
    } catch (error) {
      this.#options.onNotice(`${path} is no log that waits, and is removed: ${String(error)}`);
      rmSync(path, { force: true });
    }
  }
}

function newEntry(path: string, attempt: AttemptRef, id: string = randomUUID(), head?: number): Entry {
  return {
    ...{ path, attempt, id, head: head ?? headOf({ attempt, id }).length },
    ...{ written: 0, sent: 0, writing: Promise.resolve(), waiting: [] },
    ...{ isShipping: false, isCut: false, isDoubtful: false },
  };
}

const headOf = ({ attempt, id }: Pick<Entry, 'attempt' | 'id'>): Buffer =>
  Buffer.from(textOf([{ ...attempt, spool: id }]));

function textOf(values: readonly unknown[]): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join('');
}

/** What is told of another file, which had the name before, counts for nothing. */
function sentBefore(path: string, spool: string): number {
  try {
    const [sent, of = spool] = readFileSync(`${path}.sent`, 'utf8').split(' ');
    return of === spool ? Number(sent) || 0 : 0;
  } catch {
    return 0;
  }
}

/** Whole lines from a place on; one that a crash has cut is dropped. */
async function chunkOf(
  path: string,
  from: number,
  left: number,
): Promise<{ readonly lines: LogLine[]; readonly bytes: number }> {
  const file = await open(path, 'r');
  try {
    for (let size = Math.min(left, CHUNK_BYTES); ; size = Math.min(left, size * 4)) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size), 0, size, from);
      // A piece is one message on the wire: a longer line goes by itself.
      const found = buffer.subarray(0, bytesRead);
      const end = (size > CHUNK_BYTES ? found.indexOf(10) : found.lastIndexOf(10)) + 1;
      if (end === 0 && size < left) continue;
      const texts = buffer.toString('utf8', 0, end).split('\n').slice(0, -1);
      return { lines: texts.flatMap((text) => lineOf(text)), bytes: end === 0 ? left : end };
    }
  } finally {
    await file.close();
  }
}

function lineOf(text: string): LogLine[] {
  try {
    return [JSON.parse(text) as LogLine];
  } catch {
    return [];
  }
}
