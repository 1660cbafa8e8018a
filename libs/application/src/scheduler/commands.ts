import {
  decideClear,
  decideMark,
  decideMarkRun,
  DEFAULT_WINDOW,
  explain,
  findInstance,
  publishVersion,
  reopenRun,
  retire,
  runStandOf,
  select,
  setPaused,
  triggerRun,
  type InstanceRange,
} from '@rondo/domain';
import { assertNever, err, type Json, type JsonObject, type Result } from '@rondo/kernel';
import type { CommandAnswer, CommandMessage, DagCommand, RefusalCode } from '@rondo/contracts';
import type { RunActor } from './actors.ts';
import type { DagBatch, RunWork } from './batch.ts';
import type { Cause } from './envelope.ts';

/** An answer before its position is known: it is sent when the batch's events are durable. */
export type Draft = { readonly ok: true; readonly result: JsonObject } | Extract<CommandAnswer, { ok: false }>;

const refuse = (code: RefusalCode, message: string): Draft => ({ ok: false, code, message });
const accept = (result: JsonObject): Draft => ({ ok: true, result });

type RunCommand = Extract<
  DagCommand,
  { readonly runId: string; readonly type: 'clearTasks' | 'markTasks' | 'markRun' | 'cancelRun' | 'explainTask' }
>;

export function isRunCommand(command: DagCommand): command is RunCommand {
  return ['clearTasks', 'markTasks', 'markRun', 'cancelRun', 'explainTask'].includes(command.type);
}

export function causeOf(message: CommandMessage): Cause {
  return { causationId: message.commandId, actor: `${message.actor.kind}:${message.actor.name}` };
}

/** A command to the DAG itself. */
export function decideDagCommand(batch: DagBatch, message: CommandMessage, suffix: string): Draft {
  const { command, dagId } = message;
  const d = batch.decision;
  batch.setDagCause(causeOf(message));
  switch (command.type) {
    case 'publishVersion':
      publishVersion(d, command.version, command.definition, command.bundle.hash);
      return accept({ dagId, version: command.version });
    case 'retireDag':
      retire(d, command.reason);
      return accept({ dagId });
    case 'pauseDag':
    case 'unpauseDag': {
      const done = setPaused(d, command.type === 'pauseDag');
      return done.ok
        ? accept({ dagId, paused: command.type === 'pauseDag' })
        : refuse(done.error.code, done.error.message);
    }
    case 'triggerRun': {
      const { type: _, ...rest } = command;
      const asked = triggerRun(d, { ...rest, key: rest.key ?? message.commandId, suffix });
      if (!asked.ok) return refuse(asked.error.code, asked.error.message);
      return accept({
        dagId,
        runId: asked.value.runId,
        existed: asked.value.existed,
        state: runStandOf(d.dag, asked.value.runId) ?? 'queued',
      });
    }
    default:
      throw new Error(`'${command.type}' is a command about a run`);
  }
}

/** A command about one run that is in memory. */
export function decideRunCommand(batch: DagBatch, actor: RunActor, message: CommandMessage, now: number): Draft {
  const command = message.command as RunCommand;
  const { state } = actor;
  if (command.type === 'explainTask') return explainDraft(batch, actor, command, now);
  if (command.type === 'clearTasks' && command.dryRun === true) return dryClear(actor, command);
  const work = batch.work(actor, causeOf(message));
  const wasClosed = batch.actor.state.closed.has(actor.runId);
  const done = applyToRun(work, command);
  if (!done.ok)
    return refuse(
      state.plan.indexOf.size > 0 && command.type !== 'clearTasks' && command.type !== 'markTasks'
        ? 'conflict'
        : 'invalid',
      done.error,
    );
  if (command.type === 'clearTasks' && wasClosed && done.value.length > 0) {
    batch.setDagCause(causeOf(message));
    reopenRun(batch.decision, actor.runId);
  }
  return accept({ dagId: message.dagId, runId: actor.runId, state: state.state, instances: done.value.map(viewOf) });
}

function applyToRun(
  work: RunWork,
  command: Exclude<RunCommand, { type: 'explainTask' }>,
): Result<readonly InstanceRange[]> {
  switch (command.type) {
    case 'clearTasks':
      return decideClear(work.decision, command.selection);
    case 'markTasks':
      return decideMark(work.decision, command.selection, command.state);
    case 'markRun':
      return decideMarkRun(work.decision, command.state, 'marked');
    case 'cancelRun':
      if (work.actor.state.endedAt !== undefined)
        return err(`the run has ended (${work.actor.state.state}): there is nothing to cancel`);
      return decideMarkRun(work.decision, 'failed', 'cancelled');
    default:
      return assertNever(command, 'command');
  }
}

const viewOf = (range: InstanceRange): Json => ({ taskId: range.taskId, mapIndex: range.mapIndex.join('.') });

function dryClear(actor: RunActor, command: Extract<RunCommand, { type: 'clearTasks' }>): Draft {
  const chosen = selectForClear(actor, command);
  return chosen.ok
    ? accept({ dryRun: true, runId: actor.runId, instances: chosen.value })
    : refuse('invalid', chosen.error);
}

function selectForClear(
  actor: RunActor,
  command: Extract<RunCommand, { type: 'clearTasks' }>,
): Result<readonly Json[]> {
  const chosen = select(actor.state, command.selection);
  if (!chosen.ok) return chosen;
  return {
    ok: true,
    value: chosen.value
      .filter((i) => i.state !== 'none')
      .map((i) => ({ taskId: i.task.def.taskId, mapIndex: i.mapIndex.join('.'), state: i.state })),
  };
}

function explainDraft(
  batch: DagBatch,
  actor: RunActor,
  command: Extract<RunCommand, { type: 'explainTask' }>,
  now: number,
): Draft {
  const mapIndex = command.mapIndex === '' ? [] : command.mapIndex.split('.').map(Number);
  const inst = findInstance(actor.state, command.taskId, mapIndex);
  if (inst === undefined)
    return refuse(
      'not_found',
      `run '${actor.runId}' has no task instance '${command.taskId}'${command.mapIndex === '' ? '' : ` [${command.mapIndex}]`}`,
    );
  const reasons = explain(actor.state, inst, { now, paused: batch.actor.state.paused, window: DEFAULT_WINDOW });
  return accept({
    state: inst.state,
    tryNumber: inst.tryNumber,
    reasons: reasons.map(({ rule, passed, reason }) => ({ rule, passed, reason })),
  });
}
