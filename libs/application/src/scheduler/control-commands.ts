import {
  archiveRun,
  changeRunVersion,
  decideClear,
  decideHold,
  decideNote,
  decidePriority,
  decideRetries,
  eraseRun,
  finishArchive,
  holdRun,
  ignorePast,
  instanceKey,
  leavesOf,
  noteRun,
  prioritiseRun,
  rangesFor,
  reopenRun,
  restoreRun,
  select,
  wakeForPast,
  type DagRefusal,
  type InstanceRange,
  type Selection,
} from '@rondo/domain';
import { assertNever, ok, type Json, type Result } from '@rondo/kernel';
import type { CommandMessage, DagCommand } from '@rondo/contracts';
import type { RunActor } from './actors.ts';
import type { DagBatch, RunWork } from './batch.ts';
import { accept, causeOf, refuse, type Draft } from './drafts.ts';
import { viewOf } from './views.ts';

type Commands<Type extends DagCommand['type']> = Extract<DagCommand, { readonly type: Type }>;

/** What is set about a run as its DAG knows it, whether it has started or not. */
export type RunControl = Commands<
  'holdRun' | 'prioritiseRun' | 'noteRun' | 'eraseRun' | 'archiveRun' | 'finishArchive' | 'restoreRun'
>;
/** What is set about instances of a run. */
export type TaskControl = Commands<'holdTasks' | 'prioritiseTasks' | 'setRetries' | 'noteTasks'>;
export type ClearTasks = Commands<'clearTasks'>;

const RUN_CONTROL: readonly DagCommand['type'][] = [
  ...(['holdRun', 'prioritiseRun', 'noteRun', 'eraseRun', 'archiveRun', 'finishArchive', 'restoreRun'] as const),
];

export function isRunControl(command: DagCommand): command is RunControl {
  return RUN_CONTROL.includes(command.type);
}

export function decideRunControl(batch: DagBatch, message: CommandMessage, command: RunControl): Draft {
  batch.setDagCause(causeOf(message));
  const done = controlRun(batch, message, command);
  if (!done.ok) return refuse(done.error.code, done.error.message);
  return accept({ dagId: message.dagId, runId: command.runId, ...done.value });
}

function controlRun(
  batch: DagBatch,
  message: CommandMessage,
  command: RunControl,
): Result<{ readonly at: number } | void, DagRefusal> {
  const d = batch.decision;
  switch (command.type) {
    case 'holdRun':
      return holdRun(d, command.runId, command.held);
    case 'prioritiseRun':
      return prioritiseRun(d, command.runId, command.priority);
    case 'noteRun':
      return noteRun(d, command.runId, command.note, causeOf(message).actor);
    case 'eraseRun':
      return eraseRun(d, command.runId, causeOf(message).actor);
    case 'archiveRun':
      return archiveRun(d, command.runId, causeOf(message).actor);
    case 'finishArchive': {
      const { type: _, ...archived } = command;
      return finishArchive(d, archived);
    }
    case 'restoreRun':
      return restoreRun(d, command.runId, causeOf(message).actor);
    default:
      return assertNever(command, 'command');
  }
}

export function controlTasks(work: RunWork, command: TaskControl): Result<readonly InstanceRange[]> {
  const { decision } = work;
  switch (command.type) {
    case 'holdTasks':
      return decideHold(decision, command.selection, command.held);
    case 'prioritiseTasks':
      return decidePriority(decision, command.selection, command.priority);
    case 'setRetries':
      return decideRetries(decision, command.selection, command.retries);
    case 'noteTasks':
      return decideNote(decision, command.selection, command.note, work.cause.actor);
    default:
      return assertNever(command, 'command');
  }
}

