import { evolveDag, evolveRun, type DagEvent, type DagRunEvent, type InstanceState, type RunWait } from '@rondo/domain';
import type { Position, RecordedEvent, Subscription } from '@rondo/ports';
import { ArchivedRunError, type DagActor, type RunActor } from '../scheduler/actors.ts';
import { dagStream, decodeEvent, runStream } from '../scheduler/envelope.ts';
import { instancesOf } from '../scheduler/waiting.ts';
import { asksTasks, judgeRun, missingDag, runOf, TaskWatch } from './run-verdict.ts';
import type { RunWaitsOptions } from './run-waits.ts';

const RETRY_MS = 1_000;

interface Waiter {
  readonly id: string;
  readonly wait: RunWait;
  /** Set when the run is known and its tasks are looked at. */
  watch?: TaskWatch;
}

interface AwaitedRun {
  /** Folded only while somebody waits for its tasks. */
  actor?: RunActor;
  readonly waiters: Set<Waiter>;
}

/**
 * A DAG of which runs or tasks are awaited: its state is folded once, then follows its events (I6). All that it does is done
 * one after the other, so that what is looked back at and what is followed never disagree.
 */
export class AwaitedDag {
  readonly dagId: string;
  private readonly options: RunWaitsOptions;
  private readonly waiters = new Map<string, Waiter>();
  private readonly runs = new Map<string, AwaitedRun>();
  /** Those whose run has not been asked for, by `runId` or date. */
  private readonly unborn = new Map<string | number, Set<Waiter>>();
  private dag: DagActor | undefined;
  private position: Position = 0;
  private subscription: Subscription | undefined;
  private queue: Promise<void> = Promise.resolve();
  /** Ends a pause. */
  private hurry: () => void = () => undefined;
  private closed = false;

  constructor(dagId: string, options: RunWaitsOptions) {
    this.dagId = dagId;
    this.options = options;
    this.enqueue(() => this.open());
  }

  add(id: string, wait: RunWait): void {
    const waiter: Waiter = { id, wait };
    this.waiters.set(id, waiter);
    this.enqueue(() => this.place(waiter));
  }

  /** True: nobody waits for the DAG any more. */
  remove(id: string): boolean {
    const waiter = this.waiters.get(id);
    if (waiter === undefined) return this.waiters.size === 0;
    this.waiters.delete(id);
    for (const [key, set] of this.unborn) if (set.delete(waiter) && set.size === 0) this.unborn.delete(key);
    const runId = this.dag === undefined ? undefined : runOf(this.dag.state, waiter.wait);
    const run = runId === undefined ? undefined : this.runs.get(runId);
    if (run?.waiters.delete(waiter) === true && run.waiters.size === 0) this.runs.delete(runId!);
    return this.waiters.size === 0;
  }

  async stop(): Promise<void> {
    this.closed = true;
    this.hurry();
    await this.subscription?.stop();
  }

  /** Errors of the store are met by folding anew: nothing here is remembered by anybody else. */
  private enqueue(work: () => Promise<void>): void {
    this.queue = this.queue.then(async () => {
      if (this.closed) return;
      try {
        await work();
      } catch (error) {
        await this.reopen(error as Error);
      }
    });
  }

  private async reopen(error: Error): Promise<void> {
    if (this.closed) return;
    this.options.onProblem(`DAG '${this.dagId}', which tasks wait for, cannot be followed for now: ${error.message}`);
    // Not awaited: it may wait for the batch that waits for this.
    void this.subscription?.stop();
    const { clock } = this.options;
    await new Promise<void>((resolve) => {
      const cancel = clock.at(clock.now() + RETRY_MS, resolve);
      this.hurry = () => (cancel(), resolve());
    });
    this.runs.clear();
    this.unborn.clear();
    this.enqueue(() => this.open());
    for (const waiter of this.waiters.values()) this.enqueue(() => this.place(waiter));
  }

  private async open(): Promise<void> {
    const { store, loader } = this.options;
    const after = (this.position = await store.head());
    this.dag = await loader.dag(this.dagId);
    this.subscription = store.subscribe({
      name: `waits-${this.dagId}`,
      after,
      filter: { streamPrefixes: [dagStream(this.dagId), runStream(this.dagId, '')] },
      onBatch: (events, through) =>
        new Promise((resolve) => {
          this.enqueue(async () => {
            if (events.length > 0) await this.onBatch(events);
            this.position = through;
          });
          void this.queue.then(resolve);
        }),
      onDrop: (error) => this.enqueue(() => Promise.reject(error)),
    });
  }

  private async onBatch(events: readonly RecordedEvent[]): Promise<void> {
    const moved = new Map<string, Set<InstanceState>>();
    const stands = new Set<string>();
    const born: Waiter[] = [];
    for (const event of events) {
      this.position = event.position;
      if (event.stream === dagStream(this.dagId)) this.onDagEvent(event, stands, born);
      else this.onRunEvent(event, moved, born);
    }
    for (const waiter of born) await this.place(waiter);
    for (const runId of stands)
      for (const waiter of this.runs.get(runId)?.waiters ?? [])
        if (!asksTasks(waiter.wait)) this.judgeWhole(waiter, runId);
    for (const [runId, instances] of moved)
      for (const waiter of this.runs.get(runId)?.waiters ?? []) this.judgeTasks(waiter, instances);
  }

