import { flushCompileCache } from 'node:module';
import { join } from 'node:path';
import type { Socket } from 'node:net';
import { executeAttempt, runCallback, type AttemptHost, type AttemptResult } from '@rondo/sdk';
import type { Assignment, AttemptOutcome, CallbackAssignment, PastAnswers, TaskError } from '@rondo/domain';
import type { WorkerReport } from '@rondo/ports';
import { leave } from './exit.ts';
import { loadBundle, missingDag, type LoadedBundle } from './bundle.ts';
import type { Channel } from './channel.ts';
import type { Denials } from './denials.ts';
import { END_MARK, FROM_CHILD, type AbortFrame, type BindFrame, type ChildConfig } from './frames.ts';
import type { Masker } from './masker.ts';
import type { Resolution } from './resolve.ts';
import type { ServiceClient } from './services.ts';

/** How long an attempt's timers and sockets may outlive it before the child is replaced. */
const SETTLE_MS = 100;
/** The compiled form of user code is kept for the next child, once the first attempt is out of the way. */
const FLUSH_MS = 50;

interface Current {
  readonly id: string;
  readonly kind: 'attempt' | 'callback';
  readonly startedAt: number;
  readonly abort: AbortController;
}

/** Runs what the worker hands over: one attempt or callback at a time, of one bundle (I16). */
export class Runner {
  readonly #channel: Channel;
  readonly #config: ChildConfig;
  readonly #resolution: Resolution;
  readonly #denials: Denials | undefined;
  readonly #masker: Masker;
  readonly #env = { ...process.env } as Record<string, string>;
  readonly #cwd = process.cwd();
  readonly services: ServiceClient;
  #bundle: Promise<LoadedBundle> | undefined;
  #loaded: LoadedBundle | undefined;
  #file = '';
  #current: Current | undefined;
  #served = 0;
  /** What is open while nothing runs: modules may open things when they are loaded. */
  #resources = -1;
  #printed = { stdout: 0, stderr: 0 };

  constructor(
    channel: Channel,
    config: ChildConfig,
    resolution: Resolution,
    denials: Denials | undefined,
    services: ServiceClient,
    masker: Masker,
  ) {
    this.#channel = channel;
    this.#config = config;
    this.#resolution = resolution;
    this.#denials = denials;
    this.services = services;
    this.#masker = masker;
  }

  get isBusy(): boolean {
    return this.#current !== undefined;
  }

