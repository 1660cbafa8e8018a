import type { Command } from 'commander';
import { type Context, parseCount, parseDate, parseWhole, type Registry } from '../context.ts';
import { UsageError } from '../exit-codes.ts';
import { path } from '../http/client.ts';
import { collect } from './collect.ts';
import { tellReasons, type WhyAnswer } from './reasons.ts';
import { tellTouched, type TouchedAnswer } from './touched.ts';

interface SelectionOptions {
  readonly task?: readonly string[];
  readonly taskPattern?: string;
  readonly mapIndex?: string;
  readonly upstream?: boolean;
  readonly downstream?: boolean;
}

interface DirectionOptions {
  readonly past?: boolean;
  readonly future?: boolean;
}

interface ClearOptions extends SelectionOptions {
  readonly onlyFailed?: boolean;
  readonly onlyRunning?: boolean;
  readonly latestVersion?: boolean;
  readonly onlyNew?: boolean;
  /** False: `--no-reset-run`. */
  readonly resetRun: boolean;
  readonly ignoreDependsOnPast?: boolean;
  readonly preventRunning?: boolean;
  readonly note?: string;
  readonly dryRun?: boolean;
}

const selectionOf = (options: SelectionOptions) => ({
  taskIds: options.task,
  taskPattern: options.taskPattern,
  mapIndex: options.mapIndex,
  includeUpstream: options.upstream,
  includeDownstream: options.downstream,
});

const directionOf = ({ past, future }: DirectionOptions) => ({ includePast: past, includeFuture: future });

const clearingOf = (options: ClearOptions) => ({
  ...selectionOf(options),
  onlyFailed: options.onlyFailed,
  onlyRunning: options.onlyRunning,
  latestVersion: options.latestVersion,
  onlyNew: options.onlyNew,
  resetDagRun: options.resetRun ? undefined : false,
  ignoreDependsOnPast: options.ignoreDependsOnPast,
  preventRunning: options.preventRunning,
  note: options.note,
  dryRun: options.dryRun,
});

const clearedText = ({ dryRun }: ClearOptions): string => (dryRun === true ? 'would be cleared' : 'cleared');
const runPath = (dagId: string, runId: string, ...more: string[]): string =>
  path('dags', dagId, 'runs', runId, ...more);

async function clearRun(
  context: Context,
  dagId: string,
  runId: string,
  options: ClearOptions & DirectionOptions,
): Promise<void> {
  const body = { ...clearingOf(options), ...directionOf(options) };
  tellTouched(
    context,
    await context.api.post<TouchedAnswer>(runPath(dagId, runId, 'clear'), body),
    clearedText(options),
  );
}

interface RangeOptions extends ClearOptions {
  readonly run?: readonly string[];
  readonly startDate?: string;
  readonly endDate?: string;
}

async function clearTasks(context: Context, dagId: string, options: RangeOptions): Promise<void> {
  const { run, startDate, endDate } = options;
  if (run === undefined && startDate === undefined && endDate === undefined)
    throw new UsageError('which runs? --run, --start-date or --end-date is needed');
  const body = {
    ...clearingOf(options),
    runIds: run,
    logicalDateGte: startDate === undefined ? undefined : parseDate(startDate, '--start-date'),
    logicalDateLte: endDate === undefined ? undefined : parseDate(endDate, '--end-date'),
  };
  tellTouched(context, await context.api.post<TouchedAnswer>(path('dags', dagId, 'clear'), body), clearedText(options));
}

const RUN_MARKS = ['success', 'failed'];
const TASK_MARKS = ['success', 'failed', 'skipped'];

async function markRun(
  context: Context,
  dagId: string,
  runId: string,
  state: string,
  options: SelectionOptions & DirectionOptions,
): Promise<void> {
  const isOfTasks = options.task !== undefined || options.taskPattern !== undefined;
  const allowed = isOfTasks ? TASK_MARKS : RUN_MARKS;
  if (!allowed.includes(state))
    throw new UsageError(
      `state '${state}' is not allowed: ${allowed.join(', ')}${isOfTasks ? '' : ' (skipped only with --task)'}`,
    );
  const body = { state, ...(isOfTasks ? selectionOf(options) : {}), ...directionOf(options) };
  const answer = await context.api.post<TouchedAnswer>(runPath(dagId, runId, 'mark'), body);
  if (isOfTasks || 'runs' in answer) tellTouched(context, answer, `marked ${state}`);
  else context.answer(answer, () => `run ${runId} of ${dagId} is marked ${state}`);
}

