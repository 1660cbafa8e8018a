import {
  decideReport,
  decideTriggered,
  nextDagWake,
  nextWake,
  parseAttemptId,
  runStandOf,
  type TriggerAnswer,
} from '@rondo/domain';
import {
  TOPICS,
  type AttemptReport,
  type CommandAnswer,
  type CommandMessage,
  type SchedulerMessage,
} from '@rondo/contracts';
import type { BlobStore, Clock, Consumer, DeliveredMessage, EventStore, Ids, MessageBus, Position } from '@rondo/ports';
import { ActorLoader, newRunActor, POISON_LIMIT, type DagActor } from './actors.ts';
import { appendChain, OwnershipLostError } from './append.ts';
import { DagBatch } from './batch.ts';
import { decideDagCommand, decideQueuedRun, decideRunCommand, isRunCommand, type Draft } from './commands.ts';
import { consequencesOf, restate } from './consequences.ts';
import { noEffects, type Effects } from './effects.ts';
import { PlanCache } from './plans.ts';
import { Timers } from './timers.ts';

export interface SchedulerOptions {
  readonly store: EventStore;
  readonly bus: MessageBus;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly ids: Ids;
  /** The results of these attempts are durable, or of no use any more: their worker may forget them. */
  readonly onDurable?: (attempts: readonly AttemptReport[]) => void;
  readonly onProblem?: (problem: SchedulerProblem) => void;
}

export interface SchedulerProblem {
  readonly kind: 'quarantined' | 'decision-failed' | 'store-unavailable' | 'ownership-lost';
  readonly dagId: string;
  readonly runId?: string;
  readonly message: string;
  readonly stack?: string;
}

/** Time in milliseconds that deciding, appending and publishing took so far, and what was done. */
export interface SchedulerMeter {
  decideMs: number;
  appendMs: number;
  dispatchMs: number;
  events: number;
  appends: number;
  batches: number;
}

interface Answer {
  readonly message: CommandMessage;
  readonly draft: Draft;
}

/** The run that is being decided about: when that throws, it is to blame (I12). */
interface Guard {
  runId?: string;
}

/** Owns the DAGs of its shards: the only writer of their `dag-*` and `dagRun-*` streams. */
export class Scheduler {
  readonly meter: SchedulerMeter = { decideMs: 0, appendMs: 0, dispatchMs: 0, events: 0, appends: 0, batches: 0 };
  private readonly options: SchedulerOptions;
  private readonly plans: PlanCache;
  private readonly loader: ActorLoader;
  private readonly timers: Timers;
  private readonly dags = new Map<string, DagActor>();
  private readonly failures = new Map<string, number>();
  private readonly quarantined = new Map<string, string>();
  private consumer: Consumer | undefined;
  private stopped = false;

  constructor(options: SchedulerOptions) {
    this.options = options;
    this.plans = new PlanCache(options.blobs);
    this.loader = new ActorLoader(options.store, this.plans);
    this.timers = new Timers(options.clock, (dagId) => void this.publishInbox([{ kind: 'tick', dagId, runIds: [] }]));
  }

  /** Takes its shards: loads their DAGs with open runs (I10), completes what was left undone, then works its inbox. */
  async start(): Promise<void> {
    const { bus } = this.options;
    this.consumer = await bus.consume<SchedulerMessage>({
      topic: TOPICS.schedulerInbox,
      group: 'rondo-scheduler',
      maxBatch: 1_000,
      onAssigned: (partitions) => this.takeOver(new Set(partitions)),
      onRevoked: (partitions) => this.letGo(new Set(partitions)),
      onBatch: (messages) => this.onBatch(messages),
    });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.timers.clear();
    await this.consumer?.close();
  }

  /** Runs that are out of the shard's work because their decision kept failing, with the reason (I12). */
  quarantine(): ReadonlyMap<string, string> {
    return this.quarantined;
  }

  private async takeOver(partitions: ReadonlySet<number>): Promise<void> {
    const { store, bus } = this.options;
    const streams = await store.listStreams('dag-');
    const dagIds = streams
      .map((s) => s.stream.slice('dag-'.length))
      .filter((id) => partitions.has(bus.partitionOf(TOPICS.schedulerInbox, id)));
    for (const dagId of dagIds) await this.process(dagId, []);
  }

  private letGo(partitions: ReadonlySet<number>): void {
    for (const dagId of Array.from(this.dags.keys()))
      if (partitions.has(this.options.bus.partitionOf(TOPICS.schedulerInbox, dagId))) this.drop(dagId);
  }

