import { renderTree } from '@rondo/nest-platform/progress';
import { type Context, parseCount, type Registry } from '../context.ts';
import { RefusedError, UsageError } from '../exit-codes.ts';
import type { Page, RunAnswer, TaskAnswer } from '../http/answers.ts';
import { path } from '../http/client.ts';
import { duration, facts, table, time } from '../output/format.ts';
import { withTotal } from './dags.ts';
import { RunView, watchRun } from './watch.ts';

interface ListOptions {
  readonly state?: string;
  readonly type?: string;
  readonly limit: string;
  readonly offset: string;
}

const runsOf = (
  context: Context,
  dagId: string | undefined,
  query: Readonly<Record<string, string | number | undefined>>,
): Promise<Page<RunAnswer>> =>
  context.api.get<Page<RunAnswer>>(dagId === undefined ? '/runs' : path('dags', dagId, 'runs'), query);

async function list(context: Context, dagId: string | undefined, options: ListOptions): Promise<void> {
  const page = await runsOf(context, dagId, {
    state: options.state,
    runType: options.type,
    limit: parseCount(options.limit, '--limit'),
    offset: parseCount(options.offset, '--offset', 0),
  });
  const now = Date.now();
  context.answer(page, () => {
    const rows = page.items.map((run) => [
      run.dagId,
      run.runId,
      run.state,
      run.runType,
      time(run.startedAt),
      duration(run.startedAt, run.endedAt, now),
      run.reason,
    ]);
    return withTotal(table(['DAG', 'RUN', 'STATE', 'TYPE', 'STARTED', 'TOOK', 'REASON'], rows), page, 'runs');
  });
}

/** What a command with `--as-of` is given. */
export interface PastOptions {
  readonly asOf?: string;
}

export const AS_OF = ['--as-of <when>', 'as it was then: an ISO time or a position of the history'] as const;

const confText = (conf: RunAnswer['conf']): string | null => {
  const text = JSON.stringify(conf);
  return text === 'null' || text === '{}' ? null : text;
};

/** How far a look at the past can see. */
const latestTime = (run: RunAnswer, tasks: readonly TaskAnswer[]): number =>
  Math.max(
    ...[run, ...tasks].flatMap(({ queuedAt, startedAt, endedAt }) => [queuedAt ?? 0, startedAt ?? 0, endedAt ?? 0]),
  );

async function show(context: Context, dagId: string, runId: string, options: PastOptions): Promise<void> {
  const { run, tasks } = await new RunView(context, dagId, runId, options.asOf).look();
  context.answer({ run, tasks }, () => {
    const width = context.terminal.stdout.columns || 120;
    const tree = renderTree(run, tasks, options.asOf === undefined ? Date.now() : latestTime(run, tasks), {
      width,
      color: context.color,
    });
    const about = facts([
      ['type', run.runType],
      ['triggered by', run.triggeredBy],
      ['logical date', time(run.logicalDate)],
      [
        'interval',
        run.dataIntervalStart === null ? null : `${time(run.dataIntervalStart)} to ${time(run.dataIntervalEnd)}`,
      ],
      ['queued', time(run.queuedAt)],
      ['started', time(run.startedAt)],
      ['ended', time(run.endedAt)],
      ['try', run.tryNumber === 1 ? null : String(run.tryNumber)],
      ['reason', run.reason],
      ['version', run.version?.slice(0, 12)],
      ['conf', confText(run.conf)],
      ['note', run.note],
    ]);
    return `${about}\n\n${tree.join('\n')}`;
  });
}

async function watch(context: Context, dagId: string, runId: string | undefined): Promise<void> {
  const latest = runId ?? (await runsOf(context, dagId, { limit: 1, orderBy: '-runAfter' })).items[0]?.runId;
  if (latest === undefined)
    throw new RefusedError({
      title: `DAG ${dagId} has no run`,
      allowed: `start one with "rondo dags trigger ${dagId}"`,
    });
  await watchRun(context, dagId, latest);
}

interface SelectionOptions {
  readonly task?: readonly string[];
  readonly mapIndex?: string;
  readonly upstream?: boolean;
  readonly downstream?: boolean;
}

interface ClearOptions extends SelectionOptions {
  readonly onlyFailed?: boolean;
  readonly onlyRunning?: boolean;
  readonly dryRun?: boolean;
}

const selectionOf = (options: SelectionOptions) => ({
  taskIds: options.task,
  mapIndex: options.mapIndex,
  includeUpstream: options.upstream,
  includeDownstream: options.downstream,
});

interface TouchedAnswer {
  readonly instances: readonly { readonly taskId: string; readonly mapIndex: string; readonly to?: number }[];
}