async function markTask(
  context: Context,
  dagId: string,
  runId: string,
  taskId: string,
  state: string,
  options: SelectionOptions & DirectionOptions,
): Promise<void> {
  await markRun(context, dagId, runId, state, { ...options, task: [taskId] });
}

async function abort(context: Context, dagId: string, runId: string): Promise<void> {
  const answer = await context.api.post<{ readonly state: string }>(runPath(dagId, runId, 'abort'));
  context.answer(answer, () => `run ${runId} of ${dagId} has ended: ${answer.state}`);
}

const holdRun =
  (verb: 'hold' | 'release') =>
  async (context: Context, dagId: string, runId: string): Promise<void> => {
    const answer = await context.api.post<unknown>(runPath(dagId, runId, verb));
    context.answer(answer, () => `run ${runId} of ${dagId} is ${verb === 'hold' ? 'held' : 'released'}`);
  };

const holdTasks =
  (verb: 'hold' | 'release') =>
  async (
    context: Context,
    dagId: string,
    runId: string,
    taskIds: readonly string[],
    options: SelectionOptions,
  ): Promise<void> => {
    const body = { ...selectionOf(options), taskIds };
    const answer = await context.api.post<TouchedAnswer>(runPath(dagId, runId, verb), body);
    tellTouched(context, answer, verb === 'hold' ? 'held' : 'released');
  };

interface SetOptions {
  readonly priority?: string;
  readonly retries?: string;
  readonly mapIndex?: string;
}

/** `dag`: the priority that the DAG says. */
function changesOf({ priority, retries }: SetOptions): {
  readonly priority?: number | null;
  readonly retries?: number;
} {
  if (priority === undefined && retries === undefined) throw new UsageError('what? --priority or --retries is needed');
  return {
    ...(priority === undefined ? {} : { priority: priority === 'dag' ? null : parseWhole(priority, '--priority') }),
    ...(retries === undefined ? {} : { retries: parseCount(retries, '--retries', 0) }),
  };
}

async function setRun(context: Context, dagId: string, runId: string, options: SetOptions): Promise<void> {
  const answer = await context.api.patch<unknown>(runPath(dagId, runId), changesOf(options));
  context.answer(answer, () => `run ${runId} of ${dagId} is changed`);
}

async function setTask(
  context: Context,
  dagId: string,
  runId: string,
  taskId: string,
  options: SetOptions,
): Promise<void> {
  const body = { ...changesOf(options), mapIndex: options.mapIndex };
  tellTouched(context, await context.api.patch<TouchedAnswer>(runPath(dagId, runId, 'tasks', taskId), body), 'changed');
}

async function noteRun(context: Context, dagId: string, runId: string, note: string): Promise<void> {
  const answer = await context.api.patch<unknown>(runPath(dagId, runId), { note });
  context.answer(answer, () => `the note of run ${runId} of ${dagId} is ${note === '' ? 'gone' : 'set'}`);
}

async function noteTask(
  context: Context,
  dagId: string,
  runId: string,
  taskId: string,
  note: string,
  { mapIndex }: { readonly mapIndex?: string },
): Promise<void> {
  const body = { note, mapIndex };
  tellTouched(context, await context.api.patch<TouchedAnswer>(runPath(dagId, runId, 'tasks', taskId), body), 'noted');
}

async function whyRun(context: Context, dagId: string, runId: string): Promise<void> {
  tellReasons(context, runId, await context.api.get<WhyAnswer>(runPath(dagId, runId, 'reasons')));
}

