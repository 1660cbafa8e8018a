import {
  attemptId,
  decidePastAnswers,
  decideReport,
  decideTriggered,
  hearAssets,
  decideWaited,
  findInstance,
  nextDagWake,
  nextWake,
  parseAttemptId,
  refuseGone,
  runsToClear,
  runsWanted,
  runStandOf,
  tasksOfRun,
  watchResolved,
  type TriggerAnswer,
} from '@rondo/domain';
import {
  COMMAND_TYPES,
  type AttemptReport,
  type CommandAnswer,
  type CommandMessage,
  type SchedulerMessage,
} from '@rondo/contracts';
import type { Ids, Position } from '@rondo/ports';
import type { AssetNews } from './asset-watch.ts';
import { newRunActor, type Blame, type DagActor, type RunActor } from './actors.ts';
import { DagBatch } from './batch.ts';
import { decideDagCommand, decideQueuedRun, decideRunCommand, isRunCommand } from './commands.ts';
import { refuse, type Draft } from './drafts.ts';
import { decideRunControl, isRunControl } from './control-commands.ts';
import { decideScheduleCommand, isScheduleCommand } from './schedule-commands.ts';
import { consequencesOf, restate } from './consequences.ts';
import { pastQuestionOf, type Effects } from './effects.ts';
import type { ShardMemory } from './memory.ts';
import type { VersionPlan } from './plans.ts';
import { poolOf } from './demand.ts';
import type { Shards } from './shards.ts';
import { endRefused } from './deferrals.ts';

export interface TurnOptions {
  readonly memory: ShardMemory;
  readonly ids: Ids;
  /** Epoch milliseconds. */
  readonly now: number;
  readonly blame: Blame;
  /** The DAG was loaded for this turn: what it left undone is completed, and what it sent is stated again. */
  readonly fresh: boolean;
  readonly newer: ReadonlyMap<string, RunActor>;
  /** What the DAG has not heard of assets. */
  readonly news: AssetNews;
  readonly maxMapLength?: number | undefined;
  /** Reports of gateways that have been followed by others (I2). */
  readonly isStale?: ((report: AttemptReport) => boolean) | undefined;
  readonly sealsAll?: boolean | undefined;
}

/** One turn of one DAG: its messages, what they decide, and what follows once that is durable. */
export class Turn {
  readonly batch: DagBatch;
  /** Reports of attempts that have ended. */
  readonly ended: AttemptReport[] = [];
  /** Where it is to be said that they are durable. */
  private readonly endedFor = new Map<AttemptReport, number>();
  private readonly actor: DagActor;
  private readonly options: TurnOptions;
  /** Runs whose question about the past was lost with its worker. */
  private readonly unanswered: RunActor[] = [];
  private readonly answers: { readonly message: CommandMessage; readonly draft: Draft }[] = [];
  /** Runs that commands speak of, or that a backfill may run again: they may have been brought back for this turn alone. */
  private readonly visited = new Set<string>();

  constructor(actor: DagActor, options: TurnOptions) {
    this.actor = actor;
    this.options = options;
    const { plans } = options.memory;
    this.batch = new DagBatch(actor, { ...options, planOf: (version) => plans.peek(version)?.plan });
  }

  /** Decides; the chain of the batch is what has to be appended. */
  decide(messages: readonly SchedulerMessage[]): void {
    const { fresh, blame, memory, news } = this.options;
    if (fresh) this.recover();
    watchResolved(this.batch.decision, news.directory);
    hearAssets(this.batch.decision, news.arrivals);
    for (const { runId } of runsToClear(this.actor.state)) this.visited.add(runId);
    for (const message of messages) this.apply(message);
    delete blame.runId;
    const { dagId } = this.actor;
    this.batch.settle(
      (runId, version) => newRunActor(dagId, runId, this.planFor(runId, version)),
      (runId) => memory.quarantineOf(dagId, runId) !== undefined,
    );
  }

  /** To be called when the chain is durable. Answers when the DAG wants to be looked at again. */
  follow(position: Position, effects: Effects): number | undefined {
    if (this.options.fresh) restate(this.actor, position, effects);
    else consequencesOf(this.batch, position, effects, this.options.isStale !== undefined);
    for (const run of this.unanswered) {
      const question = pastQuestionOf(run, position);
      if (question !== undefined) effects.ready.push(question);
    }
    for (const report of this.ended) this.endRefused(report, effects);
    this.askTimetable(effects);
    for (const { message, draft } of this.answers) this.answer(message, draft, position, effects);
    return this.wind();
  }

