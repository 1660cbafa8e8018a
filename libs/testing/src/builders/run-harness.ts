import {
  advance,
  compilePlan,
  decideClear,
  decideMark,
  decideMarkRun,
  decideReport,
  decideTriggered,
  decideWaited,
  Decision,
  DEFAULT_WINDOW,
  evolveRun,
  explain,
  findInstance,
  initialRun,
  instanceKey,
  isTerminal,
  leavesOf,
  nextWake,
  type AttemptRef,
  type DagDefinition,
  type DagRunEvent,
  type DagRunState,
  type InstanceState,
  type Reason,
  type RunPlan,
  type RunReport,
  type RunStartedData,
  type Selection,
  type TriggerAnswer,
  type WaitAnswer,
} from '@rondo/domain';
import { outcomeOf, type Outcome } from './outcome.ts';
import { statesOf } from './run-view.ts';

export interface HarnessOptions {
  /** Epoch milliseconds; default 2024-01-01. */
  readonly now?: number;
  readonly window?: number;
  readonly paused?: boolean;
  /** The run comes back with this history, as a restarted scheduler loads it. Default: none. */
  readonly history?: readonly DagRunEvent[];
}

export const HARNESS_START = Date.UTC(2024, 0, 1);

/** Where the simulated attempts run. */
const PLACE = { executor: 'local', worker: 'w1' } as const;

/** The parts of an event's data that most tests name; an event of another type has them not. */
export interface EventData {
  readonly instances?: readonly { readonly taskId: string }[];
  readonly [key: string]: unknown;
}

/**
 * One run as its scheduler drives it: each call is one decision, made on memory and appended to `history`. Time stands
 * still but for `later` and `work`. The worker is simulated: a test says what its attempts come to.
 */
export class RunHarness {
  readonly plan: RunPlan;
  readonly history: DagRunEvent[];
  readonly run: DagRunState;
  /** Events of the last decision. */
  last: readonly DagRunEvent[] = [];
  now: number;
  paused: boolean;
  window: number;

  constructor(definition: DagDefinition, options: HarnessOptions = {}) {
    this.plan = compilePlan('v1', definition);
    this.history = [...(options.history ?? [])];
    this.run = this.replay();
    this.now = options.now ?? HARNESS_START;
    this.paused = options.paused ?? false;
    this.window = options.window ?? DEFAULT_WINDOW;
  }

  /** A run that has started, its first attempts published. */
  static started(definition: DagDefinition, options: HarnessOptions & Partial<RunStartedData> = {}): RunHarness {
    const { now: _now, window: _window, paused: _paused, history: _history, ...data } = options;
    const harness = new RunHarness(definition, options);
    harness.start(data);
    return harness;
  }

  /** One decision: what `change` decides, carried as far as it goes. */
  decide<T>(change: (d: Decision) => T): T {
    const { now, paused, window } = this;
    const d = new Decision(this.run, { now, paused, window });
    const result = change(d);
    advance(d);
    this.last = d.events;
    this.history.push(...d.events);
    return result;
  }

  /** `deadline` comes from `dagrunTimeoutMs` where the DAG has it. */
  start(data: Partial<RunStartedData> = {}): void {
    const { dagId } = this.plan.definition;
    const started: RunStartedData = {
      dagId,
      runId: 'run',
      version: this.plan.version,
      runType: 'manual',
      logicalDate: null,
      dataInterval: null,
      runAfter: this.now,
      triggeredBy: 'user',
      ...this.deadline(),
      ...data,
    };
    this.decide((d) => d.emit({ type: 'RunStarted', data: { ...started, at: this.now } }));
  }

  /** The DAG has admitted the reopened run again. */
  resume(): void {
    this.decide((d) => d.emit({ type: 'RunResumed', data: { at: this.now, ...this.deadline() } }));
  }

  private deadline(): { readonly deadline?: number } {
    const timeout = this.plan.definition.dagrunTimeoutMs;
    return timeout === undefined ? {} : { deadline: this.now + timeout };
  }

