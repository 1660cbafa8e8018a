import { type Context, parseCount, type Registry } from '../context.ts';
import type { DagDetail, LogAnswer, RenderedAnswer } from '../http/answers.ts';
import { path } from '../http/client.ts';
import type { TaskTestOptions } from '../offline/task-test.ts';
import { brief, duration, table, time } from '../output/format.ts';
import { tellReasons, type WhyAnswer } from './reasons.ts';
import { followLog, logText } from './log.ts';
import { AS_OF, type PastOptions } from './runs.ts';
import { RunView } from './watch.ts';

interface ListOptions extends PastOptions {
  readonly task?: string;
  readonly name?: string;
  readonly mapIndex?: string;
}

async function list(context: Context, dagId: string, runId: string | undefined, options: ListOptions): Promise<void> {
  if (runId !== undefined) return listOfRun(context, dagId, runId, options);
  const { definition } = await context.api.get<DagDetail>(path('dags', dagId));
  context.answer(definition.tasks, () =>
    table(
      ['TASK', 'OPERATOR', 'UPSTREAM', 'TRIGGER RULE', 'RETRIES', 'GROUP'],
      definition.tasks.map((task) => [
        task.taskId,
        task.operator,
        task.upstream.join(', '),
        task.triggerRule,
        task.retries,
        task.group,
      ]),
    ),
  );
}

async function listOfRun(
  context: Context,
  dagId: string,
  runId: string,
  { asOf, task: taskId, name, mapIndex: under }: ListOptions,
): Promise<void> {
  const { tasks } = await new RunView(context, dagId, runId, asOf).look({ taskId, name, under });
  const now = Date.now();
  const isNamed = tasks.some((task) => task.mapIndexName !== null);
  context.answer(tasks, () =>
    table(
      ['TASK', ...(isNamed ? ['NAME'] : []), 'STATE', 'TRY', 'STARTED', 'TOOK', 'REASON'],
      tasks.map((task) => [
        task.mapIndex === '' ? task.taskId : `${task.taskId}[${task.mapIndex}]`,
        ...(isNamed ? [task.mapIndexName] : []),
        task.state,
        task.tryNumber === 0 ? null : task.tryNumber,
        time(task.startedAt),
        duration(task.startedAt, task.endedAt, now),
        brief(task.error?.message ?? task.reason ?? (task.held ? 'held' : null)),
      ]),
    ),
  );
}

interface InstanceOptions {
  readonly mapIndex?: string;
}

interface LogOptions extends InstanceOptions {
  readonly try?: string;
  readonly follow?: boolean;
}

async function log(context: Context, dagId: string, runId: string, taskId: string, options: LogOptions): Promise<void> {
  const route = path('dags', dagId, 'runs', runId, 'tasks', taskId, 'log');
  const query = {
    mapIndex: options.mapIndex,
    try: options.try === undefined ? undefined : parseCount(options.try, '--try'),
  };
  if (options.follow === true) return followLog(context, route, query);
  let from = 0;
  for (;;) {
    const page = await context.api.get<LogAnswer>(route, { ...query, from });
    if (page.lines.length === 0) return;
    context.say(logText(page.lines, context));
    from = page.next;
  }
}

async function why(
  context: Context,
  dagId: string,
  runId: string,
  taskId: string,
  options: InstanceOptions,
): Promise<void> {
  const answer = await context.api.get<WhyAnswer>(path('dags', dagId, 'runs', runId, 'tasks', taskId, 'reasons'), {
    mapIndex: options.mapIndex,
  });
  tellReasons(context, taskId, answer);
}

async function test(
  context: Context,
  dag: string,
  task: string,
  date: string,
  options: TaskTestOptions,
): Promise<void> {
  const { testTask } = await import('../offline/task-test.ts');
  await testTask(context, { dag, task, date }, options);
}

interface RenderOptions extends TaskTestOptions {
  readonly try?: string;
}

/** By a date: here, as a run of that date would have it. By a run: what the platform keeps of it. */
async function render(
  context: Context,
  dag: string,
  taskId: string,
  when: string,
  options: RenderOptions,
): Promise<void> {
  const { renderTask, renderedText } = await import('../offline/task-test.ts');
  if (/^\d{4}-\d\d-\d\d/.test(when)) return renderTask(context, { dag, task: taskId, date: when }, options);
  const kept = await context.api.get<RenderedAnswer>(path('dags', dag, 'runs', when, 'tasks', taskId, 'rendered'), {
    mapIndex: options.mapIndex,
    try: options.try === undefined ? undefined : parseCount(options.try, '--try'),
  });
  context.answer(kept, () => renderedText(kept.fields));
}

export function registerTasks({ program, action }: Registry): void {
  const tasks = program.command('tasks').description('tasks and their instances');
  tasks
    .command('list')
    .description('list the tasks of a DAG, or the task instances of a run')
    .argument('<dag>')
    .argument('[run]')
    .option('--task <id>', 'only instances of this task')
    .option('--map-index <index>', 'only instances whose map index begins so')
    .option('--name <text>', 'only instances whose name has this in it')
    .option(...AS_OF)
    .action(action(list));
  tasks
    .command('log')
    .description('print the log of a task instance')
    .argument('<dag>')
    .argument('<run>')
    .argument('<task>')
    .option('--try <n>', 'of this try (default: the latest)')
    .option('--map-index <index>', 'of this instance')
    .option('--follow', 'go on until it ends')
    .action(action(log));
  tasks
    .command('why')
    .description('tell why a task instance does not run yet')
    .argument('<dag>')
    .argument('<run>')
    .argument('<task>')
    .option('--map-index <index>', 'of this instance')
    .action(action(why));
  tasks
    .command('test')
    .description('run one task here, in this process, without a platform or its upstream tasks; nothing is recorded')
    .argument('<dag>', 'a DAG file, or the id of a DAG in the DAG folder')
    .argument('<task>')
    .argument('<date>', 'logical date')
    .option('--dags <folder>', 'the DAG folder (default: RONDO_DAGS, else ./dags)')
    .option('--dag <id>', 'which DAG of the file')
    .option('--conf <json>', 'configuration of the run: JSON, @file or -')
    .option('--map-index <index>', 'this instance of a mapped task, such as 3 or 2.5')
    .option('--inputs <json>', 'what upstream tasks returned, by task id: JSON, @file or -')
    .action(action(test));
  tasks
    .command('render')
    .description('print the template fields of a task: as a run of a date would have them, or as a run had them')
    .argument('<dag>', 'for a date: a DAG file, or the id of a DAG in the DAG folder')
    .argument('<task>')
    .argument('<date-or-run>', 'a logical date, or the id of a run')
    .option('--dags <folder>', 'the DAG folder (default: RONDO_DAGS, else ./dags)')
    .option('--dag <id>', 'which DAG of the file')
    .option('--conf <json>', 'configuration of the run: JSON, @file or -')
    .option('--inputs <json>', 'what upstream tasks returned, by task id: JSON, @file or -')
    .option('--map-index <index>', 'of this instance')
    .option('--try <n>', 'of a run: this try (default: the latest)')
    .action(action(render));
}