  /**
   * The results that are durable, for whoever passed them on, and for the gateway that holds slots for them, should that be
   * another.
   */
  replies(shards: Shards | undefined): readonly { readonly replyTo: string; readonly ids: readonly string[] }[] {
    if (shards === undefined || this.endedFor.size === 0) return [];
    const byPartition = new Map<number, Set<string>>();
    for (const [report, replyTo] of this.endedFor) {
      const { attempt } = report;
      const run = this.actor.runs.get(attempt.runId);
      const inst = run && findInstance(run.state, attempt.taskId, attempt.mapIndex);
      for (const partition of inst === undefined ? [replyTo] : [replyTo, shards.partitionOf(poolOf(inst))]) {
        const ids = byPartition.get(partition) ?? new Set();
        byPartition.set(partition, ids.add(attemptId(attempt)));
      }
    }
    return Array.from(byPartition, ([partition, ids]) => ({ replyTo: shards.keyOf(partition), ids: [...ids] }));
  }

  /** The plan of a run that is to start: of its version, with the tasks that the run consists of. */
  private planFor(runId: string, version: string): VersionPlan {
    const { plans } = this.options.memory;
    const { definition } = plans.choose(version, undefined).plan;
    return plans.choose(version, tasksOfRun(this.actor.state, runId, definition));
  }

  private endRefused(report: AttemptReport, effects: Effects): void {
    if (report.kind !== 'finished' || (report.outcome.kind !== 'defer' && report.outcome.kind !== 'trigger')) return;
    const run = this.actor.runs.get(report.attempt.runId);
    if (run !== undefined) endRefused(run, report.attempt, effects);
  }

  /** A timetable of the author's own is asked once for what comes next: again when there is something new to be asked. */
  private askTimetable(effects: Effects): void {
    const { actor } = this;
    const { dagId, state } = actor;
    const query = runsWanted(state, this.options.now);
    if (query === undefined || state.version === undefined || state.file === undefined) return;
    const told = state.told === undefined ? [] : [state.told.runs.at(-1), state.told.failure?.times];
    const asked = JSON.stringify([state.version, query.last, told]);
    if (actor.asked === asked) return;
    actor.asked = asked;
    effects.timetables.push({ dagId, version: state.version, file: state.file, query });
  }

  private recover(): void {
    const { state, runs } = this.actor;
    for (const run of runs.values()) {
      this.options.blame.runId = run.runId;
      this.batch.clearForBackfill(run);
      if (state.active.has(run.runId) && run.state.state === 'queued') this.batch.begin(run);
      else this.work(run, 'recovery', 'service:scheduler');
      this.batch.restateAssets(run);
    }
  }

  private work(run: RunActor, causationId: string, actor: string) {
    return this.batch.work(run, { causationId, actor }).decision;
  }

  private apply(message: SchedulerMessage): void {
    switch (message.kind) {
      case 'command':
        this.answers.push({ message, draft: this.command(message) });
        return;
      case 'reports':
        for (const report of message.reports) this.report(report, message.replyTo);
        return;
      case 'triggerAnswered': {
        const attempt = parseAttemptId(message.waiter.attempt);
        const run = this.actor.runs.get(message.waiter.runId);
        if (attempt !== undefined && run !== undefined)
          decideTriggered(this.work(run, message.waiter.attempt, 'service:scheduler'), attempt, message.answer);
        return;
      }
      case 'waited': {
        const attempt = parseAttemptId(message.attempt);
        const run = attempt === undefined ? undefined : this.actor.runs.get(attempt.runId);
        if (attempt !== undefined && run !== undefined)
          decideWaited(this.work(run, message.attempt, 'service:triggerer'), attempt, message.answer);
        return;
      }
      case 'callbackDone':
        this.callbackDone(message);
        return;
      // Of a shard.
      case 'restate':
        return;
      case 'tick':
        for (const [runId, wake] of this.actor.wakes) {
          const run = this.actor.runs.get(runId);
          if (run !== undefined && wake <= this.options.now) this.work(run, 'timer', 'schedule:timer');
        }
        return;
    }
  }

  private report(report: AttemptReport, replyTo: number | undefined): void {
    if (this.options.isStale?.(report) === true) return;
    const { runId, taskId, tryNumber, leg } = report.attempt;
    this.options.blame.runId = runId;
    const run = this.actor.runs.get(runId);
    if (run !== undefined) decideReport(this.work(run, `${taskId}:${tryNumber}.${leg}`, 'service:gateway'), report);
    if (report.kind === 'queued' || report.kind === 'started') return;
    this.ended.push(report);
    if (replyTo !== undefined) this.endedFor.set(report, replyTo);
  }