const lastOf = (mapIndex: string): number => Number(mapIndex.split('.').at(-1) || 0);

function tellTouched(context: Context, answer: TouchedAnswer, verb: string): void {
  context.answer(answer, () => {
    const names = answer.instances.map(({ taskId, mapIndex, to }) =>
      mapIndex === '' ? taskId : `${taskId}[${mapIndex}${to === undefined ? '' : `-${to}`}]`,
    );
    const count = answer.instances.reduce(
      (sum, { mapIndex, to }) => sum + (to ?? lastOf(mapIndex)) - lastOf(mapIndex) + 1,
      0,
    );
    return count === 0 ? `nothing to change: no task instance ${verb}` : `${count} ${verb}: ${names.join(', ')}`;
  });
}

async function clear(context: Context, dagId: string, runId: string, options: ClearOptions): Promise<void> {
  const answer = await context.api.post<TouchedAnswer>(path('dags', dagId, 'runs', runId, 'clear'), {
    ...selectionOf(options),
    onlyFailed: options.onlyFailed,
    onlyRunning: options.onlyRunning,
    dryRun: options.dryRun,
  });
  tellTouched(context, answer, options.dryRun === true ? 'would be cleared' : 'cleared');
}

const RUN_MARKS = ['success', 'failed'];
const TASK_MARKS = ['success', 'failed', 'skipped'];

async function mark(
  context: Context,
  dagId: string,
  runId: string,
  state: string,
  options: SelectionOptions,
): Promise<void> {
  const allowed = options.task === undefined ? RUN_MARKS : TASK_MARKS;
  if (!allowed.includes(state))
    throw new UsageError(
      `state '${state}' is not allowed: ${allowed.join(', ')}${options.task === undefined ? ' (skipped only with --task)' : ''}`,
    );
  const body = options.task === undefined ? { state } : { state, ...selectionOf(options) };
  const answer = await context.api.post<TouchedAnswer>(path('dags', dagId, 'runs', runId, 'mark'), body);
  if (options.task === undefined) context.answer(answer, () => `run ${runId} of ${dagId} is marked ${state}`);
  else tellTouched(context, answer, `marked ${state}`);
}

async function cancel(context: Context, dagId: string, runId: string): Promise<void> {
  const answer = await context.api.post<unknown>(path('dags', dagId, 'runs', runId, 'cancel'));
  context.answer(answer, () => `run ${runId} of ${dagId} is cancelled`);
}

export const collect = (value: string, before: readonly string[] | undefined): readonly string[] => [
  ...(before ?? []),
  value,
];

export function registerRuns({ program, action }: Registry): void {
  const runs = program.command('runs').description('the runs of DAGs');
  runs
    .command('list')
    .description('list runs, the latest first')
    .argument('[dag]', 'only of this DAG')
    .option('--state <state>', 'only in this state: queued, running, success, failed')
    .option('--type <type>', 'only of this type: scheduled, manual, backfill, asset_triggered')
    .option('--limit <n>', 'at most so many', '25')
    .option('--offset <n>', 'after so many', '0')
    .action(action(list));
  runs
    .command('show')
    .description('show a run and its tasks')
    .argument('<dag>')
    .argument('<run>')
    .option(...AS_OF)
    .action(action(show));
  runs
    .command('watch')
    .description('show the progress of a run until it ends; exit status 1 if it fails')
    .argument('<dag>')
    .argument('[run]', 'default: the latest')
    .action(action(watch));
  runs
    .command('clear')
    .description('run tasks again')
    .argument('<dag>')
    .argument('<run>')
    .option('--task <id>', 'only this task (may be repeated)', collect)
    .option('--map-index <index>', 'only this instance of the one task named')
    .option('--upstream', 'also what is before it')
    .option('--downstream', 'also what is after it')
    .option('--only-failed', 'only failed instances')
    .option('--only-running', 'only running instances')
    .option('--dry-run', 'only tell what would be cleared')
    .action(action(clear));
  runs
    .command('mark')
    .description('set the state of a run, or of tasks of it')
    .argument('<dag>')
    .argument('<run>')
    .argument('<state>', 'success or failed; with --task also skipped')
    .option('--task <id>', 'this task instead of the run (may be repeated)', collect)
    .option('--map-index <index>', 'only this instance of the one task named')
    .option('--upstream', 'also what is before it')
    .option('--downstream', 'also what is after it')
    .action(action(mark));
  runs
    .command('cancel')
    .description('end a run: what runs fails, the rest is skipped')
    .argument('<dag>')
    .argument('<run>')
    .action(action(cancel));
}
