import {
  attemptId,
  closeRun,
  decideApproval,
  decideMark,
  decideMarkRun,
  deleteQueuedAssets,
  decideXCom,
  explain,
  findInstance,
  isSchedulable,
  publishVersion,
  retire,
  runStandOf,
  setPaused,
  triggerRun,
  type AssetDirectory,
  type InstanceRange,
} from '@rondo/domain';
import { assertNever, type Json, type Result } from '@rondo/kernel';
import type { CommandMessage, DagCommand } from '@rondo/contracts';
import type { RunActor } from './actors.ts';
import type { DagBatch, RunWork } from './batch.ts';
import { accept, causeOf, refuse, type Draft } from './drafts.ts';
import { clearTasks, controlTasks, dryClear } from './control-commands.ts';
import { demandOf } from './demand.ts';
import { refOf } from './effects.ts';
import type { VersionPlan } from './plans.ts';
import { queueReasons, roomReasons, runReasons } from './run-reasons.ts';
import { viewOf } from './views.ts';

type RunCommand = Extract<
  DagCommand,
  {
    readonly runId: string;
    readonly type:
      | 'clearTasks'
      | 'markTasks'
      | 'markRun'
      | 'holdTasks'
      | 'prioritiseTasks'
      | 'setRetries'
      | 'noteTasks'
      | 'abortRun'
      | 'changeXCom'
      | 'respondApproval'
      | 'explainTask'
      | 'explainRun';
  }
>;

export function isRunCommand(command: DagCommand): command is RunCommand {
  return RUN_COMMANDS.includes(command.type);
}

const RUN_COMMANDS: readonly DagCommand['type'][] = [
  'clearTasks',
  'markTasks',
  'markRun',
  'holdTasks',
  'prioritiseTasks',
  'setRetries',
  'noteTasks',
  'abortRun',
  'changeXCom',
  'respondApproval',
  'explainTask',
  'explainRun',
] satisfies readonly RunCommand['type'][];

/** A command to the DAG itself. */
export function decideDagCommand(
  batch: DagBatch,
  message: CommandMessage,
  suffix: string,
  assets: AssetDirectory,
): Draft {
  const { command, dagId } = message;
  const d = batch.decision;
  batch.setDagCause(causeOf(message));
  switch (command.type) {
    case 'publishVersion':
      publishVersion(d, command.version, command.definition, command.bundle.hash, assets);
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
    case 'deleteQueuedAssets': {
      if (d.dag.version === undefined) return refuse('not_found', `there is no DAG '${dagId}'`);
      const deleted = deleteQueuedAssets(d, command.names, command.partitionKey);
      return accept({ dagId, deleted });
    }
    default:
      throw new Error(`'${command.type}' is a command about a run`);
  }
}

/** A command about one run that is in memory. `newer`: the run over its DAG's latest version, where a clear asks for it. */
export function decideRunCommand(batch: DagBatch, actor: RunActor, message: CommandMessage, newer?: RunActor): Draft {
  const command = message.command as RunCommand;
  const { state, runId } = actor;
  const ended = state.started === undefined ? batch.actor.state.closed.get(runId) : undefined;
  if (ended !== undefined)
    return command.type === 'abortRun'
      ? accept({ dagId: message.dagId, runId, state: ended.state, instances: [] })
      : refuse('conflict', `run '${runId}' ended before it started (${ended.state}): it has no task instances`);
  if (command.type === 'explainRun')
    return accept({
      state: state.state,
      reasons: runReasons(batch.actor.state, runId, state.state, batch.decision.now),
    });
  if (command.type === 'explainTask') return explainDraft(batch, actor, command);
  if (command.type === 'clearTasks' && command.dryRun === true) return dryClear(actor, command, newer);
  if (command.type === 'clearTasks') return clearTasks(batch, actor, message, command, newer);
  // A repeat finds what it has done.
  if (command.type === 'abortRun' && state.endedAt !== undefined)
    return accept({ dagId: message.dagId, runId, state: state.state, instances: [] });
  const work = batch.work(actor, causeOf(message));
  if (command.type === 'changeXCom') return changeXCom(work, command);
  if (command.type === 'respondApproval') return respond(work, command, command.by ?? message.actor.name);
  const done = applyToRun(work, command);
  if (!done.ok) return refuse(command.type === 'markRun' ? 'conflict' : 'invalid', done.error);
  return accept({ dagId: message.dagId, runId, state: state.state, instances: done.value.map(viewOf) });
}

