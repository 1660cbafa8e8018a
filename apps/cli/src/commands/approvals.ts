import { userInfo } from 'node:os';
import { readJson, type Context, type Registry } from '../context.ts';
import type { ApprovalAnswer, Page } from '../http/answers.ts';
import { path } from '../http/client.ts';
import { brief, facts, table, time } from '../output/format.ts';

interface ListOptions {
  readonly dag?: string;
  readonly run?: string;
  readonly state?: string;
  readonly assignee?: string;
}

const indexOf = ({ mapIndex }: ApprovalAnswer): string => (mapIndex === '' ? '' : ` [${mapIndex}]`);

async function list(context: Context, { dag, run, state, assignee }: ListOptions): Promise<void> {
  const wanted = state ?? 'open';
  const page = await context.api.get<Page<ApprovalAnswer>>('/approvals', {
    dagId: dag,
    runId: run,
    state: wanted === 'all' ? undefined : wanted,
    assignee,
    limit: 1_000,
  });
  context.answer(page, () =>
    table(
      ['DAG', 'RUN', 'TASK', 'STATE', 'ASKED', 'SUBJECT', 'OPTIONS', 'ANSWER', 'BY'],
      page.items.map((asked) => [
        asked.dagId,
        asked.runId,
        `${asked.taskId}${indexOf(asked)}`,
        asked.state,
        time(asked.askedAt),
        brief(asked.subject, 40),
        brief(asked.options.join(', '), 40),
        asked.response?.chosenOptions.join(', '),
        asked.response?.respondedBy,
      ]),
    ),
  );
}

interface InstanceOptions {
  readonly mapIndex?: string;
}

function routeOf(dagId: string, runId: string, taskId: string): string {
  return path('approvals', dagId, runId, taskId);
}

async function show(
  context: Context,
  dagId: string,
  runId: string,
  taskId: string,
  { mapIndex }: InstanceOptions,
): Promise<void> {
  const asked = await context.api.get<ApprovalAnswer>(routeOf(dagId, runId, taskId), { mapIndex });
  context.answer(asked, () => textOf(asked));
}

function textOf(asked: ApprovalAnswer): string {
  const { response } = asked;
  const fields = Object.entries(asked.params).map(([name, { default: fallback }]) =>
    fallback === undefined ? name : `${name} (${JSON.stringify(fallback)})`,
  );
  const head = facts([
    ['subject', asked.subject],
    ['state', asked.state],
    ['options', `${asked.options.join(', ')}${asked.multiple ? ' (one or more)' : ''}`],
    ['form', fields.join(', ')],
    ['assignees', asked.assignees?.join(', ')],
    ['asked', time(asked.askedAt)],
    ['deadline', time(asked.deadline)],
    ['by default', asked.defaults?.join(', ')],
    ['answer', response?.chosenOptions.join(', ')],
    [
      'filled in',
      response === null || Object.keys(response.params).length === 0 ? null : JSON.stringify(response.params),
    ],
    ['answered by', response === null ? null : (response.respondedBy ?? 'nobody: the deadline')],
    ['answered', time(response?.respondedAt)],
  ]);
  return asked.body === null ? head : `${head}\n\n${asked.body}`;
}

interface RespondOptions extends InstanceOptions {
  readonly params?: string;
  readonly as?: string;
}

async function respond(
  context: Context,
  dagId: string,
  runId: string,
  taskId: string,
  options: readonly string[],
  { params, as, mapIndex }: RespondOptions,
): Promise<void> {
  const body = {
    options,
    by: as ?? userInfo().username,
    ...(params === undefined ? {} : { params: await readJson(context, params, '--params') }),
  };
  const asked = await context.api.post<ApprovalAnswer>(routeOf(dagId, runId, taskId), body, { mapIndex });
  context.answer(asked, () => `${taskId} is answered: ${asked.response?.chosenOptions.join(', ') ?? ''}`);
}

export function registerApprovals({ program, action }: Registry): void {
  const approvals = program.command('approvals').description('what tasks ask of people');
  approvals
    .command('list')
    .description('list what is asked')
    .option('--dag <dag>', 'only of this DAG')
    .option('--run <run>', 'only of this run')
    .option('--state <state>', 'open, answered, timed_out, closed, or all (default: open)')
    .option('--assignee <name>', 'only what this user may answer')
    .action(action(list));
  const one = (name: string, description: string) =>
    approvals
      .command(name)
      .description(description)
      .argument('<dag>')
      .argument('<run>')
      .argument('<task>')
      .option('--map-index <index>', 'of this instance');
  one('show', 'show what a task asks, or has asked last').action(action(show));
  one('respond', 'answer a task')
    .argument('<options...>', 'one of its options, or more where it allows that')
    .option('--params <json>', 'fields of its form: JSON, @file or -')
    .option('--as <name>', 'in this name (default: your user name)')
    .action(action(respond));
}