  private onDagEvent(recorded: RecordedEvent, stands: Set<string>, born: Waiter[]): void {
    const dag = this.dag!;
    if (recorded.revision <= dag.revision) return;
    const event = decodeEvent<DagEvent>(recorded);
    evolveDag(dag.state, event);
    dag.revision = recorded.revision;
    if ('runId' in event.data) stands.add(event.data.runId);
    if (event.type === 'RunAdmitted') born.push(...this.take(event.data.runId));
    if (event.type !== 'RunRequested') return;
    born.push(...this.take(event.data.runId));
    if (event.data.logicalDate !== null) born.push(...this.take(event.data.logicalDate));
  }

  private take(key: string | number): Iterable<Waiter> {
    const waiters = this.unborn.get(key) ?? [];
    this.unborn.delete(key);
    return waiters;
  }

  private onRunEvent(recorded: RecordedEvent, moved: Map<string, Set<InstanceState>>, born: Waiter[]): void {
    const runId = recorded.stream.slice(runStream(this.dagId, '').length);
    const run = this.runs.get(runId);
    const actor = run?.actor;
    if (run === undefined || actor === undefined || recorded.revision <= actor.revision) return;
    const event = decodeEvent<DagRunEvent>(recorded);
    if (event.type === 'RunVersionChanged') {
      // It is another plan's from now on: folded anew.
      delete run.actor;
      born.push(...run.waiters);
      return;
    }
    evolveRun(actor.state, event);
    actor.revision = recorded.revision;
    if (event.type === 'TaskMapped') for (const waiter of run.waiters) waiter.watch?.relist();
    const instances = moved.get(runId) ?? new Set();
    moved.set(runId, instances);
    for (const inst of instancesOf(actor.state, event)) instances.add(inst);
  }

  /** Where the waiter belongs now; judged at once by what is there already: the look back. */
  private async place(waiter: Waiter): Promise<void> {
    const { state } = this.dag!;
    if (this.waiters.get(waiter.id) !== waiter) return;
    const missing = missingDag(state, waiter.wait);
    if (missing !== undefined) return this.impossible(waiter, missing);
    const runId = runOf(state, waiter.wait);
    const key = waiter.wait.runId ?? waiter.wait.logicalDate;
    if (key === undefined) return this.impossible(waiter, 'the wait names neither a run nor a logical date');
    if (runId === undefined) return this.wait(key, waiter);
    if (!asksTasks(waiter.wait)) {
      this.runAt(runId).waiters.add(waiter);
      return this.judgeWhole(waiter, runId);
    }
    const { active, closed, queued } = state;
    const version = (active.get(runId) ?? closed.get(runId) ?? queued.get(runId))?.version;
    // It is in its DAG's queue: it has no task instances yet.
    if (version === undefined) return this.wait(runId, waiter);
    const run = this.runAt(runId);
    run.waiters.add(waiter);
    try {
      run.actor ??= await this.options.loader.run(state, runId, version);
    } catch (error) {
      if (error instanceof ArchivedRunError) return this.impossible(waiter, `run '${runId}': ${error.message}`);
      throw error;
    }
    waiter.watch = new TaskWatch(run.actor, waiter.wait);
    const impossible = waiter.watch.missing;
    if (impossible !== undefined) return this.impossible(waiter, impossible);
    const answer = waiter.watch.judge();
    if (answer !== undefined) this.answer(waiter, answer);
  }

  private wait(key: string | number, waiter: Waiter): void {
    const waiters = this.unborn.get(key) ?? new Set();
    this.unborn.set(key, waiters.add(waiter));
  }

  private runAt(runId: string): AwaitedRun {
    const run = this.runs.get(runId) ?? { waiters: new Set() };
    this.runs.set(runId, run);
    return run;
  }

  private judgeWhole(waiter: Waiter, runId: string): void {
    const answer = judgeRun(this.dag!.state, runId, waiter.wait);
    if (answer !== undefined) this.answer(waiter, answer);
  }

  private judgeTasks(waiter: Waiter, moved: Iterable<InstanceState>): void {
    const answer = waiter.watch?.judgeMoved(moved) ?? waiter.watch?.judgeAll();
    if (answer !== undefined) this.answer(waiter, answer);
  }

  private impossible(waiter: Waiter, message: string): void {
    const error = { kind: 'exception', type: 'ExternalTaskNotFound', message } as const;
    this.answer(waiter, { kind: 'failed', error, retryable: true });
  }

  private answer(waiter: Waiter, answer: Parameters<RunWaitsOptions['onAnswer']>[1]): void {
    this.options.onAnswer(waiter.id, answer, this.position);
  }
}
