import { availableParallelism } from 'node:os';
import {
  advance,
  compilePlan,
  Decision,
  decideReport,
  decideTriggered,
  decideWaited,
  DEFAULT_WINDOW,
  describeWait,
  findInstance,
  initialRun,
  nextWake,
  type AttemptOutcome,
  type AttemptRef,
  type AttemptRunContext,
  type DagRunEvent,
  type DagRunState,
  type InstanceState,
  type TriggerAnswer,
  type TriggerRequest,
  isWatch,
  type WaitAnswer,
  type WaitFor,
  type WatchWait,
} from '@rondo/domain';
import type { JsonObject } from '@rondo/kernel';
import type { LoadedDag } from './load.ts';
import type { MemoryServices } from './services.ts';

export interface MemoryRunOptions {
  readonly loaded: LoadedDag;
  readonly runId: string;
  readonly run: AttemptRunContext;
  readonly services: MemoryServices;
  /** Runs the body of one attempt; does not reject for what the body does. */
  readonly execute: (
    attempt: AttemptRef,
    instance: InstanceState,
  ) => Promise<{ readonly outcome: AttemptOutcome; readonly rendered?: JsonObject; readonly mapIndexName?: string }>;
  /** Answers a task that asks for a run of another DAG. */
  readonly trigger: (request: TriggerRequest & { readonly runId: string }) => Promise<TriggerAnswer>;
  /** Looks after a wait that takes a process, until it is over; the signal says that nobody waits any more. */
  readonly watch: (
    attempt: AttemptRef,
    instance: InstanceState,
    wait: WatchWait,
    signal: AbortSignal,
  ) => Promise<WaitAnswer>;
  /** Ends a wait by what the run was given for it; false: it was given nothing. */
  readonly settle: (d: Decision, attempt: AttemptRef, instance: InstanceState, wait: WaitFor) => boolean;
  /** Told of every event, in order. */
  readonly onEvent: (event: DagRunEvent, state: DagRunState) => void;
}

const BUNDLE = 'in-memory';

/**
 * One run of a DAG without a platform: the same decisions, a history that is kept in memory only, and bodies in this
 * process. Nothing waits for a retry's delay: when all that is left is a pause, its clock leaps over it.
 */
export class MemoryRun {
  readonly state: DagRunState;
  readonly events: DagRunEvent[] = [];
  readonly #options: MemoryRunOptions;
  readonly #queue: InstanceState[] = [];
  readonly #limit: number;
  readonly #waits = new Map<InstanceState, AbortController>();
  #running = 0;
  #leap = 0;
  #finish: ((state: DagRunState) => void) | undefined;
  #fail: ((error: unknown) => void) | undefined;

  constructor(options: MemoryRunOptions) {
    this.#options = options;
    this.#limit = Math.min(availableParallelism(), options.loaded.definition.maxActiveTasks);
    this.state = initialRun(compilePlan(BUNDLE, options.loaded.definition));
  }