  /** By name: `a`, `a[2]`, `a[2.5]`. */
  instance(name: string): InstanceState {
    const [, taskId, path] = /^([^[]+)(?:\[([\d.]+)\])?$/.exec(name)!;
    const found = findInstance(this.run, taskId!, path === undefined ? [] : path.split('.').map(Number));
    if (found === undefined) throw new Error(`no task instance '${name}'`);
    return found;
  }

  get states(): Record<string, string> {
    return statesOf(this.run);
  }

  /** Type of each event of the last decision. */
  get lastTypes(): readonly string[] {
    return this.last.map((event) => event.type);
  }

  /** Data of the last event of this type in the history. */
  dataOf(type: DagRunEvent['type']): EventData {
    const found = this.history.findLast((event) => event.type === type);
    if (found === undefined)
      throw new Error(`no ${type} in the history: ${this.history.map((e) => e.type).join(', ')}`);
    return found.data as unknown as EventData;
  }

  /** Task ids in the order in which their attempts were published. */
  get published(): readonly string[] {
    return this.history.flatMap((event) => (event.type === 'TaskScheduled' ? event.data.taskId : []));
  }

  /** The attempt that the instance is at. */
  attempt(name: string): AttemptRef {
    const { task, mapIndex, tryNumber, leg } = this.instance(name);
    const { dagId } = this.plan.definition;
    const runId = this.run.started?.runId ?? 'run';
    return { dagId, runId, taskId: task.def.taskId, mapIndex, tryNumber, leg };
  }

  report(report: RunReport): boolean {
    return this.decide((d) => decideReport(d, report));
  }

  queued(taskId: string, attempt = this.attempt(taskId)): boolean {
    return this.report({ kind: 'queued', attempt, at: this.now, ...PLACE });
  }

  startedOn(taskId: string, attempt = this.attempt(taskId)): boolean {
    return this.report({ kind: 'started', attempt, at: this.now, queuedAt: this.now, pid: 7, ...PLACE });
  }

  /** The report of an end, complete in itself: queued and started are told with it. `lost` is one too. */
  endReport(taskId: string, outcome: Outcome, attempt = this.attempt(taskId)): RunReport {
    if (outcome === 'lost') return { kind: 'lost', attempt, at: this.now, reason: 'lease expired' };
    const times = { queuedAt: this.now, startedAt: this.now, at: this.now };
    return { kind: 'finished', attempt, ...times, ...PLACE, outcome: outcomeOf(outcome) };
  }

  finish(taskId: string, outcome: Outcome = 'success', attempt = this.attempt(taskId)): boolean {
    return this.report(this.endReport(taskId, outcome, attempt));
  }

  clear(...taskIds: string[]) {
    return this.clearSelection({ taskIds });
  }

  clearSelection(selection: Selection) {
    return this.decide((d) => decideClear(d, selection));
  }

  mark(taskId: string, state: 'success' | 'failed' | 'skipped') {
    return this.decide((d) => decideMark(d, { taskIds: [taskId] }, state));
  }

  markRun(state: 'success' | 'failed', reason: 'marked' | 'aborted' = 'marked') {
    return this.decide((d) => decideMarkRun(d, state, reason));
  }

  answer(taskId: string, answer: TriggerAnswer, attempt = this.attempt(taskId)): boolean {
    return this.decide((d) => decideTriggered(d, attempt, answer));
  }

  waited(taskId: string, answer: WaitAnswer, attempt = this.attempt(taskId)): boolean {
    return this.decide((d) => decideWaited(d, attempt, answer));
  }

  explain(taskId: string): readonly Reason[] {
    const { now, paused, window } = this;
    return explain(this.run, this.instance(taskId), { now, paused, window });
  }

  /** Time passes; the run is looked at again. */
  later(ms: number): void {
    this.now += ms;
    this.decide(() => undefined);
  }

  pause(paused: boolean): void {
    this.paused = paused;
    this.decide(() => undefined);
  }

  /** Instances whose attempt is open, in the order of their tasks. */
  get openInstances(): readonly InstanceState[] {
    return this.run.tasks.flatMap((task) => [...leavesOf(task)].filter((i) => i.open));
  }

  /**
   * Ends the first open attempt, again and again, with what `outcome` says; where none is open the clock goes to the next
   * wake. Returns when the run has ended and nothing is open, or nothing moves it.
   */
  work(outcome: Outcome | ((taskId: string, attempt: AttemptRef) => Outcome) = 'success'): this {
    for (let steps = 0; steps < 100_000; steps++) {
      const open = this.openInstances[0];
      if (open !== undefined) {
        const name = instanceKey(open.task.def.taskId, open.mapIndex);
        this.finish(name, typeof outcome === 'function' ? outcome(name, this.attempt(name)) : outcome);
        continue;
      }
      const wake = nextWake({ run: this.run });
      if (wake === undefined || this.hasEnded) return this;
      this.later(Math.max(wake - this.now, 0));
    }
    throw new Error(`the run does not end: ${JSON.stringify(this.states)}`);
  }

  get hasEnded(): boolean {
    return this.run.state === 'success' || this.run.state === 'failed';
  }

  /** Instances in no terminal state, by task id. */
  get unfinished(): readonly string[] {
    return this.run.tasks.flatMap((task) =>
      [...leavesOf(task)].filter((i) => !isTerminal(i.state)).map(() => task.plan.def.taskId),
    );
  }

  /** A run folded anew from a history, as it comes back from a store; default: the whole history. */
  replay(history: readonly DagRunEvent[] = this.history): DagRunState {
    const run = initialRun(this.plan);
    for (const event of JSON.parse(JSON.stringify(history)) as DagRunEvent[]) evolveRun(run, event);
    return run;
  }
}
