import {
  compilePlan,
  describeWait,
  initialRun,
  findInstance,
  grantedTo,
  runIdFor,
  type AttemptOutcome,
  type MapIndex,
  type XComValue,
} from '@rondo/domain';
import { assertNever, type Json } from '@rondo/kernel';
import { renderAttempt } from '@rondo/sdk';
import { paint } from '@rondo/nest-platform/progress';
import { type Context, parseDate, readJson } from '../context.ts';
import { EXIT, RefusedError, UsageError } from '../exit-codes.ts';
import { facts } from '../output/format.ts';
import { contextOf } from './dag-test.ts';
import { attemptOptions, executeBody, taskLog, type BodyOptions } from './execute.ts';
import { loadDag } from './load.ts';
import { MemoryServices } from './services.ts';

export interface TaskTestOptions {
  readonly dags?: string;
  readonly dag?: string;
  readonly conf?: string;
  readonly inputs?: string;
  readonly mapIndex?: string;
}

/** Of a mapped task the first instance, unless another is asked for. */
function mapIndexFrom(given: string | undefined, levels: number): MapIndex {
  if (given === undefined) return Array.from({ length: levels }, () => 0);
  const path = given.split('.');
  if (path.length !== levels || path.some((element) => !/^\d+$/.test(element)))
    throw new UsageError(
      levels === 0
        ? `--map-index ${given} is not allowed: the task is not mapped`
        : `--map-index ${given} is not allowed: ${levels === 1 ? 'a number, from 0' : `${levels} numbers with dots between them, such as ${Array.from({ length: levels }, () => '0').join('.')}`}`,
    );
  return path.map(Number);
}

async function inputsFrom(context: Context, given: string | undefined): Promise<Readonly<Record<string, XComValue>>> {
  if (given === undefined) return {};
  const value = await readJson(context, given, '--inputs');
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UsageError('--inputs is not allowed: a JSON object with what each upstream task returned, by task id');
  return Object.fromEntries(
    Object.entries(value as Readonly<Record<string, Json>>).map(([taskId, returned]) => [taskId, { value: returned }]),
  );
}

type Pairs = readonly (readonly [name: string, value: string])[];

const asText = (values: Readonly<Record<string, unknown>>): Pairs =>
  Object.entries(values).map(([name, value]) => [name, JSON.stringify(value)]);

function outcomeText(outcome: AttemptOutcome): string | undefined {
  switch (outcome.kind) {
    case 'failed':
      return outcome.error.stack ?? outcome.error.message;
    case 'skipped':
      return outcome.reason;
    case 'trigger':
      return `asks for a run of ${outcome.request.dagId}, which is not started in a test`;
    case 'defer':
      return describeWait(outcome.wait);
    case 'reschedule':
      return `wants to be run again at ${new Date(outcome.until).toISOString()}`;
    case 'success':
      return outcome.skip?.kind === 'branch' ? `follows ${outcome.skip.follow.join(', ') || 'nothing'}` : undefined;
    default:
      return assertNever(outcome, 'outcome');
  }
}

export interface TaskChoice {
  readonly dag: string;
  readonly task: string;
  readonly date: string;
}

/** One attempt of one task, apart from any run. */
async function singleAttempt(context: Context, which: TaskChoice, options: TaskTestOptions): Promise<BodyOptions> {
  const loaded = await loadDag(context, { fileOrId: which.dag, folder: options.dags, dagId: options.dag });
  const { dagId, tasks } = loaded.definition;
  const state = initialRun(compilePlan('test', loaded.definition));
  const instance = findInstance(state, which.task, []);
  if (instance === undefined)
    throw new RefusedError({
      title: `DAG ${dagId} has no task '${which.task}'`,
      allowed: tasks.map((task) => task.taskId),
    });
  const conf = options.conf === undefined ? null : ((await readJson(context, options.conf, '--conf')) as Json);
  const run = contextOf(loaded, parseDate(which.date, 'DATE'), conf);
  const attempt = {
    dagId,
    runId: runIdFor('manual', run.runAfter, 'test'),
    taskId: which.task,
    mapIndex: mapIndexFrom(options.mapIndex, instance.task.levels.length),
    tryNumber: 1,
    leg: 1,
  };
  const services = new MemoryServices(context.terminal.env);
  return {
    loaded,
    attempt,
    run,
    services,
    maxTries: instance.maxTries + 1,
    granted: grantedTo(state, instance),
    inputs: await inputsFrom(context, options.inputs),
    log: taskLog(context, which.task),
    env: context.terminal.env,
    signal: context.terminal.onInterrupt(),
  };
}

/** `rondo tasks render`: the template fields as an attempt would have them. */
export async function renderTask(context: Context, which: TaskChoice, options: TaskTestOptions): Promise<void> {
  const body = await singleAttempt(context, which, options);
  const { dagId, taskId } = body.attempt;
  const fields = await renderAttempt(attemptOptions(body)).catch((error: unknown) => {
    throw new RefusedError({ title: `task ${taskId} of DAG ${dagId}`, detail: (error as Error).message });
  });
  context.answer({ dagId, taskId, fields }, () => renderedText(fields));
}

/** Each field under its name, texts as they are. */
export function renderedText(fields: Readonly<Record<string, Json>>): string {
  const parts = Object.entries(fields).map(
    ([name, value]) => `# ${name}\n${typeof value === 'string' ? value : JSON.stringify(value, undefined, 2)}`,
  );
  return parts.length === 0 ? 'the task has no template fields' : parts.join('\n\n');
}

/** `rondo tasks test`: one attempt of one task; nothing is recorded. */
export async function testTask(context: Context, which: TaskChoice, options: TaskTestOptions): Promise<void> {
  const body = await singleAttempt(context, which, options);
  const { attempt, services } = body;
  const { outcome, rendered = {} } = await executeBody(body);
  context.exitCode = outcome.kind === 'failed' ? EXIT.failed : EXIT.ok;
  const kept = ('xcoms' in outcome ? outcome.xcoms : undefined) ?? {};
  const xcoms = Object.fromEntries(Object.entries(kept).map(([key, value]) => [key, services.open(value)]));
  const error = outcome.kind === 'failed' ? { error: outcome.error } : {};
  context.answer({ ...attempt, outcome: outcome.kind, rendered, xcoms, ...error }, () =>
    [
      paint(context.colors, outcome.kind, `${which.task}: ${outcome.kind}`),
      outcomeText(outcome),
      section('rendered fields', asText(rendered)),
      section('XComs', asText(xcoms)),
    ]
      .filter((part) => part !== undefined)
      .join('\n\n'),
  );
}

const section = (title: string, pairs: Pairs): string | undefined =>
  pairs.length === 0 ? undefined : `${title}\n${facts(pairs)}`;