  /** Resolves when the run has ended. */
  run(): Promise<DagRunState> {
    const { loaded, runId, run } = this.#options;
    return new Promise((resolve, reject) => {
      this.#finish = resolve;
      this.#fail = reject;
      this.#decide((d) => {
        const { startedAt, ...started } = run;
        const timeout = loaded.definition.dagrunTimeoutMs;
        d.emit({
          type: 'RunStarted',
          data: {
            ...started,
            dagId: loaded.definition.dagId,
            runId,
            version: BUNDLE,
            at: startedAt,
            ...(timeout === undefined ? {} : { deadline: startedAt + timeout }),
          },
        });
      });
    });
  }

  get #now(): number {
    return Date.now() + this.#leap;
  }

  #decide(change: (d: Decision) => void): void {
    try {
      this.#decideOrThrow(change);
    } catch (error) {
      this.#fail?.(error);
    }
  }

  #decideOrThrow(change: (d: Decision) => void): void {
    const d = new Decision(this.state, { now: this.#now, paused: false, window: DEFAULT_WINDOW });
    change(d);
    advance(d);
    for (const event of d.events) this.#follow(event);
    for (const [instance, abort] of this.#waits) if (instance.state !== 'deferred') abort.abort();
    this.#fill();
    if (this.state.state === 'success' || this.state.state === 'failed') {
      if (this.#running === 0 && this.#waits.size === 0) this.#finish?.(this.state);
    } else if (this.#running === 0 && this.#waits.size === 0 && this.#queue.length === 0) this.#leapToNextWake();
  }

  #follow(event: DagRunEvent): void {
    this.events.push(event);
    this.#options.services.keep(event);
    this.#options.onEvent(event, this.state);
    if (event.type === 'TaskScheduled') this.#queue.push(this.#instance(event.data));
    if (event.type === 'TaskDeferred') this.#wait(this.#instance(event.data), event.data.waitFor);
  }

  #instance({ taskId, mapIndex }: Pick<AttemptRef, 'taskId' | 'mapIndex'>): InstanceState {
    const instance = findInstance(this.state, taskId, mapIndex);
    if (instance === undefined) throw new Error(`the run has no instance ${taskId}[${mapIndex.join('.')}]`);
    return instance;
  }

  #fill(): void {
    while (this.#running < this.#limit) {
      const instance = this.#queue.shift();
      if (instance === undefined) return;
      if (instance.open) this.#start(instance);
    }
  }

  #refOf(instance: InstanceState): AttemptRef {
    const { taskId } = instance.task.def;
    const { mapIndex, tryNumber, leg } = instance;
    return { dagId: this.state.plan.definition.dagId, runId: this.#options.runId, taskId, mapIndex, tryNumber, leg };
  }

  #start(instance: InstanceState): void {
    const attempt = this.#refOf(instance);
    const startedAt = this.#now;
    const place = { executor: 'in-process', worker: 'local', queuedAt: startedAt, pid: process.pid };
    this.#running += 1;
    // Not within the decision that published it: a decision ends before the next begins.
    setImmediate(() => {
      this.#decide((d) => decideReport(d, { kind: 'started', attempt, at: startedAt, ...place }));
      this.#options.execute(attempt, instance).then(
        (result) => {
          this.#running -= 1;
          this.#decide((d) =>
            decideReport(d, { kind: 'finished', attempt, at: this.#now, startedAt, ...place, ...result }),
          );
        },
        (error: unknown) => this.#fail?.(error),
      );
    });
  }

  #wait(instance: InstanceState, wait: WaitFor): void {
    if (wait.kind === 'dagRun') return this.#triggered(instance, wait.request);
    if (isWatch(wait)) return this.#watch(instance, wait);
    // A time is leapt to.
    if (wait.kind === 'time') return;
    const attempt = this.#refOf(instance);
    const message = `the task ${describeWait(wait)}: a run without a platform does not wait`;
    const error = { kind: 'exception', type: 'Unavailable', message } as const;
    this.#running += 1;
    setImmediate(() => {
      this.#running -= 1;
      this.#decide((d) => {
        if (this.#options.settle(d, attempt, instance, wait)) return;
        // The end of the time for an answer is leapt to.
        if (instance.deferral?.deadline === undefined)
          decideWaited(d, attempt, { kind: 'failed', error, retryable: false });
      });
    });
  }

  /** It takes none of the places of bodies. */
  #watch(instance: InstanceState, wait: WatchWait): void {
    const attempt = this.#refOf(instance);
    const abort = new AbortController();
    this.#waits.set(instance, abort);
    this.#options.watch(attempt, instance, wait, abort.signal).then(
      (answer) => {
        if (this.#waits.get(instance) === abort) this.#waits.delete(instance);
        this.#decide((d) => decideWaited(d, attempt, answer));
      },
      (error: unknown) => this.#fail?.(error),
    );
  }

  #triggered(instance: InstanceState, request: TriggerRequest & { readonly runId: string }): void {
    const attempt = this.#refOf(instance);
    this.#running += 1;
    this.#options.trigger(request).then(
      (answer) => {
        this.#running -= 1;
        this.#decide((d) => decideTriggered(d, attempt, answer));
      },
      (error: unknown) => this.#fail?.(error),
    );
  }

  #leapToNextWake(): void {
    const wake = nextWake({ run: this.state });
    if (wake === undefined) {
      this.#fail?.(new Error('the run can neither go on nor end'));
      return;
    }
    this.#leap += Math.max(0, wake - this.#now);
    setImmediate(() => this.#decide(() => {}));
  }
}
