import type { Readable } from 'node:stream';
import type { ImportFailure } from '@rondo/domain';
import type { ParseRequest, ParseResult } from '@rondo/ports';
import { formatDuration } from '@rondo/kernel';
import { FROM_CHILD, FrameReader, TO_CHILD, type ExitingFrame } from '../child/frames.ts';
import type { Parsed } from '../child/parse.ts';
import type { Launcher } from './launcher.ts';
import { LineSplitter } from './line-splitter.ts';
import { endBearers, recordOf, signalGroup, type RecordedGroup } from './processes.ts';

export interface ParserOptions {
  readonly launcher: Launcher;
  readonly timeoutMs: number;
  /** Limit of the JavaScript heap. */
  readonly heapMiB: number;
  readonly concurrency: number;
  readonly onStarted: (group: RecordedGroup) => void;
  readonly onEnded: (pid: number) => void;
}

const MAX_OUTPUT_LINES = 100;
const MAX_OUTPUT_LENGTH = 4_096;
const CLOSE_MS = 500;
/** The file's own time begins when its process is ready for it, which is given this long. */
const START_MS = 30_000;

/** Parses DAG files, each in a process of its own that ends with it. */
export class Parser {
  readonly #options: ParserOptions;
  readonly #waiting: (() => void)[] = [];
  readonly #pids = new Set<number>();
  readonly #open = new Set<Promise<ParseResult>>();
  #running = 0;
  #isStopping = false;

  constructor(options: ParserOptions) {
    this.#options = options;
  }