  private drop(dagId: string): void {
    this.dags.delete(dagId);
    this.timers.set(dagId, undefined);
  }

  private async onBatch(messages: readonly DeliveredMessage<SchedulerMessage>[]): Promise<void> {
    this.meter.batches++;
    const byDag = new Map<string, SchedulerMessage[]>();
    for (const { value } of messages) {
      const list = byDag.get(value.dagId);
      if (list === undefined) byDag.set(value.dagId, [value]);
      else list.push(value);
    }
    const effects = noEffects();
    await Promise.all(Array.from(byDag, ([dagId, list]) => this.process(dagId, list, effects)));
    await this.release(effects);
  }

  /** Decides about one DAG and appends. What fails is tried again with fresh memory; what keeps failing is quarantined. */
  private async process(dagId: string, messages: readonly SchedulerMessage[], shared?: Effects): Promise<void> {
    const effects = shared ?? noEffects();
    const guard: Guard = {};
    try {
      const fresh = !this.dags.has(dagId);
      const actor = this.dags.get(dagId) ?? (await this.load(dagId, guard));
      await this.prepare(actor, messages, guard);
      await this.decide(actor, messages, effects, guard, fresh);
    } catch (error) {
      this.drop(dagId);
      if (this.stopped) return;
      await this.onFailure(dagId, guard.runId, messages, error);
    }
    if (shared === undefined) await this.release(effects);
  }

  private async load(dagId: string, guard: Guard): Promise<DagActor> {
    const actor = await this.loader.dag(dagId);
    const { active, queued } = actor.state;
    for (const { runId, version } of [...active.values(), ...queued.values()]) {
      if (version === undefined || this.quarantined.has(`${dagId}:${runId}`)) continue;
      guard.runId = runId;
      actor.runs.set(runId, await this.loader.run(dagId, runId, version));
    }
    delete guard.runId;
    this.dags.set(dagId, actor);
    return actor;
  }

  /** Everything that deciding will want is brought into memory first, so that deciding never waits. */
  private async prepare(actor: DagActor, messages: readonly SchedulerMessage[], guard: Guard): Promise<void> {
    const versions = new Set<string>();
    if (actor.state.version !== undefined) versions.add(actor.state.version);
    for (const message of messages) {
      if (message.kind !== 'command') continue;
      const { command } = message;
      if (command.type === 'publishVersion') versions.add(command.version);
      if (isRunCommand(command)) {
        guard.runId = command.runId;
        await this.bringBack(actor, command.runId);
        delete guard.runId;
      }
    }
    for (const run of actor.state.queued.values()) if (run.version !== undefined) versions.add(run.version);
    for (const version of versions) if (this.plans.peek(version) === undefined) await this.plans.load(version);
  }

  /** A closed run that a command speaks of is folded again; it stays in memory for this batch, or while it is open. */
  private async bringBack(actor: DagActor, runId: string): Promise<void> {
    if (actor.runs.has(runId) || this.quarantined.has(`${actor.dagId}:${runId}`)) return;
    const version = actor.state.closed.get(runId)?.version ?? actor.state.queued.get(runId)?.version;
    if (version === undefined) return;
    actor.runs.set(runId, await this.loader.run(actor.dagId, runId, version));
  }

  private async decide(
    actor: DagActor,
    messages: readonly SchedulerMessage[],
    effects: Effects,
    guard: Guard,
    fresh: boolean,
  ): Promise<void> {
    const { clock, ids, store } = this.options;
    const begin = performance.now();
    const batch = new DagBatch(actor, clock.now(), ids, (version) => this.plans.peek(version)?.plan);
    const answers: Answer[] = [];
    const reports: AttemptReport[] = [];
    if (fresh)
      for (const run of actor.runs.values()) {
        guard.runId = run.runId;
        if (actor.state.active.has(run.runId) && run.state.state === 'queued') batch.begin(run);
        else batch.work(run, { causationId: 'recovery', actor: 'service:scheduler' });
      }
    for (const message of messages) this.apply(batch, message, answers, reports, guard);
    delete guard.runId;
    batch.settle((runId, version) => newRunActor(actor.dagId, runId, this.plans.peek(version)!));
    const decided = performance.now();
    const position =
      batch.chain.length === 0
        ? await store.head()
        : await appendChain(store, batch.chain, clock, (message) =>
            this.problem({ kind: 'store-unavailable', dagId: actor.dagId, message }),
          );
    const appended = performance.now();
    this.meter.decideMs += decided - begin;
    this.meter.appendMs += appended - decided;
    this.meter.appends += batch.chain.length;
    for (const request of batch.chain) this.meter.events += request.events.length;
    this.afterwards(batch, answers, reports, position, effects, fresh, visitedBy(messages));
    this.meter.dispatchMs += performance.now() - appended;
  }

