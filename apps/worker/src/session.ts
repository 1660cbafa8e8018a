import { Worker } from 'node:worker_threads';
import type {
  Assignment,
  CallbackAssignment,
  LeaseTerm,
  ParseRequest,
  ParseResult,
  WorkerEvents,
  WorkerReport,
  WorkerSession,
  WatchAssignment,
} from '@rondo/ports';
import { serveAttemptCall } from '@rondo/application';
import { THREAD_LIMITS } from '@rondo/kernel';
import type { AnswerFrame, CallFrame } from './child/frames.ts';
import { threadOptions, type WorkerOptions } from './options.ts';
import type { FromThread, ThreadOptions, ToThread } from './thread/messages.ts';

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const ENTRY = new URL(`./thread/main.${extension}`, import.meta.url);

/** A worker in a thread of this process. The thread starts with `start()`. */
export function startWorkerThread(options: WorkerOptions): WorkerSession {
  return new ThreadSession(threadOptions(options), options);
}

class ThreadSession implements WorkerSession {
  readonly #threadOptions: ThreadOptions;
  readonly #options: WorkerOptions;
  readonly #parses = new Map<string, (result: ParseResult) => void>();
  #thread: Worker | undefined;
  #events: WorkerEvents | undefined;
  #outgoing: ToThread[] = [];
  #onHello: (() => void) | undefined;
  #onStopped: (() => void) | undefined;
  #parseNumber = 0;

  constructor(options: ThreadOptions, workerOptions: WorkerOptions) {
    this.#threadOptions = options;
    this.#options = workerOptions;
  }

  /** Resolves when the worker has said hello. */
  async start(events: WorkerEvents): Promise<void> {
    if (this.#thread !== undefined) throw new Error('the worker is started already');
    this.#events = events;
    // No flags of this process: the thread's own code needs neither loaders nor source maps.
    const thread = new Worker(ENTRY, {
      workerData: this.#threadOptions,
      transferList: [...(this.#options.stores.transfer ?? [])],
      execArgv: [],
      name: 'rondo-worker',
      resourceLimits: THREAD_LIMITS,
    });
    this.#thread = thread;
    let isGreeted = false;
    const greeted = new Promise<void>((resolve, reject) => {
      this.#onHello = () => {
        isGreeted = true;
        resolve();
      };
      thread.on('error', (error: unknown) => {
        if (isGreeted) this.#onFailure(error instanceof Error ? error : new Error(String(error)));
        else reject(error);
      });
    });
    thread.on('message', (messages: readonly FromThread[]) => {
      for (const message of messages) this.#receive(message);
    });
    await greeted;
  }

  assign(assignments: readonly Assignment[], lease?: string): void {
    if (assignments.length === 0) return;
    this.#post({ kind: 'assign', works: linesOf(assignments), ...(lease === undefined ? {} : { lease }) });
  }

  renew(terms: readonly LeaseTerm[]): void {
    this.#post({ kind: 'renew', terms });
  }

  relet(ids: readonly string[], lease: string): void {
    this.#post({ kind: 'relet', ids, lease });
  }

  watch(watches: readonly WatchAssignment[]): void {
    if (watches.length > 0) this.#post({ kind: 'watch', works: linesOf(watches) });
  }

  unwatch(ids: readonly string[]): void {
    if (ids.length > 0) this.#post({ kind: 'unwatch', ids, reason: 'the task waits no longer' });
  }

  runCallbacks(callbacks: readonly CallbackAssignment[]): void {
    if (callbacks.length > 0) this.#post({ kind: 'callbacks', works: linesOf(callbacks) });
  }

  cancel(ids: readonly string[], reason: string, as: 'cancelled' | 'lost' = 'cancelled'): void {
    if (ids.length > 0) this.#post({ kind: 'cancel', ids, reason, as });
  }

  acknowledge(ids: readonly string[]): void {
    if (ids.length > 0) this.#post({ kind: 'acknowledge', ids });
  }

  async parse(request: ParseRequest): Promise<ParseResult> {
    // Two requests may bear one id.
    const id = String(++this.#parseNumber);
    const answer = new Promise<ParseResult>((resolve) => this.#parses.set(id, resolve));
    this.#post({ kind: 'parse', request: { ...request, id } });
    return { ...(await answer), id: request.id };
  }

  async stop(graceMs: number): Promise<void> {
    const thread = this.#thread;
    if (thread === undefined) return;
    this.#thread = undefined;
    const stopped = new Promise<void>((resolve) => (this.#onStopped = resolve));
    const exited = new Promise<void>((resolve) => thread.once('exit', () => resolve()));
    this.#outgoing.push({ kind: 'stop', graceMs });
    thread.postMessage(this.#outgoing.splice(0));
    await Promise.race([stopped, exited]);
    await thread.terminate();
  }

  #receive(message: FromThread): void {
    switch (message.kind) {
      case 'reports':
        return this.#events?.onReports(JSON.parse(`[${message.reports}]`) as WorkerReport[]);
      case 'call':
        return void this.#serve(message.attemptId, message.child, message.call);
      case 'hello':
        this.#events?.onHello(message.hello);
        return this.#onHello?.();
      case 'parsed':
        this.#parses.get(message.result.id)?.(message.result);
        this.#parses.delete(message.result.id);
        return;
      case 'notice':
        return (this.#options.onNotice ?? ((text) => process.stderr.write(`worker: ${text}\n`)))(message.text);
      case 'stopped':
        return this.#onStopped?.();
    }
  }

  async #serve(attemptId: string, child: number, { n, method, args }: CallFrame): Promise<void> {
    let frame: AnswerFrame;
    try {
      const value = await serveAttemptCall(this.#options.services, attemptId, method, args);
      frame = value === undefined ? { n } : { n, value };
    } catch (error) {
      frame = { n, error: error instanceof Error ? error.message : String(error) };
    }
    this.#post({ kind: 'answer', child, attemptId, method, frame });
  }

  /** Whatever one turn of the loop brings crosses to the thread as one message. */
  #post(message: ToThread): void {
    if (this.#outgoing.push(message) === 1) queueMicrotask(() => this.#thread?.postMessage(this.#outgoing.splice(0)));
  }

  #onFailure(error: Error): void {
    const { onFailure } = this.#options;
    if (onFailure === undefined) throw error;
    onFailure(error);
  }
}

/** One text crosses to a thread in a fraction of the time that as many objects take. */
function linesOf(values: readonly unknown[]): string {
  return values.map((value) => JSON.stringify(value)).join('\n');
}