  /** Never rejects: whatever the file does is an error of the file. */
  parse(request: ParseRequest): Promise<ParseResult> {
    const result = this.#inTurn(request);
    this.#open.add(result);
    void result.finally(() => this.#open.delete(result));
    return result;
  }

  /** Ends what is being parsed: each request is answered with an error. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const pid of this.#pids) signalGroup(pid, 'SIGKILL');
    await Promise.all(this.#open);
  }

  async #inTurn(request: ParseRequest): Promise<ParseResult> {
    if (this.#running >= this.#options.concurrency) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await this.#run(request);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }

  async #run(request: ParseRequest): Promise<ParseResult> {
    if (this.#isStopping) return parseFailure(request, { message: 'the worker is stopping' });
    const { launcher, heapMiB, timeoutMs, onStarted, onEnded } = this.#options;
    const launched = launcher.launch({ heapMiB });
    const { process: child, mark } = launched;
    const output = new OutputHead([child.stdout!, child.stderr!]);
    let parsed: Parsed | undefined;
    let exiting: ExitingFrame | undefined;
    let isLate = false;
    let timer: NodeJS.Timeout | undefined;
    const limit = (ms: number): void => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        isLate = true;
        signalGroup(child.pid ?? 0, 'SIGKILL');
      }, ms);
    };
    const pipe = child.stdio[3] as Readable & NodeJS.WritableStream;
    pipe.on('error', () => undefined);
    const reader = new FrameReader((frame) => {
      const body = frame.slice(1);
      if (frame[0] === FROM_CHILD.ready) {
        limit(timeoutMs);
        launched.ready();
        pipe.write(`${TO_CHILD.parse}${JSON.stringify(request)}\n`);
      } else if (frame[0] === FROM_CHILD.parsed) parsed ??= JSON.parse(body) as Parsed;
      else if (frame[0] === FROM_CHILD.exiting) exiting = JSON.parse(body) as ExitingFrame;
    });
    pipe.on('data', (chunk: Buffer) => reader.push(chunk));
    const pid = child.pid ?? 0;
    if (pid !== 0) {
      this.#pids.add(pid);
      onStarted(recordOf(pid));
    }
    limit(timeoutMs + START_MS);
    const { code, signal, error } = await ended(child);
    clearTimeout(timer);
    signalGroup(pid, 'SIGKILL');
    endBearers(mark);
    await output.closed(CLOSE_MS);
    launched.ended();
    this.#pids.delete(pid);
    onEnded(pid);
    const lines = output.lines();
    if (parsed !== undefined) return { id: request.id, file: request.file, ...parsed, output: lines };
    const how = {
      code,
      signal,
      error,
      exiting,
      isLate,
      timeoutMs,
      heapMiB,
      isStopping: this.#isStopping,
      text: output.errorText(),
    };
    return { ...parseFailure(request, failureOf(request, how)), output: lines };
  }
}

interface HowEnded {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly error: Error | undefined;
  readonly exiting: ExitingFrame | undefined;
  readonly isLate: boolean;
  readonly isStopping: boolean;
  readonly timeoutMs: number;
  readonly heapMiB: number;
  readonly text: string;
}

function failureOf({ file, root }: ParseRequest, how: HowEnded): Omit<ImportFailure, 'file'> {
  const { code, signal, error, exiting, isLate, isStopping, timeoutMs, heapMiB, text } = how;
  if (error !== undefined) return { message: `no process could be started to load it: ${error.message}` };
  if (isLate)
    return {
      message: `did not finish loading within ${formatDuration(timeoutMs)}: what a DAG file does at its top level has to end by itself`,
    };
  if (isStopping) return { message: 'the worker is stopping' };
  if (exiting !== undefined) {
    const place = /:(\d+):(\d+)$/.exec(exiting.where ?? '');
    const isHere = exiting.where?.startsWith(`${root}/${file}:`) === true;
    const message = `process.exit(${exiting.code === undefined ? '' : JSON.stringify(exiting.code)}) was called while the file was loading`;
    return { message, ...(place !== null && isHere ? { line: Number(place[1]), column: Number(place[2]) } : {}) };
  }
  if (text.includes('heap out of memory')) return { message: `needed more than ${heapMiB} MiB of memory to load` };
  return {
    message: `its process ended while loading, with ${signal === null ? `exit code ${code}` : `signal ${signal}`}`,
  };
}

export function parseFailure({ id, file }: ParseRequest, failure: Omit<ImportFailure, 'file'>): ParseResult {
  return { id, file, dags: [], bundleFiles: [file], errors: [{ file, ...failure }], output: [] };
}

function ended(child: ReturnType<Launcher['launch']>['process']): Promise<{
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly error: Error | undefined;
}> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: null, signal: null, error }));
    child.once('exit', (code, signal) => resolve({ code, signal, error: undefined }));
  });
}

/** The first lines of output; the rest is read and dropped. */
class OutputHead {
  readonly #lines: string[] = [];
  readonly #splitters: LineSplitter[] = [];
  readonly #streams: readonly Readable[];
  #errorText = '';
  #missing = 0;

  constructor(streams: readonly Readable[]) {
    this.#streams = streams;
    for (const stream of streams) {
      const splitter = new LineSplitter({ onLine: (text) => this.#add(text), onMark: () => undefined });
      this.#splitters.push(splitter);
      stream.on('data', (chunk: Buffer) => splitter.push(chunk));
      stream.on('error', () => undefined);
    }
  }

  lines(): readonly string[] {
    if (this.#missing === 0) return this.#lines;
    return [...this.#lines.slice(0, MAX_OUTPUT_LINES - 1), `… [${this.#missing + 1} more lines were dropped]`];
  }

  /** Where V8 says why it gave up. */
  errorText(): string {
    return this.#errorText;
  }

  async closed(timeoutMs: number): Promise<void> {
    const closings = this.#streams
      .filter((stream) => !stream.closed)
      .map((stream) => new Promise<void>((resolve) => stream.once('close', () => resolve())));
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      Promise.all(closings),
      new Promise<void>((resolve) => (timer = setTimeout(resolve, timeoutMs))),
    ]);
    clearTimeout(timer);
    for (const splitter of this.#splitters) splitter.end();
    for (const stream of this.#streams) stream.destroy();
  }

  #add(text: string): void {
    if (text.includes('FATAL ERROR')) this.#errorText = text;
    if (this.#lines.length < MAX_OUTPUT_LINES)
      this.#lines.push(text.length > MAX_OUTPUT_LENGTH ? `${text.slice(0, MAX_OUTPUT_LENGTH)} … [line cut]` : text);
    else this.#missing++;
  }
}