  private afterwards(
    batch: DagBatch,
    answers: readonly Answer[],
    reports: readonly AttemptReport[],
    position: Position,
    effects: Effects,
    fresh: boolean,
    visited: ReadonlySet<string>,
  ): void {
    const { actor } = batch;
    if (fresh) restate(actor, position, effects);
    else consequencesOf(batch, position, effects);
    this.wind(batch, visited);
    for (const { message, draft } of answers) this.answer(actor, message, draft, position, effects);
    if (reports.length > 0) this.options.onDurable?.(reports);
  }

  private apply(
    batch: DagBatch,
    message: SchedulerMessage,
    answers: Answer[],
    reports: AttemptReport[],
    guard: Guard,
  ): void {
    const { actor } = batch;
    switch (message.kind) {
      case 'command':
        answers.push({ message, draft: this.command(batch, message) });
        return;
      case 'reports':
        for (const report of message.reports) {
          guard.runId = report.attempt.runId;
          const run = actor.runs.get(report.attempt.runId);
          if (run !== undefined)
            decideReport(
              batch.work(run, { causationId: attemptKeyOf(report), actor: 'service:gateway' }).decision,
              report,
            );
          if (report.kind === 'finished' || report.kind === 'lost') reports.push(report);
        }
        return;
      case 'triggerAnswered': {
        const attempt = parseAttemptId(message.waiter.attempt);
        const run = actor.runs.get(message.waiter.runId);
        if (attempt !== undefined && run !== undefined)
          decideTriggered(
            batch.work(run, { causationId: message.waiter.attempt, actor: 'service:scheduler' }).decision,
            attempt,
            message.answer,
          );
        return;
      }
      case 'callbackDone': {
        const run = actor.runs.get(message.runId);
        if (run === undefined) return;
        const { callback, at, taskId, mapIndex, error } = message;
        batch.work(run, { causationId: callback, actor: 'service:worker' }).decision.emit({
          type: 'CallbackReported',
          data: {
            at,
            callback,
            ...(taskId === undefined ? {} : { taskId, mapIndex: mapIndex ?? [] }),
            ...(error === undefined ? {} : { error }),
          },
        });
        return;
      }
      case 'tick':
        for (const [runId, wake] of actor.wakes) {
          const run = actor.runs.get(runId);
          if (run !== undefined && wake <= this.options.clock.now())
            batch.work(run, { causationId: 'timer', actor: 'schedule:timer' });
        }
        return;
    }
  }

  private command(batch: DagBatch, message: CommandMessage): Draft {
    const { command } = message;
    if (!isRunCommand(command)) return decideDagCommand(batch, message, this.options.ids.uuid().slice(0, 8));
    const { actor } = batch;
    const reason = this.quarantined.get(`${actor.dagId}:${command.runId}`);
    if (reason !== undefined)
      return { ok: false, code: 'quarantined', message: `run '${command.runId}' is quarantined: ${reason}` };
    const run = actor.runs.get(command.runId);
    if (run !== undefined) return decideRunCommand(batch, run, message);
    const stand = runStandOf(actor.state, command.runId);
    if (stand === 'queued')
      return decideQueuedRun(batch, message, this.plans.peek(actor.state.version ?? ''), this.options.clock.now());
    return { ok: false, code: 'not_found', message: `DAG '${actor.dagId}' has no run '${command.runId}'` };
  }

  private answer(actor: DagActor, message: CommandMessage, draft: Draft, position: Position, effects: Effects): void {
    const answer: CommandAnswer = draft.ok ? { ok: true, position, result: draft.result } : draft;
    const waiter = message.command.type === 'triggerRun' ? message.command.waiter : undefined;
    if (waiter === undefined) {
      effects.answers.push({ commandId: message.commandId, answer });
      return;
    }
    effects.inbox.push({
      kind: 'triggerAnswered',
      dagId: waiter.dagId,
      waiter,
      answer: triggerAnswerOf(actor, answer),
    });
  }

