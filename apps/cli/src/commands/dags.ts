import { summarizeSchedule, type TimetableSpec } from '@rondo/domain';
import { paint, renderTree } from '@rondo/nest-platform/progress';
import { parseWhole, type Context, parseCount, parseDate, readJson, type Registry } from '../context.ts';
import type { DagAnswer, DagDetail, ImportErrorAnswer, Page, RunAnswer } from '../http/answers.ts';
import { path } from '../http/client.ts';
import type { DagTestOptions } from '../offline/dag-test.ts';
import { collect } from './collect.ts';
import { facts, table, time } from '../output/format.ts';
import { watchRun } from './watch.ts';

interface ListOptions {
  readonly pattern?: string;
  readonly tag?: string;
  readonly paused?: boolean;
  readonly retired?: boolean;
  readonly limit: string;
  readonly offset: string;
}

async function list(context: Context, options: ListOptions): Promise<void> {
  const page = await context.api.get<Page<DagAnswer>>('/dags', {
    pattern: options.pattern,
    tag: options.tag,
    paused: options.paused,
    includeRetired: options.retired,
    limit: parseCount(options.limit, '--limit'),
    offset: parseCount(options.offset, '--offset', 0),
  });
  context.answer(page, () => {
    const rows = page.items.map((dag) => [
      dag.dagId,
      summarizeSchedule(dag.timetable as unknown as TimetableSpec),
      dag.retired ? 'retired' : dag.paused ? 'paused' : 'active',
      dag.owners.join(', '),
      dag.tags.join(', '),
      dag.file,
    ]);
    return withTotal(table(['DAG', 'SCHEDULE', 'STATE', 'OWNERS', 'TAGS', 'FILE'], rows), page, 'DAGs');
  });
}

export function withTotal(drawn: string, page: Page<unknown>, noun: string): string {
  return page.total > page.items.length
    ? `${drawn}\n(${page.items.length} of ${page.total} ${noun}; --limit and --offset show others)`
    : drawn;
}

async function show(context: Context, dagId: string): Promise<void> {
  const dag = await context.api.get<DagDetail>(path('dags', dagId));
  context.answer(dag, () => {
    const { definition } = dag;
    const tree = renderTree(
      { dagId, runId: '', state: '', startedAt: null, endedAt: null },
      definition.tasks.map((task) => ({
        taskId: task.taskId,
        mapIndex: '',
        state: task.operator,
        tryNumber: 0,
        startedAt: null,
        endedAt: null,
        upstream: task.upstream,
      })),
      0,
    ).slice(1);
    const head = facts([
      ['DAG', dag.dagId],
      ['description', dag.description],
      ['state', dag.retired ? 'retired' : dag.paused ? 'paused' : 'active'],
      ['schedule', summarizeSchedule(definition.timetable)],
      ['time zone', definition.timezone],
      ['start', time(definition.startDate)],
      ['end', time(definition.endDate)],
      ['catch up', definition.catchup],
      ['at most', `${definition.maxActiveRuns} runs, ${definition.maxActiveTasks} tasks of a run`],
      ['owners', dag.owners.join(', ')],
      ['tags', dag.tags.join(', ')],
      ['file', dag.file],
      ['version', dag.version.slice(0, 12)],
      ['published', time(dag.publishedAt)],
    ]);
    return `${head}\n\n${tree.join('\n')}`;
  });
}

interface TriggerOptions {
  readonly runId?: string;
  readonly conf?: string;
  readonly date?: string;
  readonly note?: string;
  readonly priority?: string;
  readonly partition?: string;
  readonly ignoreDependsOnPast?: boolean;
  readonly watch?: boolean;
}

async function trigger(context: Context, dagId: string, options: TriggerOptions): Promise<void> {
  const conf = options.conf === undefined ? undefined : await readJson(context, options.conf, '--conf');
  const run = await context.api.post<RunAnswer>(path('dags', dagId, 'runs'), {
    runId: options.runId,
    conf,
    logicalDate: options.date === undefined ? undefined : parseDate(options.date, '--date'),
    note: options.note,
    priority: options.priority === undefined ? undefined : parseWhole(options.priority, '--priority'),
    partitionKey: options.partition,
    ignoreDependsOnPast: options.ignoreDependsOnPast,
  });
  if (run.state === 'queued' && !context.json) await sayIfPaused(context, dagId);
  if (options.watch === true) return watchRun(context, dagId, run.runId);
  context.answer(run, () => `run ${run.runId} of ${dagId} is ${run.state}`);
}

/** A run of a paused DAG waits: nobody should wonder why. */
async function sayIfPaused(context: Context, dagId: string): Promise<void> {
  const dag = await context.api.get<DagAnswer>(path('dags', dagId));
  if (dag.paused) context.say(`${dagId} is paused: the run waits until 'rondo dags unpause ${dagId}'`);
}

const setPaused =
  (verb: 'pause' | 'unpause') =>
  async (context: Context, dagIds: readonly string[]): Promise<void> => {
    const done: string[] = [];
    for (const dagId of dagIds) {
      if (/[*?]/.test(dagId)) {
        const body = { pattern: dagId, paused: verb === 'pause' };
        done.push(...(await context.api.patch<{ readonly dagIds: readonly string[] }>('/dags', body)).dagIds);
      } else {
        await context.api.post<DagAnswer>(path('dags', dagId, verb));
        done.push(dagId);
      }
    }
    const text = verb === 'pause' ? 'paused' : 'active';
    context.answer({ dagIds: done }, () =>
      done.length === 0 ? `nothing to change: no DAG that fits` : done.map((id) => `${id} is ${text}`).join('\n'),
    );
  };

