import { backfillRefusal, evaluatePast, RunLine, type PreviousRun, type RunType } from '@rondo/domain';
import { byPart, fields, Inexpressible, list, text, type Case, type Fields, type Finding } from '../case.ts';
import { taskState } from '../values.ts';

/** The runs of a case are a day apart, in the order in which it names them. */
const DAY = 86_400_000;

export function dependsOnPast({ input, expected }: Case): Finding {
  if (input['operation'] === 'create_backfill') return backfill(input, expected);
  const task = fields(input['task'], 'task');
  const verdict = evaluatePast({
    taskId: 't',
    dependsOnPast: task['depends_on_past'] === true,
    waitForDownstream: task['wait_for_downstream'] === true,
    ignoreFirst: input['ignore_first_depends_on_past'] !== false,
    isIgnored: input['ignore_depends_on_past'] === true,
    isFirstOfBackfill: input['first_backfill_run'] === true || input['backfill_sort_ordinal'] === 1,
    catchup: catchupOf(input),
    startDate: undefined,
    previous: previousOf(input),
  });
  return byPart(expected, {
    dep_met: () => verdict.met,
    past_depends_met_marker_pushed: () => verdict.allowsSkip && input['wait_for_past_depends_before_skipping'] === true,
  });
}

const catchupOf = (input: Fields): boolean =>
  input['dag'] !== undefined && fields(input['dag'], 'dag')['catchup'] === true;

function previousOf(input: Fields): PreviousRun | undefined {
  if (input['previous_run'] === undefined || input['previous_run'] === null) return undefined;
  const given = fields(input['previous_run'], 'previous_run');
  const line = new RunLine();
  const run = (runId: string, date: number, type: unknown): void =>
    line.add({
      runId,
      date,
      runType: text(type ?? 'scheduled', 'run_type') as RunType,
      ignoresPast: false,
      summary: undefined,
    });
  run('previous', 0, given['run_type']);
  run('this', DAY, input['this_run'] === undefined ? undefined : fields(input['this_run'], 'this_run')['run_type']);
  const previous = line.previousOf('this', catchupOf(input));
  if (previous === undefined) return undefined;
  return {
    runId: previous.runId,
    logicalDate: previous.date,
    hasEnded: false,
    passed: () => statesOf(given).every(isPassed),
    downstreamPassed: () => downstreamOf(given),
    ranBefore: () => false,
  };
}

function statesOf(given: Fields): readonly unknown[] {
  if (given['mapped_states'] !== undefined) return list(given['mapped_states'], 'mapped_states');
  if (!('ti_state' in given)) throw new Inexpressible('the previous run has no state of the task');
  return [given['ti_state']];
}

function downstreamOf(given: Fields): boolean {
  const states = given['downstream_states'];
  return states === undefined
    ? given['downstream_all_success_or_skipped'] === true
    : list(states, 'downstream_states').every(isPassed);
}

function isPassed(state: unknown): boolean {
  const read = taskState(state, 'state');
  return read === 'success' || read === 'skipped';
}

const ERRORS = { reverse: 'InvalidBackfillDirection', reprocess: 'InvalidReprocessBehavior' } as const;

function backfill(input: Fields, expected: unknown): Finding {
  const tasks = list(input['tasks'], 'tasks').map((task) => fields(task, 'task'));
  const refusal = backfillRefusal({
    dependsOnPast: tasks.some((task) => task['depends_on_past'] === true || task['wait_for_downstream'] === true),
    reverse: input['reverse'] === true,
    reprocess: text(input['reprocess_behavior'] ?? 'none', 'reprocess_behavior') as 'none' | 'failed' | 'completed',
  });
  return byPart(expected, { error: () => (refusal === undefined ? null : ERRORS[refusal]) });
}
