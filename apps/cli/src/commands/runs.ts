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
      ['partition', run.partitionKey],
      ['triggered by', run.triggeredBy],
      ['backfill', run.backfillId],
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
      ['held', run.held ? 'yes' : null],
      ['sealed', run.sealed && run.erasedAt === null ? 'yes' : null],
      ['erased', time(run.erasedAt)],
      ['archive', run.archive === null ? null : `${run.archive} ${time(run.archiveAt)}`],
      ['priority', run.priority === null ? null : String(run.priority)],
      ['note', run.note === null ? null : `${run.note}${run.noteBy === null ? '' : ` (${run.noteBy})`}`],
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

async function erase(
  context: Context,
  dagId: string,
  runId: string,
  { yes }: { readonly yes?: boolean },
): Promise<void> {
  if (yes !== true)
    throw new UsageError(
      `what people have put into run ${runId} of ${dagId} would be gone for good, in backups too: give --yes`,
    );
  const run = await context.api.post<RunAnswer>(path('dags', dagId, 'runs', runId, 'erase'));
  context.answer(run, () => `run ${runId} of ${dagId} is erased (${time(run.erasedAt)})`);
}

async function archive(context: Context, dagId: string, runId: string): Promise<void> {
  const run = await context.api.post<RunAnswer>(path('dags', dagId, 'runs', runId, 'archive'));
  const done = run.archive === 'archived' ? 'archived' : 'being archived';
  context.answer(run, () => `run ${runId} of ${dagId} is ${done} (${time(run.archiveAt)})`);
}

async function restore(context: Context, dagId: string, runId: string): Promise<void> {
  const run = await context.api.post<RunAnswer>(path('dags', dagId, 'runs', runId, 'restore'));
  context.answer(run, () => `run ${runId} of ${dagId} is ${run.archive === null ? 'not archived' : 'back'}`);
}

export function registerRuns({ program, action }: Registry): void {
  const runs = program.command('runs').description('the runs of DAGs');
  runs
    .command('list')
    .description('list runs, the latest first')
    .argument('[dag]', 'only of this DAG')
    .option('--state <state>', 'only in this state: queued, running, success, failed')
    .option('--type <type>', 'only of this type: scheduled, manual, backfill, asset_triggered, asset_materialization')
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
    .command('erase')
    .description('erase what people have put into a sealed run that has ended: for good')
    .argument('<dag>')
    .argument('<run>')
    .option('--yes', 'it cannot be undone: without this nothing is done')
    .action(action(erase));
  runs
    .command('archive')
    .description('keep the events and logs of a run that has ended in an archive')
    .argument('<dag>')
    .argument('<run>')
    .action(action(archive));
  runs
    .command('restore')
    .description('bring an archived run back')
    .argument('<dag>')
    .argument('<run>')
    .action(action(restore));
}