async function errors(context: Context): Promise<void> {
  const page = await context.api.get<Page<ImportErrorAnswer>>('/import-errors');
  context.answer(page, () => {
    if (page.items.length === 0) return 'every DAG file loads';
    return page.items
      .map((error) => {
        const place = [error.file, error.line, error.column].filter((part) => part !== null).join(':');
        const subject = [error.dagId && `DAG ${error.dagId}`, error.taskId && `task ${error.taskId}`]
          .filter(Boolean)
          .join(', ');
        return `${paint(context.colors, 'failed', place)}${subject === '' ? '' : `  ${subject}`}\n  ${error.message.replaceAll('\n', '\n  ')}`;
      })
      .join('\n');
  });
  if (page.items.length > 0) context.exitCode = 1;
}

interface AssetWait {
  readonly condition: string;
  readonly assets: readonly { readonly name: string; readonly events: number }[];
}

interface NextAnswer {
  readonly items: readonly {
    readonly logicalDate: number | null;
    readonly dataInterval: readonly [number, number] | null;
    readonly runAfter: number;
    /** The run has this in place of a date. */
    readonly partitionKey?: string;
  }[];
  /** Of a DAG that waits for assets. */
  readonly waitsFor?: AssetWait;
  readonly problem?: string;
}

async function next(context: Context, dagId: string, options: { readonly count: string }): Promise<void> {
  const answer = await context.api.get<NextAnswer>(path('dags', dagId, 'next'), {
    count: parseCount(options.count, '--count'),
  });
  if (answer.problem !== undefined && !context.json)
    context.warn(`the timetable of ${dagId} failed: ${answer.problem}`);
  context.answer(answer, () => {
    const waits = answer.waitsFor === undefined ? '' : waitText(answer.waitsFor);
    if (answer.items.length === 0) return waits === '' ? `no further run of ${dagId} is planned` : waits;
    if (answer.items.some((run) => run.partitionKey !== undefined))
      return table(
        ['RUNS AFTER', 'PARTITION'],
        answer.items.map((run) => [time(run.runAfter), run.partitionKey]),
      );
    const rows = answer.items.map((run) => [
      time(run.runAfter),
      time(run.logicalDate),
      time(run.dataInterval?.[0]),
      time(run.dataInterval?.[1]),
    ]);
    return `${waits}${table(['RUNS AFTER', 'LOGICAL DATE', 'INTERVAL START', 'INTERVAL END'], rows)}`;
  });
}

function waitText({ condition, assets }: AssetWait): string {
  const rows = assets.map(({ name, events }) => [name, events === 0 ? 'no update' : `${events} updates wait`]);
  return `runs when assets are updated: ${condition}\n${table(['ASSET', 'SINCE THE LAST RUN'], rows)}\n`;
}

/** Loaded only here: authors' code, and all that runs it, is nothing that the other commands should wait for. */
async function test(context: Context, fileOrId: string, options: DagTestOptions): Promise<void> {
  const { testDag } = await import('../offline/dag-test.ts');
  await testDag(context, fileOrId, options);
}

export function registerDags({ program, action }: Registry): void {
  const dags = program.command('dags').description('the DAGs');
  dags
    .command('list')
    .description('list the DAGs')
    .option('--pattern <text>', 'only ids with this text')
    .option('--tag <tag>', 'only with this tag')
    .option('--paused', 'only paused ones')
    .option('--retired', 'retired ones too')
    .option('--limit <n>', 'at most so many', '100')
    .option('--offset <n>', 'after so many', '0')
    .action(action(list));
  dags.command('show').description('show a DAG and its tasks').argument('<dag>').action(action(show));
  dags
    .command('trigger')
    .description('start a run')
    .argument('<dag>')
    .option('--run-id <id>', 'id of the run')
    .option('--conf <json>', 'configuration of the run: JSON, @file or -')
    .option('--date <iso>', 'logical date')
    .option('--note <text>', 'a note')
    .option('--priority <n>', "in place of its DAG's; larger first")
    .option('-i, --ignore-depends-on-past', 'tasks do not wait for the run before')
    .option('--partition <key>', 'the part of its assets that the run is about')
    .option('--watch', 'show its progress until it ends; exit status 1 if it fails')
    .action(action(trigger));
  dags
    .command('pause')
    .description('start no new tasks')
    .argument('<dag...>')
    .action(action(setPaused('pause')));
  dags
    .command('unpause')
    .description('go on')
    .argument('<dag...>')
    .action(action(setPaused('unpause')));
  dags
    .command('errors')
    .description('list DAG files that do not load; exit status 1 if there are any')
    .action(action(errors));
  dags
    .command('next')
    .description('tell when the next runs are due')
    .argument('<dag>')
    .option('--count <n>', 'how many', '5')
    .action(action(next));
  dags
    .command('test')
    .description('run a whole DAG here, in this process, without a platform; nothing is recorded')
    .argument('<file-or-id>', 'a DAG file, or the id of a DAG in the DAG folder')
    .option('--dags <folder>', 'the DAG folder (default: RONDO_DAGS, else ./dags)')
    .option('--dag <id>', 'which DAG of the file')
    .option('--conf <json>', 'configuration of the run: JSON, @file or -')
    .option('--date <iso>', 'logical date (default: now)')
    .option('--events <json>', 'events that have come: CloudEvents as JSON, @file or -')
    .option('--approve <task=option>', 'what is answered to a task that asks (may be repeated)', collect)
    .action(action(test));
}