  private callbackDone(message: Extract<SchedulerMessage, { kind: 'callbackDone' }>): void {
    const run = this.actor.runs.get(message.runId);
    if (run === undefined) return;
    const { callback, at, taskId, mapIndex, error, past } = message;
    if (callback === 'dependsOnPast') {
      // Nobody was asked: the worker has gone. The question is put again.
      if (error?.kind === 'lost') this.unanswered.push(run);
      else decidePastAnswers(this.work(run, callback, 'service:worker'), past, error);
      return;
    }
    this.work(run, callback, 'service:worker').emit({
      type: 'CallbackReported',
      data: {
        ...{ at, callback },
        ...(taskId === undefined ? {} : { taskId, mapIndex: mapIndex ?? [] }),
        ...(error === undefined ? {} : { error }),
      },
    });
  }

  private command(message: CommandMessage): Draft {
    const { command } = message;
    if (!Object.hasOwn(COMMAND_TYPES, command.type))
      return refuse('unavailable', `this scheduler's release knows no command '${String(command.type)}'`);
    const { memory, ids, now, news } = this.options;
    const newest = memory.plans.peek(this.actor.state.version ?? '');
    if (isScheduleCommand(command)) return decideScheduleCommand(this.batch, message, command, newest?.plan.definition);
    if (isRunControl(command)) return decideRunControl(this.batch, message, command);
    if (!isRunCommand(command)) return decideDagCommand(this.batch, message, ids.uuid().slice(0, 8), news.directory);
    const { dagId, runs, state } = this.actor;
    const { runId } = command;
    this.visited.add(runId);
    const gone = isQuestion(command) ? undefined : refuseGone(state, runId);
    if (gone !== undefined) return { ok: false, ...gone };
    const reason = memory.quarantineOf(dagId, runId);
    if (reason !== undefined)
      return { ok: false, code: 'quarantined', message: `run '${runId}' is quarantined: ${reason}` };
    const run = runs.get(runId);
    if (run !== undefined) return decideRunCommand(this.batch, run, message, this.newerOf(run));
    if (runStandOf(state, runId) === 'queued') return decideQueuedRun(this.batch, message, newest, now);
    return { ok: false, code: 'not_found', message: `DAG '${dagId}' has no run '${runId}'` };
  }

  /** The run over the latest version, while it has another: a second command of the turn finds it changed. */
  private newerOf(run: RunActor): RunActor | undefined {
    const newer = this.options.newer.get(run.runId);
    return newer === run ? undefined : newer;
  }

  private answer(message: CommandMessage, draft: Draft, position: Position, effects: Effects): void {
    const answer: CommandAnswer = draft.ok ? { ok: true, position, result: draft.result } : draft;
    const waiter = message.command.type === 'triggerRun' ? message.command.waiter : undefined;
    if (waiter === undefined) effects.answers.push({ commandId: message.commandId, answer });
    else {
      const { dagId } = waiter;
      effects.inbox.push({ kind: 'triggerAnswered', dagId, waiter, answer: triggerAnswerOf(this.actor, answer) });
    }
  }

  /** Lets go of runs that have ended. Looks at the runs of the turn only, however many are open. */
  private wind(): number | undefined {
    const { actor } = this;
    for (const runId of this.visited) if (!isWanted(actor, runId)) actor.runs.delete(runId);
    for (const [runId, work] of this.batch.runs) {
      if (!isWanted(actor, runId)) actor.runs.delete(runId);
      const wake = actor.runs.has(runId) ? nextWake({ run: work.actor.state }) : undefined;
      if (wake === undefined) actor.wakes.delete(runId);
      else actor.wakes.set(runId, wake);
    }
    let at = nextDagWake(actor.state, this.options.now);
    for (const wake of actor.wakes.values()) if (at === undefined || wake < at) at = wake;
    return at;
  }
}

/** It changes nothing, and may be asked of any run. */
const isQuestion = ({ type }: CommandMessage['command']): boolean => type === 'explainRun' || type === 'explainTask';

/** A run is kept while it is admitted, and while it waits to be admitted again after a clear. */
function isWanted(actor: DagActor, runId: string): boolean {
  return actor.state.active.has(runId) || actor.state.queued.get(runId)?.version !== undefined;
}

function triggerAnswerOf(actor: DagActor, answer: CommandAnswer): TriggerAnswer {
  if (!answer.ok) return { kind: 'refused', message: answer.message, alreadyExists: answer.code === 'conflict' };
  const closed = actor.state.closed.get(String(answer.result['runId']));
  return closed === undefined ? { kind: 'accepted' } : { kind: 'ended', state: closed.state };
}