function applyToRun(
  work: RunWork,
  command: Exclude<
    RunCommand,
    { type: 'explainTask' | 'explainRun' | 'changeXCom' | 'respondApproval' | 'clearTasks' }
  >,
): Result<readonly InstanceRange[]> {
  switch (command.type) {
    case 'markTasks':
      return decideMark(work.decision, command.selection, command.state);
    case 'markRun':
      return decideMarkRun(work.decision, command.state, 'marked');
    case 'abortRun':
      return decideMarkRun(work.decision, 'failed', 'aborted');
    case 'holdTasks':
    case 'prioritiseTasks':
    case 'setRetries':
    case 'noteTasks':
      return controlTasks(work, command);
    default:
      return assertNever(command, 'command');
  }
}

function changeXCom(work: RunWork, command: Extract<RunCommand, { type: 'changeXCom' }>): Draft {
  const { runId, taskId, mapIndex, key, value } = command;
  const change = { taskId, mapIndex: pathOf(mapIndex), key, ...(value === undefined ? {} : { value }) };
  const done = decideXCom(work.decision, change);
  return done.ok ? accept({ runId, taskId, mapIndex, key }) : refuse(done.error.code, done.error.message);
}

function respond(work: RunWork, command: Extract<RunCommand, { type: 'respondApproval' }>, by: string): Draft {
  const { runId, taskId, mapIndex, options, params } = command;
  const answer = { taskId, mapIndex: pathOf(mapIndex), options, by, ...(params === undefined ? {} : { params }) };
  const done = decideApproval(work.decision, answer);
  if (!done.ok) return refuse(done.error.code, done.error.message);
  return accept({ runId, taskId, mapIndex, response: { ...done.value } });
}

const pathOf = (mapIndex: string): number[] => (mapIndex === '' ? [] : mapIndex.split('.').map(Number));

function explainDraft(batch: DagBatch, actor: RunActor, command: Extract<RunCommand, { type: 'explainTask' }>): Draft {
  const inst = findInstance(actor.state, command.taskId, pathOf(command.mapIndex));
  if (inst === undefined)
    return refuse(
      'not_found',
      `run '${actor.runId}' has no task instance '${command.taskId}'${command.mapIndex === '' ? '' : ` [${command.mapIndex}]`}`,
    );
  const reasons = explain(actor.state, inst, batch.contextOf(actor));
  // An attempt that is published and not begun, or is to come, is admitted by the gateway.
  const asks = inst.state === 'scheduled' || isSchedulable(inst.state);
  const demand = asks ? { demand: demandOf(batch.actor.state, actor, inst) as unknown as Json } : {};
  return accept({
    state: inst.state,
    tryNumber: inst.tryNumber,
    reasons: [
      ...reasons.map(({ rule, passed, reason }) => ({ rule, passed, reason })),
      // A run that came back waits for room like any other.
      ...(batch.actor.state.queued.has(actor.runId)
        ? roomReasons(batch.actor.state, actor.runId).map((each) => ({ ...each }))
        : []),
    ],
    attempt: attemptId(refOf(actor, inst)),
    ...demand,
  });
}

/** A command about a run that has not started: it has no instances yet, only a place in its DAG's queue. */
export function decideQueuedRun(
  batch: DagBatch,
  message: CommandMessage,
  plan: VersionPlan | undefined,
  now: number,
): Draft {
  const command = message.command as RunCommand;
  const { runId } = command;
  switch (command.type) {
    case 'abortRun':
    case 'markRun': {
      const state = command.type === 'markRun' ? command.state : 'failed';
      batch.setDagCause(causeOf(message));
      closeRun(batch.decision, runId, state, { reason: command.type === 'markRun' ? 'marked' : 'aborted' });
      return accept({ dagId: message.dagId, runId, state, instances: [] });
    }
    case 'explainRun':
      return accept({ state: 'queued', reasons: queueReasons(batch.actor.state, runId, now) });
    case 'explainTask':
      if (plan !== undefined && !plan.plan.indexOf.has(command.taskId))
        return refuse('not_found', `DAG '${message.dagId}' has no task '${command.taskId}'`);
      return accept({ state: 'none', tryNumber: 0, reasons: queueReasons(batch.actor.state, runId, now) });
    case 'clearTasks':
    case 'markTasks':
    case 'holdTasks':
    case 'prioritiseTasks':
    case 'setRetries':
    case 'noteTasks':
    case 'changeXCom':
    case 'respondApproval':
      return refuse('conflict', `run '${runId}' is queued: it has no task instances before it starts`);
    default:
      return assertNever(command, 'command');
  }
}
