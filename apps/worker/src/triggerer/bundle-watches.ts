import { assertNever } from '@rondo/kernel';
import type { BundleRef, Connection, TaskError, WaitAnswer } from '@rondo/domain';
import type { LogStore } from '@rondo/ports';
import {
  SERVICE_METHODS,
  TO_CHILD,
  type AnswerFrame,
  type BeatFrame,
  type CallFrame,
  type LogFrame,
  type PokingFrame,
  type ServiceMethod,
  type WaitedFrame,
} from '../child/frames.ts';
import { Masker, secretsOfConnection, secretsOfVariable } from '../child/masker.ts';
import type { LogBacklog } from '../pool/attempt-log.ts';
import type { BundleFolders } from '../pool/bundle-folders.ts';
import type { Launcher } from '../pool/launcher.ts';
import { errorOfEnd, type ChildEnd } from '../pool/outcomes.ts';
import type { TriggererLimits } from './limits.ts';
import { WatchChild, type WatchChildEvents } from './watch-child.ts';
import { waitedReport, type Watched, type WatchLogOptions } from './watched.ts';

export interface BundleWatchesOptions {
  readonly limits: TriggererLimits;
  readonly launcher: Launcher;
  readonly logs: LogStore;
  readonly backlog: LogBacklog;
  readonly bundles: BundleFolders;
  readonly secrets: readonly string[];
  readonly onStarted: (pid: number) => void;
  readonly onEnded: (pid: number) => void;
  /** A report as JSON. */
  readonly onReport: (id: string, report: string) => void;
  readonly onCall: (attemptId: string, child: number, call: CallFrame) => void;
  readonly onNotice: (text: string) => void;
}

const NOTHING_HIDDEN = new Masker();
const MAX_BACKOFF_MS = 30_000;
/** A process that has lived so long has started well. */
const STEADY_MS = 60_000;
const MAX_FAILED_STARTS = 5;

/**
 * The waits of one bundle and the one process that looks after them: started with the first wait, replaced when it ends or
 * its loop stands still, ended when nothing waits any more. What happens here delays no other bundle (I8).
 */
export class BundleWatches implements WatchChildEvents {
  readonly #options: BundleWatchesOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #byNumber = new Map<number, Watched>();
  #child: WatchChild | undefined;
  #state: 'none' | 'starting' | 'running' | 'ending' | 'stopped' = 'none';
  /** Monotonic milliseconds. */
  #startedAt = 0;
  #beatAt = 0;
  #idleSince = 0;
  #mayStartAt = 0;
  #failures = 0;
  #failedStarts = 0;
  /** The end of the process is accounted for: by a wait's own answer, or by what it called. */
  #isExplained = false;
  #isBlocked = false;
  #onStopped: (() => void) | undefined;
  /** Of the bundle that the process has. */
  #hash = '';

  constructor(options: BundleWatchesOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#watched.size;
  }

