import { type Context, readJson, type Registry } from '../context.ts';
import type { Page, XComAnswer } from '../http/answers.ts';
import { path } from '../http/client.ts';
import { brief, table } from '../output/format.ts';

const PAGE = 1_000;
const RETURN_VALUE = 'return_value';

interface InstanceOptions {
  readonly mapIndex?: string;
}

async function list(context: Context, dagId: string, runId: string, taskId: string | undefined): Promise<void> {
  const xcoms: XComAnswer[] = [];
  const route = path('dags', dagId, 'runs', runId, 'xcoms');
  for (;;) {
    const page = await context.api.get<Page<XComAnswer>>(route, { taskId, limit: PAGE, offset: xcoms.length });
    xcoms.push(...page.items);
    if (page.items.length === 0 || xcoms.length >= page.total) break;
  }
  context.answer({ items: xcoms, total: xcoms.length }, () =>
    table(
      ['TASK', 'KEY', 'VALUE'],
      xcoms.map(({ taskId: task, mapIndex, key, value, blob }) => [
        mapIndex === '' ? task : `${task}[${mapIndex}]`,
        key,
        blob === null ? brief(JSON.stringify(value)) : `(large: xcoms get shows it)`,
      ]),
    ),
  );
}

const routeOf = (dagId: string, runId: string, taskId: string, key: string): string =>
  path('dags', dagId, 'runs', runId, 'tasks', taskId, 'xcoms', key);

async function get(
  context: Context,
  dagId: string,
  runId: string,
  taskId: string,
  key: string | undefined,
  { mapIndex }: InstanceOptions,
): Promise<void> {
  const xcom = await context.api.get<XComAnswer>(routeOf(dagId, runId, taskId, key ?? RETURN_VALUE), { mapIndex });
  context.answer(xcom, () => JSON.stringify(xcom.value, undefined, 2));
}

async function set(
  context: Context,
  dagId: string,
  runId: string,
  taskId: string,
  key: string,
  given: string,
  { mapIndex }: InstanceOptions,
): Promise<void> {
  const value = await readJson(context, given, 'VALUE');
  const route = routeOf(dagId, runId, taskId, key);
  const answer = await context.api.put<XComAnswer>(withIndex(route, mapIndex), { value });
  context.answer(answer, () => `XCom ${key} of ${taskId} is set`);
}

async function remove(
  context: Context,
  dagId: string,
  runId: string,
  taskId: string,
  key: string,
  { mapIndex }: InstanceOptions,
): Promise<void> {
  await context.api.delete(withIndex(routeOf(dagId, runId, taskId, key), mapIndex));
  context.answer({ taskId, key, deleted: true }, () => `XCom ${key} of ${taskId} is deleted`);
}

const withIndex = (route: string, mapIndex: string | undefined): string =>
  mapIndex === undefined ? route : `${route}?mapIndex=${encodeURIComponent(mapIndex)}`;

export function registerXComs({ program, action }: Registry): void {
  const xcoms = program.command('xcoms').description('what the tasks of a run have returned and pushed');
  xcoms
    .command('list')
    .description('list the XComs of a run, or of one of its tasks')
    .argument('<dag>')
    .argument('<run>')
    .argument('[task]')
    .action(action(list));
  xcoms
    .command('get')
    .description('print a value')
    .argument('<dag>')
    .argument('<run>')
    .argument('<task>')
    .argument('[key]', 'default: return_value')
    .option('--map-index <index>', 'of this instance')
    .action(action(get));
  xcoms
    .command('set')
    .description('set a value; the next try of the task starts without it')
    .argument('<dag>')
    .argument('<run>')
    .argument('<task>')
    .argument('<key>')
    .argument('<value>', 'JSON, @file or -')
    .option('--map-index <index>', 'of this instance')
    .action(action(set));
  xcoms
    .command('delete')
    .description('delete a value')
    .argument('<dag>')
    .argument('<run>')
    .argument('<task>')
    .argument('<key>')
    .option('--map-index <index>', 'of this instance')
    .action(action(remove));
}