function withClearing(command: Command): Command {
  return command
    .option('--task <id>', 'only this task or group (may be repeated)', collect)
    .option('--task-pattern <glob>', 'only tasks and groups whose id fits: * stands for any characters, ? for one')
    .option('--map-index <index>', 'only this instance of the one task named')
    .option('--upstream', 'also what is before it')
    .option('--downstream', 'also what is after it')
    .option('--only-failed', 'only failed instances')
    .option('--only-running', 'only running instances')
    .option('--latest-version', 'go on with the latest version of the DAG')
    .option('--only-new', 'with --latest-version: only tasks that the run does not have yet')
    .option('--no-reset-run', 'leave a run that has ended as it is')
    .option('-i, --ignore-depends-on-past', 'tasks do not wait for the run before')
    .option('--prevent-running', 'refuse if one of them is running')
    .option('--note <text>', 'a note on what is cleared')
    .option('--dry-run', 'only tell what would be cleared');
}

function withDirection(command: Command): Command {
  return command
    .option('--past', 'also in runs with an earlier logical date')
    .option('--future', 'also in runs with a later logical date');
}

/** Adds to `runs` and `tasks`, which are there by now. */
export function registerControl({ program, action }: Registry): void {
  const group = (name: string): Command => program.commands.find((each) => each.name() === name)!;
  const of = (name: string, verb: string, text: string): Command =>
    group(name).command(verb).description(text).argument('<dag>');
  const ofRun = (verb: string, text: string): Command => of('runs', verb, text).argument('<run>');
  const ofTask = (verb: string, text: string): Command => of('tasks', verb, text).argument('<run>');

  withDirection(withClearing(ofRun('clear', 'run tasks again'))).action(action(clearRun));
  withDirection(
    ofRun('mark', 'set the state of a run, or of tasks of it')
      .argument('<state>', 'success or failed; with --task also skipped')
      .option('--task <id>', 'this task or group instead of the run (may be repeated)', collect)
      .option('--task-pattern <glob>', 'tasks and groups whose id fits')
      .option('--map-index <index>', 'only this instance of the one task named')
      .option('--upstream', 'also what is before it')
      .option('--downstream', 'also what is after it'),
  ).action(action(markRun));
  ofRun('abort', 'end a run: what runs fails, the rest is skipped').action(action(abort));
  ofRun('why', 'tell why a run does not start, or begins no tasks').action(action(whyRun));
  ofRun('hold', 'let no further task of a run begin').action(action(holdRun('hold')));
  ofRun('release', 'let a run that is held go on').action(action(holdRun('release')));
  ofRun('set', 'set the priority of a run, or the retries of its tasks')
    .option('--priority <n>', 'larger first; dag for that of the DAG')
    .option('--retries <n>', 'of each of its tasks')
    .action(action(setRun));
  ofRun('note', 'write a note on a run').argument('<text>', "'' takes it away").action(action(noteRun));

  withClearing(of('tasks', 'clear', 'run tasks of several runs again'))
    .option('--run <id>', 'of this run (may be repeated)', collect)
    .option('--start-date <iso>', 'of runs with this logical date or a later one')
    .option('--end-date <iso>', 'of runs with this logical date or an earlier one')
    .action(action(clearTasks));
  withDirection(
    ofTask('mark', 'set the state of a task instance')
      .argument('<task>')
      .argument('<state>', 'success, failed or skipped')
      .option('--map-index <index>', 'only this instance')
      .option('--upstream', 'also what is before it')
      .option('--downstream', 'also what is after it'),
  ).action(action(markTask));
  for (const [verb, text] of [
    ['hold', 'let task instances not begin'],
    ['release', 'let task instances that are held begin'],
  ] as const)
    ofTask(verb, text)
      .argument('<task...>', 'ids of tasks or groups')
      .option('--map-index <index>', 'only this instance of the one task named')
      .action(action(holdTasks(verb)));
  ofTask('set', 'set the priority or the retries of a task instance')
    .argument('<task>')
    .option('--map-index <index>', 'only this instance')
    .option('--priority <n>', 'larger first; dag for that of the DAG')
    .option('--retries <n>', 'how often it is tried again after a failure')
    .action(action(setTask));
  ofTask('note', 'write a note on a task instance')
    .argument('<task>')
    .argument('<text>', "'' takes it away")
    .option('--map-index <index>', 'only this instance')
    .action(action(noteTask));
}