  /** 0: no process. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get isIdle(): boolean {
    return this.#watched.size === 0 && this.#child === undefined && this.#state !== 'starting';
  }

  add(watched: Watched, now: number): void {
    this.#watched.set(watched.id, watched);
    this.#byNumber.set(watched.number, watched);
    if (this.#state === 'running') this.#hand(watched);
    else this.#start(now);
  }

  remove(ids: readonly string[], reason: string, now: number): void {
    const known = ids.filter((id) => this.#drop(id, now) !== undefined);
    if (known.length > 0 && this.#state === 'running')
      this.#child?.send(TO_CHILD.unwatch, JSON.stringify({ ids: known, reason }));
  }

  answer(attemptId: string, method: ServiceMethod, frame: AnswerFrame): void {
    const child = this.#child;
    if (child === undefined || !this.#watched.has(attemptId)) return;
    if ('value' in frame && frame.value !== undefined) {
      if (method === 'variable') child.masker.add(secretsOfVariable(frame.value as string));
      if (method === 'connection') child.masker.add(secretsOfConnection(frame.value as Connection));
    }
    child.send(TO_CHILD.answer, JSON.stringify(frame));
  }

  /** All that happens by time. */
  sweep(now: number): void {
    const { blockedMs, startMs, idleMs } = this.#options.limits;
    switch (this.#state) {
      case 'none':
        if (this.#watched.size > 0) this.#start(now);
        return;
      case 'starting':
        if (this.#child !== undefined && now - this.#startedAt > startMs) this.#end();
        return;
      case 'running':
        if (now - this.#beatAt > blockedMs) {
          this.#isBlocked = true;
          this.#end();
        } else if (this.#watched.size === 0 && now - this.#idleSince > idleMs) this.#end();
        return;
      case 'ending':
      case 'stopped':
        return;
      default:
        assertNever(this.#state, 'state');
    }
  }

  /** Waits are dropped: whoever restarts the platform states them again. */
  async stop(): Promise<void> {
    const { size } = this.#watched;
    const logged = [...this.#watched.values()].map((watched) => watched.logged());
    this.#watched.clear();
    this.#byNumber.clear();
    const child = this.#child;
    this.#state = 'stopped';
    if (child !== undefined) {
      const stopped = new Promise<void>((resolve) => (this.#onStopped = resolve));
      child.kill();
      await stopped;
    }
    if (size > 0) await Promise.all(logged);
  }

  onBeat({ ended }: BeatFrame): void {
    this.#beatAt = performance.now();
    this.#ended(ended);
    if (this.#state !== 'starting') return;
    this.#state = 'running';
    for (const watched of this.#watched.values()) this.#hand(watched);
  }

  onPoking({ n, ended }: PokingFrame): void {
    this.#ended(ended);
    const watched = this.#byNumber.get(n);
    if (watched !== undefined) watched.isPoking = true;
  }

  onWaited({ id, answer, crashed }: WaitedFrame): void {
    this.#isExplained ||= crashed === true;
    this.#report(id, answer);
  }

  onLog(frame: LogFrame): void {
    this.#watched.get(frame.id ?? '')?.log(frame, this.#logOptions());
  }

  /** I15: a process asks for its own waits only. */
  onCall(call: CallFrame): void {
    if (this.#watched.has(call.id) && SERVICE_METHODS.includes(call.method))
      return this.#options.onCall(call.id, this.pid, call);
    const error = `there is no service '${String(call.method)}' for ${String(call.id)}`;
    this.#child?.send(TO_CHILD.answer, JSON.stringify({ n: call.n, error }));
  }

  onOutput(text: string): void {
    const masked = this.#child?.masker.mask(text) ?? '';
    this.#options.onNotice(`process of waits ${this.pid}: ${masked.slice(0, 1_000)}`);
  }

  onEnd(end: ChildEnd): void {
    const { pid } = this;
    this.#child = undefined;
    this.#options.bundles.free(this.#hash);
    if (pid !== 0) this.#options.onEnded(pid);
    if (this.#state === 'stopped') return this.#onStopped?.();
    const now = performance.now();
    const wasRunning = this.#beatAt > this.#startedAt;
    this.#failedStarts = wasRunning ? 0 : this.#failedStarts + 1;
    this.#failures = now - this.#startedAt > STEADY_MS ? 0 : this.#failures + 1;
    this.#mayStartAt = now + Math.min(MAX_BACKOFF_MS, this.#failures <= 1 ? 0 : 500 * 2 ** (this.#failures - 1));
    this.#state = 'none';
    if (wasRunning) this.#blame(end);
    else if (this.#failedStarts >= MAX_FAILED_STARTS) this.#refuse(end);
    if (this.#watched.size > 0) this.#start(now);
  }

  /** The process ends again and again before it has begun: what loads the bundle is to blame, or the machine. */
  #refuse(end: ChildEnd): void {
    this.#failedStarts = 0;
    const { message } = errorOfEnd(end, [], 'DAG file');
    const error: TaskError = { kind: 'load', message: `no process of waits could be started: ${message}` };
    for (const id of [...this.#watched.keys()]) this.#report(id, { kind: 'failed', error, retryable: true });
  }

  #start(now: number): void {
    if (this.#state !== 'none' || now < this.#mayStartAt) return;
    const [first] = this.#watched.values();
    if (first === undefined) return;
    this.#state = 'starting';
    this.#startedAt = now;
    const { hash, file } = first.bundle;
    this.#options.bundles.open(hash).then(
      (root) => {
        if (this.#state === 'starting') this.#launch(root, { hash, file });
        else this.#options.bundles.free(hash);
      },
      (error: unknown) => {
        if (this.#state === 'stopped') return;
        this.#state = 'none';
        const load: TaskError = { kind: 'load', message: `the bundle ${hash} could not be unpacked: ${String(error)}` };
        for (const id of [...this.#watched.keys()]) this.#report(id, { kind: 'failed', error: load, retryable: true });
      },
    );
  }

  #launch(root: string, { hash, file }: BundleRef): void {
    this.#hash = hash;
    const { launcher, backlog, secrets, limits, onStarted } = this.#options;
    this.#isExplained = false;
    this.#isBlocked = false;
    this.#startedAt = performance.now();
    this.#child = new WatchChild(launcher, this, backlog, secrets, limits.heapMiB);
    if (this.pid !== 0) onStarted(this.pid);
    this.#child.bind({ root, file, watches: { atOnce: limits.pokesAtOnce, pokeMs: limits.pokeMs } });
  }

  #hand({ number: n, isSuspect, json }: Watched): void {
    this.#child?.send(TO_CHILD.watch, `{"n":${n},"suspect":${isSuspect},"input":${json}}`);
  }

  #end(): void {
    this.#state = 'ending';
    this.#child?.kill();
  }

  #ended(numbers: readonly number[]): void {
    for (const n of numbers) {
      const watched = this.#byNumber.get(n);
      if (watched === undefined) continue;
      watched.isPoking = false;
      watched.isSuspect = false;
    }
  }

  #drop(id: string, now: number): Watched | undefined {
    const watched = this.#watched.get(id);
    if (watched === undefined) return undefined;
    this.#watched.delete(id);
    this.#byNumber.delete(watched.number);
    if (this.#watched.size === 0) this.#idleSince = now;
    return watched;
  }

  #report(id: string, answer: WaitAnswer): void {
    const watched = this.#drop(id, performance.now());
    if (watched === undefined) return;
    const report = JSON.stringify(waitedReport(id, answer, this.#child?.masker));
    // Its log is whole before its end is told.
    void watched.logged().then(() => this.#options.onReport(id, report));
  }

  /**
   * Who has stopped the process: what said so itself, or else what was being poked. Of several, each is poked alone by the
   * next process, so that the one to blame is alone with it the next time.
   */
  #blame(end: ChildEnd): void {
    const { blockedMs, maxOffences } = this.#options.limits;
    const poking = [...this.#watched.values()].filter(({ isPoking }) => isPoking);
    const known = poking.filter(({ isSuspect }) => isSuspect);
    const suspects = known.length > 0 ? known : poking;
    for (const watched of this.#watched.values()) watched.isPoking = watched.isSuspect = false;
    const { exiting } = end;
    if (exiting?.id !== undefined)
      return this.#report(exiting.id, { kind: 'failed', error: errorOfEnd(end, [], 'poke'), retryable: true });
    if (this.#isExplained || this.#watched.size === 0) return;
    const what = this.#isBlocked
      ? `has held its process for more than ${blockedMs / 1_000} s: a poke must not block, since thousands of waits share the process`
      : errorOfEnd(end, [], 'poke').message;
    this.#options.onNotice(
      `process of waits: ${suspects.length} of ${this.#watched.size} were being poked when it ended: ${what}`,
    );
    for (const suspect of suspects) suspect.isSuspect = true;
    const [only] = suspects;
    if (only === undefined || suspects.length > 1) return;
    const text = this.#isBlocked ? `the poke ${what}` : what;
    only.log({ at: Date.now(), level: 'error', text }, this.#logOptions());
    if (++only.offences < maxOffences) return;
    const error: TaskError = { kind: 'exit', message: `${text} (${only.offences} times)` };
    this.#report(only.id, { kind: 'failed', error, retryable: false });
  }

  #logOptions(): WatchLogOptions {
    const { logs, backlog, limits, onNotice } = this.#options;
    const onError = (error: unknown): void => onNotice(`the log of a wait could not be stored: ${String(error)}`);
    return {
      store: logs,
      masker: this.#child?.masker ?? NOTHING_HIDDEN,
      backlog,
      maxBytes: limits.maxLogBytes,
      onError,
    };
  }
}
