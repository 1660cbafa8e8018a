import type { BackfillDateRow, BackfillRow } from '@rondo/ports';
import type { PlannedDate } from '@rondo/domain';
import { type Context, parseCount, parseDate, readJson, type Registry } from '../context.ts';
import { UsageError } from '../exit-codes.ts';
import type { Page } from '../http/answers.ts';
import { path } from '../http/client.ts';
import { facts, table, time } from '../output/format.ts';
import { withTotal } from './dags.ts';
import { collect } from './collect.ts';

interface CreateOptions {
  readonly from: string;
  readonly to: string;
  readonly reverse?: boolean;
  readonly reprocess?: string;
  readonly maxActiveRuns?: string;
  readonly conf?: string;
  readonly latest?: boolean;
  readonly task?: readonly string[];
  readonly upstream?: boolean;
  readonly dryRun?: boolean;
  readonly limit: string;
  readonly offset: string;
}

interface PlanAnswer extends Page<PlannedDate> {
  readonly create: number;
  readonly clear: number;
  readonly pass: number;
}

async function create(context: Context, dagId: string, options: CreateOptions): Promise<void> {
  if (options.upstream === true && options.task === undefined)
    throw new UsageError('--upstream is not allowed without --task: it adds what is above the chosen tasks');
  const body = {
    from: parseDate(options.from, '--from'),
    to: parseDate(options.to, '--to'),
    reverse: options.reverse,
    reprocess: options.reprocess,
    maxActiveRuns:
      options.maxActiveRuns === undefined ? undefined : parseCount(options.maxActiveRuns, '--max-active-runs'),
    conf: options.conf === undefined ? undefined : await readJson(context, options.conf, '--conf'),
    runOnLatestVersion: options.latest,
    only: options.task === undefined ? undefined : { taskIds: options.task, includeUpstream: options.upstream },
  };
  if (options.dryRun === true) return plan(context, dagId, body, options);
  const made = await context.api.post<BackfillRow>(path('dags', dagId, 'backfills'), body);
  context.answer(made, () => `backfill ${made.backfillId} of ${dagId} has ${made.dates} dates`);
}

async function plan(context: Context, dagId: string, body: object, options: CreateOptions): Promise<void> {
  const limit = parseCount(options.limit, '--limit');
  const offset = parseCount(options.offset, '--offset', 0);
  const route = `${path('dags', dagId, 'backfills', 'dry-run')}?limit=${limit}&offset=${offset}`;
  const planned = await context.api.post<PlanAnswer>(route, body);
  context.answer(planned, () => {
    const rows = planned.items.map(({ ordinal, logicalDate, action, reason, runId }) => [
      ordinal,
      time(logicalDate),
      ACTION[action],
      reason,
      runId,
    ]);
    const drawn = table(['#', 'LOGICAL DATE', 'WOULD BE', 'REASON', 'RUN'], rows);
    const sum = `${planned.create} would be made, ${planned.clear} run again, ${planned.pass} passed over`;
    return `${withTotal(drawn, planned, 'dates')}\n${sum}`;
  });
}

const ACTION = { create: 'made', clear: 'run again', pass: 'passed over' } as const;

/** How far it has come, in a word. */
const progress = ({ created, cleared, passed, dates }: BackfillRow): string => `${created + cleared + passed}/${dates}`;

interface ListOptions {
  readonly open?: boolean;
  readonly limit: string;
  readonly offset: string;
}

async function list(context: Context, dagId: string | undefined, options: ListOptions): Promise<void> {
  const page = await context.api.get<Page<BackfillRow>>(
    dagId === undefined ? '/backfills' : path('dags', dagId, 'backfills'),
    {
      open: options.open,
      limit: parseCount(options.limit, '--limit'),
      offset: parseCount(options.offset, '--offset', 0),
    },
  );
  context.answer(page, () => {
    const rows = page.items.map((backfill) => [
      backfill.dagId,
      backfill.backfillId,
      backfill.state,
      time(backfill.from),
      time(backfill.to),
      progress(backfill),
      time(backfill.createdAt),
      time(backfill.endedAt),
    ]);
    const head = ['DAG', 'ID', 'STATE', 'FROM', 'TO', 'TAKEN', 'CREATED', 'ENDED'];
    return withTotal(table(head, rows), page, 'backfills');
  });
}