  /** Lets go of runs that have ended, and sets the alarm. Looks at the runs of the batch only, however many are open. */
  private wind(batch: DagBatch, visited: ReadonlySet<string>): void {
    const { actor } = batch;
    for (const runId of visited) if (!isWanted(actor, runId)) actor.runs.delete(runId);
    for (const [runId, work] of batch.runs) {
      if (!isWanted(actor, runId)) actor.runs.delete(runId);
      const wake = actor.runs.has(runId) ? nextWake({ run: work.actor.state }) : undefined;
      if (wake === undefined) actor.wakes.delete(runId);
      else actor.wakes.set(runId, wake);
    }
    let at = nextDagWake(actor.state, this.options.clock.now());
    for (const wake of actor.wakes.values()) if (at === undefined || wake < at) at = wake;
    this.timers.set(actor.dagId, at);
  }

  private async release(effects: Effects): Promise<void> {
    const { bus } = this.options;
    if (effects.ready.length > 0)
      await bus.publish(
        TOPICS.tasksReady,
        effects.ready.map(({ pool, message }) => ({ key: pool, value: message })),
      );
    if (effects.inbox.length > 0) await this.publishInbox(effects.inbox);
    if (effects.answers.length > 0)
      await bus.publish(
        TOPICS.commandAnswers,
        effects.answers.map((a) => ({ key: a.commandId, value: a })),
      );
  }

  private async publishInbox(messages: readonly SchedulerMessage[]): Promise<void> {
    if (!this.stopped)
      await this.options.bus.publish(
        TOPICS.schedulerInbox,
        messages.map((value) => ({ key: value.dagId, value })),
      );
  }

  private async onFailure(
    dagId: string,
    runId: string | undefined,
    messages: readonly SchedulerMessage[],
    error: unknown,
  ): Promise<void> {
    const problem = {
      dagId,
      ...(runId === undefined ? {} : { runId }),
      message: error instanceof Error ? error.message : String(error),
      ...(error instanceof Error && error.stack !== undefined ? { stack: error.stack } : {}),
    };
    if (error instanceof OwnershipLostError) this.problem({ kind: 'ownership-lost', ...problem });
    else {
      this.problem({ kind: 'decision-failed', ...problem });
      const key = runId === undefined ? dagId : `${dagId}:${runId}`;
      const failures = (this.failures.get(key) ?? 0) + 1;
      this.failures.set(key, failures);
      if (failures >= POISON_LIMIT) {
        this.quarantined.set(key, problem.message);
        this.problem({ kind: 'quarantined', ...problem });
        if (runId === undefined) return this.refuseAll(messages, problem.message);
      }
    }
    await new Promise<void>((resolve) => void this.options.clock.at(this.options.clock.now() + 50, resolve));
    await this.publishInbox(messages.length > 0 ? messages : [{ kind: 'tick', dagId, runIds: [] }]);
  }

  /** The DAG itself cannot be decided about: its commands are answered, so that nobody waits. */
  private async refuseAll(messages: readonly SchedulerMessage[], reason: string): Promise<void> {
    const effects = noEffects();
    for (const message of messages)
      if (message.kind === 'command')
        effects.answers.push({
          commandId: message.commandId,
          answer: { ok: false, code: 'quarantined', message: reason },
        });
    await this.release(effects);
  }

  private problem(problem: SchedulerProblem): void {
    this.options.onProblem?.(problem);
  }
}

/** Runs that commands speak of: they may have been brought back for this batch alone. */
function visitedBy(messages: readonly SchedulerMessage[]): ReadonlySet<string> {
  const runIds = new Set<string>();
  for (const message of messages)
    if (message.kind === 'command' && isRunCommand(message.command)) runIds.add(message.command.runId);
  return runIds;
}

/** A run is kept while it is admitted, and while it waits to be admitted again after a clear. */
function isWanted(actor: DagActor, runId: string): boolean {
  return actor.state.active.has(runId) || actor.state.queued.get(runId)?.version !== undefined;
}

function attemptKeyOf(report: AttemptReport): string {
  const { taskId, tryNumber, leg } = report.attempt;
  return `${taskId}:${tryNumber}.${leg}`;
}

function triggerAnswerOf(actor: DagActor, answer: CommandAnswer): TriggerAnswer {
  if (!answer.ok) return { kind: 'refused', message: answer.message, alreadyExists: answer.code === 'conflict' };
  const closed = actor.state.closed.get(String(answer.result['runId']));
  return closed === undefined ? { kind: 'accepted' } : { kind: 'ended', state: closed.state };
}