  bind(frame: BindFrame): void {
    this.#file = frame.file;
    this.#bundle = loadBundle(frame, this.#resolution);
    void this.#bundle.then((bundle) => {
      this.#loaded = bundle;
      setTimeout(flushCompileCache, FLUSH_MS).unref();
    });
  }

  abort(frame: AbortFrame): void {
    this.#current?.abort.abort(
      new DOMException(frame.reason, frame.kind === 'timeout' ? 'TimeoutError' : 'AbortError'),
    );
  }

  async attempt(input: Assignment): Promise<void> {
    const current = await this.#begin(input.id, 'attempt', input.traceparent, input.overrides?.env);
    const { aborted, reason } = current.abort.signal;
    if (aborted) return this.#report(current, failed({ kind: 'cancelled', message: String(reason) }, false));
    const host = this.#host(current, input.attempt.dagId);
    if (!('dag' in host)) return this.#report(current, failed({ kind: 'load', ...host }));
    const { outcome, ...shown } = await executeAttempt({ ...host, input });
    this.#report(current, outcome, shown);
  }

  async callback(input: CallbackAssignment): Promise<void> {
    const current = await this.#begin(input.id, 'callback', undefined);
    const host = this.#host(current, input.dagId);
    if (!('dag' in host)) return this.#finish(current, callbackReport(input.id, { kind: 'load', ...host }));
    const { error, past } = await runCallback({ ...host, input });
    this.#finish(current, callbackReport(input.id, error, past));
  }

  /** The body threw where nobody could catch it, or rejected unheard: the attempt fails, and the child with it. */
  crash(error: TaskError): void {
    const current = this.#current;
    if (current === undefined) return;
    if (current.kind === 'callback') this.#finish(current, callbackReport(current.id, error), true);
    else this.#report(current, failed(error, false), undefined, true);
  }

  async #begin(
    id: string,
    kind: Current['kind'],
    traceparent: string | undefined,
    env?: Readonly<Record<string, string>>,
  ): Promise<Current> {
    const current: Current = { id, kind, startedAt: Date.now(), abort: new AbortController() };
    this.#current = current;
    process.env = { ...this.#env, ...env, ...(traceparent === undefined ? {} : { TRACEPARENT: traceparent }) };
    if (process.cwd() !== this.#cwd) process.chdir(this.#cwd);
    this.#denials?.forget();
    if (this.#loaded === undefined) await this.#bundle;
    if (this.#resources === -1) {
      // What loading has left behind for a moment is no part of the rest.
      await new Promise((resolve) => setImmediate(resolve));
      this.#resources = process.getActiveResourcesInfo().length;
    }
    this.#served++;
    this.services.open(id);
    return current;
  }

  #host(current: Current, dagId: string): AttemptHost | { readonly message: string; readonly stack?: string } {
    const bundle = this.#loaded;
    if (bundle === undefined) throw new Error('an attempt came before its bundle');
    const dag = bundle.dags.get(dagId);
    if (dag === undefined) return missingDag(bundle, dagId, this.#file);
    return {
      dag,
      services: this.services.services,
      signal: current.abort.signal,
      log: (level, text) => this.#channel.send(FROM_CHILD.log, JSON.stringify({ at: Date.now(), level, text })),
      env: process.env as Record<string, string>,
      root: bundle.root,
      settings: this.#config.settings,
      cacheFolder: join(this.#config.files, 'cache'),
      mask: (text) => this.#masker.mask(text),
    };
  }

  #report(current: Current, outcome: AttemptOutcome, shown: Omit<AttemptResult, 'outcome'> = {}, ending = false): void {
    const report: WorkerReport = {
      kind: 'finished',
      id: current.id,
      startedAt: current.startedAt,
      at: Date.now(),
      pid: process.pid,
      outcome: this.#clear(outcome),
      ...shown,
    };
    this.#finish(current, report, ending);
  }

  #clear(outcome: AttemptOutcome): AttemptOutcome {
    if (outcome.kind !== 'failed' || this.#denials === undefined) return outcome;
    return { ...outcome, error: this.#denials.explained(outcome.error) };
  }

  #finish(current: Current, report: WorkerReport, ending = false): void {
    if (this.#current !== current) return;
    this.#current = undefined;
    this.services.close(current.id);
    const marks = this.#mark();
    const isQuiet = process.getActiveResourcesInfo().length <= this.#resources;
    this.#channel.send(
      FROM_CHILD.finished,
      `${ending ? 'x' : isQuiet ? 'q' : 'n'}${marks ? 'm' : '-'}${JSON.stringify(report)}`,
    );
    if (ending) leave(1);
    if (!isQuiet) this.#settle(Date.now() + SETTLE_MS);
  }

  /** An attempt that cannot have printed costs no mark. */
  #mark(): boolean {
    const { stdout, stderr } = process as unknown as Record<'stdout' | 'stderr', Socket>;
    if (
      !this.#resolution.startsProcesses &&
      stdout.bytesWritten === this.#printed.stdout &&
      stderr.bytesWritten === this.#printed.stderr
    )
      return false;
    stdout.write(`${END_MARK}${this.#served}\n`);
    stderr.write(`${END_MARK}${this.#served}\n`);
    this.#printed = { stdout: stdout.bytesWritten, stderr: stderr.bytesWritten };
    return true;
  }

  #settle(until: number): void {
    const check = setTimeout(() => {
      if (this.#current !== undefined) return;
      const left = process.getActiveResourcesInfo();
      if (left.length <= this.#resources) this.#channel.send(FROM_CHILD.quiet, '');
      else if (Date.now() < until) this.#settle(until);
      else this.#channel.send(FROM_CHILD.left, JSON.stringify(left.slice(this.#resources)));
    }, 2);
    check.unref();
  }
}

function failed(error: TaskError, callbacksRan?: boolean): AttemptOutcome {
  return { kind: 'failed', error, retryable: true, ...(callbacksRan === undefined ? {} : { callbacksRan }) };
}

function callbackReport(id: string, error?: TaskError, past?: PastAnswers): WorkerReport {
  const said = { ...(error === undefined ? {} : { error }), ...(past === undefined ? {} : { past }) };
  return { kind: 'callback', id, at: Date.now(), ...said };
}