async function show(
  context: Context,
  dagId: string,
  given: string,
  options: { readonly limit: string; readonly offset: string },
): Promise<void> {
  const id = idOf(given);
  const backfill = await context.api.get<BackfillRow>(path('dags', dagId, 'backfills', id));
  const dates = await context.api.get<Page<BackfillDateRow>>(path('dags', dagId, 'backfills', id, 'dates'), {
    limit: parseCount(options.limit, '--limit'),
    offset: parseCount(options.offset, '--offset', 0),
  });
  context.answer({ backfill, dates }, () => {
    const about = facts([
      ['DAG', dagId],
      ['backfill', backfill.backfillId],
      ['state', backfill.state],
      ['dates', `${time(backfill.from)} to ${time(backfill.to)}, ${backfill.dates} of them`],
      ['order', backfill.reverse ? 'the newest first' : 'the oldest first'],
      ['at most', `${backfill.maxActiveRuns} runs at once`],
      ['existing runs', REPROCESS[backfill.reprocess]],
      ['tasks', backfill.only?.join(', ')],
      ['version', backfill.runOnLatestVersion ? 'the newest' : null],
      ['conf', JSON.stringify(backfill.conf) === '{}' ? null : JSON.stringify(backfill.conf)],
      ['made', backfill.created],
      ['run again', backfill.cleared],
      ['passed over', backfill.passed],
      ['created', time(backfill.createdAt)],
      ['ended', time(backfill.endedAt)],
    ]);
    const rows = dates.items.map((date) => [
      date.ordinal,
      time(date.logicalDate),
      ACTION[date.action],
      date.reason,
      date.runId,
    ]);
    return `${about}\n\n${withTotal(table(['#', 'LOGICAL DATE', 'WAS', 'REASON', 'RUN'], rows), dates, 'dates')}`;
  });
}

const REPROCESS = { none: 'left alone', failed: 'run again if they failed', completed: 'run again' } as const;

const change =
  (verb: 'pause' | 'unpause' | 'cancel', done: string) =>
  async (context: Context, dagId: string, given: string): Promise<void> => {
    const answer = await context.api.post<BackfillRow>(path('dags', dagId, 'backfills', idOf(given), verb));
    context.answer(answer, () => `backfill ${answer.backfillId} of ${dagId} is ${done}`);
  };

function idOf(given: string): string {
  if (/^[1-9]\d*$/.test(given)) return given;
  throw new UsageError(`backfill '${given}' is not allowed: its number, as "rondo backfill list DAG" shows it`);
}

export function registerBackfill({ program, action }: Registry): void {
  const backfill = program.command('backfill').description('runs of past dates');
  backfill
    .command('create')
    .description('run the dates of the schedule in a range')
    .argument('<dag>')
    .requiredOption('--from <iso>', 'the first logical date')
    .requiredOption('--to <iso>', 'the last logical date, inclusive')
    .option('--reverse', 'the newest date first')
    .option('--reprocess <which>', 'run existing runs again: none, failed or completed (default: none)')
    .option('--max-active-runs <n>', 'at most so many at once (default: 10)')
    .option('--conf <json>', 'configuration of its runs: JSON, @file or -')
    .option('--latest', 'existing runs take the newest version of the DAG')
    .option('--task <id>', 'only this task, with its setups and teardowns (may be repeated)', collect)
    .option('--upstream', 'and all tasks above them')
    .option('--dry-run', 'only say what would become of each date')
    .option('--limit <n>', 'with --dry-run: at most so many dates', '100')
    .option('--offset <n>', 'with --dry-run: after so many', '0')
    .action(action(create));
  backfill
    .command('list')
    .description('list backfills, the newest first')
    .argument('[dag]')
    .option('--open', 'only those that are not over')
    .option('--limit <n>', 'at most so many', '100')
    .option('--offset <n>', 'after so many', '0')
    .action(action(list));
  backfill
    .command('show')
    .description('show a backfill and what became of its dates')
    .argument('<dag>')
    .argument('<id>')
    .option('--limit <n>', 'at most so many dates', '100')
    .option('--offset <n>', 'after so many', '0')
    .action(action(show));
  const changes = [
    ['pause', 'start none of its runs', change('pause', 'paused')],
    ['resume', 'go on', change('unpause', 'going on')],
    ['cancel', 'end it: active runs go on, the others are not made', change('cancel', 'cancelled')],
  ] as const;
  for (const [name, description, body] of changes)
    backfill.command(name).description(description).argument('<dag>').argument('<id>').action(action(body));
}
