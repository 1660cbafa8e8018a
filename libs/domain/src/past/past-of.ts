import { assertNever } from '@rondo/kernel';
import type { DagState } from '../dag/state.ts';
import type { RunPlan, TaskPlan } from '../dag-run/plan.ts';
import type { DagRunState } from '../dag-run/state.ts';
import type { DatedRun } from './line.ts';
import { evaluatePast, met, type PastVerdict, type PreviousRun } from './rule.ts';

/** A run that is not closed, in memory, at the revision which its stream will have once the decisions so far are written. */
export interface OpenPast {
  readonly state: DagRunState;
  readonly revision: number;
}

export type OpenRuns = (runId: string) => OpenPast | undefined;

/**
 * Whether the past of a task lets the run's instances of it start. A closed run is looked at in its closing summary, an open
 * one in memory; one that has not started has run nothing. A closed run without a summary holds nobody back: it never
 * started, or nothing depended on its past when it was closed.
 */
export function pastOf(dag: DagState, runId: string, plan: RunPlan, task: TaskPlan, openRun: OpenRuns): PastVerdict {
  const { def } = task;
  const catchup = dag.scheduling?.catchup ?? plan.definition.catchup;
  const previous = task.asksPast ? dag.line.previousOf(runId, catchup, def.taskId) : undefined;
  const unrecorded = previous !== undefined && dag.closed.has(previous.runId) && previous.summary === undefined;
  const verdict = evaluatePast({
    taskId: def.taskId,
    dependsOnPast: def.dependsOnPast,
    waitForDownstream: def.waitForDownstream,
    ignoreFirst: def.ignoreFirstDependsOnPast ?? true,
    isIgnored: dag.line.find(runId)?.ignoresPast ?? false,
    isFirstOfBackfill: dag.line.find(runId)?.ordinal === 1,
    catchup,
    startDate: def.startDate ?? plan.definition.startDate,
    previous: previous === undefined || unrecorded ? undefined : view(dag, runId, plan, task, previous, openRun),
  });
  if (!verdict.met)
    return def.pastCondition === true ? byCondition(verdict, openRun(runId)?.state, def.taskId) : verdict;
  if (unrecorded) return met(`run '${previous.runId}' left no record of its tasks`);
  if (!verdict.relied || previous === undefined) return verdict;
  const revision = previous.summary?.revision ?? openRun(previous.runId)?.revision;
  return revision === undefined ? verdict : { ...verdict, on: { runId: previous.runId, revision } };
}

/** What holds the task back counts only where its function says so. */
function byCondition(unmet: PastVerdict, run: DagRunState | undefined, taskId: string): PastVerdict {
  const answer = run?.pastAnswers?.get(taskId);
  switch (answer) {
    case 'free':
      return met('its dependsOnPast function said that it does not depend on its past');
    case 'depends':
      return unmet;
    case 'failed':
      return { ...unmet, reason: `${unmet.reason}; its dependsOnPast function failed, so it waits` };
    case undefined:
      return {
        met: false,
        allowsSkip: false,
        isFinal: false,
        reason: 'whether it depends on its past is not known yet: its dependsOnPast function has not answered',
      };
    default:
      return assertNever(answer, 'answer');
  }
}

function view(
  dag: DagState,
  runId: string,
  plan: RunPlan,
  task: TaskPlan,
  previous: DatedRun,
  openRun: OpenRuns,
): PreviousRun {
  const { taskId } = task.def;
  const stateOf = (id: string) => taskIn(dag, previous, id, openRun);
  return {
    runId: previous.runId,
    logicalDate: previous.date,
    hasEnded: dag.closed.has(previous.runId),
    passed: () => {
      const state = stateOf(taskId);
      return state === 'absent' ? undefined : state === 'passed';
    },
    downstreamPassed: () => task.downstream.every((below) => stateOf(plan.tasks[below]!.def.taskId) !== 'unmet'),
    ranBefore: () =>
      dag.line.before(previous.runId, (older) => {
        if (dag.closed.has(older.runId) && older.summary === undefined) return false;
        return older.runId !== runId && taskIn(dag, older, taskId, openRun) !== 'absent';
      }) !== undefined,
  };
}

function taskIn(dag: DagState, run: DatedRun, taskId: string, openRun: OpenRuns): 'passed' | 'unmet' | 'absent' {
  const { summary } = run;
  if (dag.closed.has(run.runId) && summary !== undefined) {
    if (summary.absent?.includes(taskId) === true) return 'absent';
    return summary.rest === true || summary.unmet?.includes(taskId) === true ? 'unmet' : 'passed';
  }
  const open = openRun(run.runId)?.state;
  if (open === undefined) return 'unmet';
  const index = open.plan.indexOf.get(taskId);
  const found = index === undefined ? undefined : open.tasks[index]!;
  if (found === undefined) return 'absent';
  return found.passed === found.size ? 'passed' : 'unmet';
}