/** What the clear would touch, by state; nothing is written. */
export function dryClear(run: RunActor, command: ClearTasks, newer: RunActor | undefined): Draft {
  const target = newer ?? run;
  const selection = selectionOf(run, target, command);
  const chosen = selection === undefined ? ok([]) : select(target.state, selection);
  if (!chosen.ok) return refuse('invalid', chosen.error);
  const byState = Map.groupBy(
    chosen.value.filter((i) => i.state !== 'none' || command.onlyNew === true),
    (i) => i.state,
  );
  const instances: Json[] = [...byState].flatMap(([state, group]) =>
    rangesFor(group).map((range) => ({ ...viewOf(range), state })),
  );
  return accept({ dryRun: true, runId: run.runId, instances });
}

/** `newer`: the same run over the plan of its DAG's latest version, where the command asks for that and it is another. */
export function clearTasks(
  batch: DagBatch,
  run: RunActor,
  message: CommandMessage,
  command: ClearTasks,
  newer: RunActor | undefined,
): Draft {
  const left = newer === undefined ? undefined : leftBehind(run, newer);
  if (left !== undefined) return refuse('conflict', left);
  const target = newer ?? run;
  const selection = selectionOf(run, target, command);
  const checked = selection === undefined ? ok([]) : select(target.state, selection);
  if (!checked.ok) return refuse('invalid', checked.error);
  const running = command.preventRunning === true ? checked.value.find((i) => i.state === 'running') : undefined;
  if (running !== undefined)
    return refuse(
      'conflict',
      `task instance '${instanceKey(running.task.def.taskId, running.mapIndex)}' is running (preventRunning)`,
    );
  const wasClosed = batch.actor.state.closed.has(run.runId);
  if (newer !== undefined) {
    batch.setDagCause(causeOf(message));
    changeRunVersion(batch.decision, run.runId, newer.version.plan.version);
    batch.exchange(newer);
  }
  const { decision } = batch.work(target, causeOf(message));
  const options = {
    reset: command.resetDagRun ?? true,
    isExtended: newer !== undefined,
  };
  const done =
    selection === undefined ? decideClear(decision, NOTHING, options) : decideClear(decision, selection, options);
  if (!done.ok) return refuse('invalid', done.error);
  if (command.note !== undefined && done.value.length > 0)
    decideNote(decision, selection ?? NOTHING, command.note, causeOf(message).actor);
  const goesOn = options.reset && (done.value.length > 0 || newer !== undefined);
  if (goesOn || command.ignoreDependsOnPast === true) batch.setDagCause(causeOf(message));
  if (command.ignoreDependsOnPast === true) {
    ignorePast(batch.decision, run.runId);
    wakeForPast(target.state, 'all');
  }
  if (goesOn && wasClosed) reopenRun(batch.decision, run.runId);
  // It had ended and was not closed, because an attempt of it was still open: its DAG never took its place away.
  if (target.state.state === 'queued' && batch.actor.state.active.has(run.runId)) {
    batch.setDagCause(causeOf(message));
    batch.begin(target);
  }
  return accept({
    dagId: message.dagId,
    runId: run.runId,
    state: target.state.state,
    version: target.version.plan.version,
    instances: done.value.map(viewOf),
  });
}

const NOTHING: Selection = { taskIds: [] };

/** With `onlyNew` only tasks that the run does not have yet; undefined: there are none. */
function selectionOf(run: RunActor, target: RunActor, { selection, onlyNew }: ClearTasks): Selection | undefined {
  if (onlyNew !== true) return selection;
  const before = run.state.plan.indexOf;
  const fresh = [...target.state.plan.indexOf.keys()].filter((id) => !before.has(id));
  return fresh.length === 0 ? undefined : { taskIds: fresh };
}

/** A task that the new version lacks must have nothing outstanding: nobody could take its report. */
function leftBehind(run: RunActor, newer: RunActor): string | undefined {
  for (const task of run.state.tasks) {
    const { taskId } = task.plan.def;
    if (newer.state.plan.indexOf.has(taskId)) continue;
    for (const inst of leavesOf(task))
      if (inst.open || inst.callback !== undefined)
        return `task '${taskId}' is not in the latest version, and an attempt of it runs: mark it, or wait for its end`;
  }
  return undefined;
}
