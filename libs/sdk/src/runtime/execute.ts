import {
  isWatch,
  judgeError,
  withArgs,
  type AttemptOutcome,
  type RetryAnswer,
  type TaskCallback,
  type TaskError,
  type XComValue,
} from '@rondo/domain';
import type { Json, JsonObject } from '@rondo/kernel';
import { MappedTask } from '../authoring/mapping/mapped-task.ts';
import { isSource } from '../authoring/source.ts';
import { Task } from '../authoring/task.ts';
import { hasFields, isLiteral, namesFile } from '../templates/index.ts';
import { openSession, renderWith, taskContext, type Session } from './attempt-context.ts';
import type {
  AttemptHost,
  AttemptResult,
  CallbackResult,
  ExecuteAttemptOptions,
  RunCallbackOptions,
} from './contract.ts';
import { argumentNames, lengthsOf, mapIndexNameOf, quietly } from './map-index.ts';
import { askPastConditions } from './past-conditions.ts';
import { askPolicy } from './policy.ts';
import { displayed } from './serialise.ts';
import { checkWait } from './check-wait.ts';
import { Deferral, FailNow, Reschedule, Skip } from './signals.ts';
import { taskError } from './task-error.ts';
import type { CallbackContext, TaskContext } from './task-context.ts';
import { replaceIn } from './values.ts';

const same = (text: string): string => text;
const FIELD = 4_096;
const TOGETHER = 8_192;
/** Bytes of JSON up to which a value that is mapped over is in line. */
const FED = 2_048;

/**
 * Runs one attempt: renders its templates, runs onExecute and the body, stores its XComs, and runs the callback that fits the
 * outcome. Rejects for nothing that user code does; what the outcome of a body that was aborted means is the caller's to say.
 */
export async function executeAttempt(options: ExecuteAttemptOptions): Promise<AttemptResult> {
  const { input, ...host } = options;
  const task = taskOf(host, input.attempt.taskId);
  if (!(task instanceof Task)) return { outcome: { kind: 'failed', retryable: false, error: task } };
  const { overrides } = input;
  const session = openSession(withEnv(host, overrides?.env), input, task);
  const ctx = taskContext(session);
  let rendered: JsonObject | undefined;
  let mapIndexName: string | undefined;
  let names: Readonly<Record<string, unknown>> = {};
  let outcome: AttemptOutcome;
  try {
    const work = await workOf(session, task);
    const args = await prepare(session, work, overrides?.args);
    names = argumentNames(work, args);
    mapIndexName = await quietly(() => mapIndexNameOf(session, names));
    rendered = renderedFields(work, args, host.mask ?? same);
    if (task.callbacksOf('onExecute').length > 0) await runCallbacks(session, ctx, 'onExecute', '');
    const { resume } = input;
    const value =
      resume === undefined
        ? await work.run(ctx, args)
        : await work.resume(resume.method, ctx, args, await valueOf(session, resume.payload));
    mapIndexName = await mapIndexNameOf(session, names);
    outcome = await succeeded(session, task, value);
  } catch (thrown) {
    mapIndexName = (await quietly(() => mapIndexNameOf(session, names))) ?? mapIndexName;
    outcome = await interrupted(session, ctx, task, thrown);
  }
  await afterwards(session, ctx, task, outcome);
  return {
    outcome,
    ...(rendered === undefined ? {} : { rendered }),
    ...(mapIndexName === undefined ? {} : { mapIndexName }),
  };
}

/**
 * The template fields of an attempt, rendered, masked and cut as they are kept; nothing is run. Rejects with a TypeError for a task
 * that the DAG does not have, and with what rendering throws.
 */
export async function renderAttempt(options: ExecuteAttemptOptions): Promise<JsonObject> {
  const { input, ...host } = options;
  const task = taskOf(host, input.attempt.taskId);
  if (!(task instanceof Task)) throw new TypeError(task.message);
  const session = openSession(host, input, task);
  const work = await workOf(session, task);
  return renderedFields(work, await prepare(session, work, input.overrides?.args), host.mask ?? same) ?? {};
}

/** Runs a callback of a task or a DAG apart from an attempt. What it throws is logged and reported, and changes nothing. */
export async function runCallback(options: RunCallbackOptions): Promise<CallbackResult> {
  const { input, ...host } = options;
  if (input.callback === 'dependsOnPast') return { past: await askPastConditions(options) };
  const task = input.attempt === undefined ? undefined : taskOf(host, input.attempt.taskId);
  if (task !== undefined && !(task instanceof Task)) return { error: task };
  const session = openSession(host, input, task);
  const error = await runCallbacks(session, taskContext(session), input.callback, input.reason, input.error);
  return error === undefined ? {} : { error };
}

const withEnv = (host: AttemptHost, env: Readonly<Record<string, string>> | undefined): AttemptHost =>
  env === undefined ? host : { ...host, env: { ...host.env, ...env } };

export function taskOf({ dag }: AttemptHost, taskId: string): Task | TaskError {
  const found = dag.whoHas(taskId);
  return found instanceof Task
    ? found
    : { kind: 'load', message: `DAG '${dag.dagId}' in ${dag.file} has no task '${taskId}'` };
}

/** What the attempt runs: of a mapped task the task of this instance, which the session is about from then on. */
export async function workOf(session: Session, task: Task): Promise<Task> {
  if (!(task instanceof MappedTask)) return task;
  const mapping = task.mapping!;
  const args = await session.values.mappedArguments(mapping);
  if (mapping.kind === 'kwargs') {
    const reason = Object.keys(args)
      .map((name) => task.unmappable(name))
      .find((each) => each !== undefined);
    if (reason !== undefined) throw new TypeError(`expandKwargs(): ${reason}`);
  }
  return (session.task = task.instance(args));
}

/** The arguments with the outputs of other tasks in their places and templates rendered. */
export async function prepare(
  session: Session,
  task: Task,
  over: JsonObject | undefined,
): Promise<Readonly<Record<string, unknown>>> {
  const given = withArgs(task.given, over);
  const { templateFields, templateExtensions: extensions } = task;
  const args: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    const replace = await session.values.replacer(value);
    if (templateFields.includes(name) && (typeof value === 'function' || isTemplate(value, extensions)))
      args[name] = await renderWith(session, value, {
        field: name,
        extensions,
        ...(replace === undefined ? {} : { replace }),
      });
    else args[name] = replace === undefined ? value : replaceIn(value, replace);
  }
  return args;
}

function isTemplate(value: unknown, extensions: readonly string[]): boolean {
  if (typeof value === 'string')
    return value.includes('{{') || value.includes('{%') || value.includes('{#') || namesFile(value, extensions);
  if (typeof value !== 'object' || value === null || isSource(value)) return false;
  if (isLiteral(value) || hasFields(value)) return true;
  if (value instanceof Map || value instanceof Set)
    return [...value.values()].some((each) => isTemplate(each, extensions));
  const prototype: unknown = Object.getPrototypeOf(value);
  return (
    (Array.isArray(value) || prototype === Object.prototype || prototype === null) &&
    Object.values(value).some((each) => isTemplate(each, extensions))
  );
}

/** For people to read: masked, each text cut at 4,096 characters, together small enough for an event. */
function renderedFields(
  task: Task,
  args: Readonly<Record<string, unknown>>,
  mask: (text: string) => string,
): JsonObject | undefined {
  const fields: Record<string, Json> = {};
  let left = TOGETHER;
  for (const name of task.templateFields) {
    const value = args[name];
    if (value === undefined || (Array.isArray(value) && value.length === 0)) continue;
    const json = masked(displayed(value), mask);
    const text = JSON.stringify(json);
    fields[name] =
      text.length <= Math.min(left, FIELD)
        ? json
        : cut(typeof json === 'string' ? json : text, Math.max(0, Math.min(left, FIELD)));
    left -= Math.min(text.length, FIELD);
  }
  return Object.keys(fields).length === 0 ? undefined : fields;
}

const cut = (text: string, limit: number): string =>
  text.length > limit ? `${text.slice(0, Math.max(0, limit - 1))}…` : text;

function masked(value: Json, mask: (text: string) => string): Json {
  if (typeof value === 'string') return mask(value);
  if (Array.isArray(value)) return value.map((each) => masked(each as Json, mask));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, masked(each as Json, mask)]));
  return value;
}

async function succeeded(session: Session, task: Task, returned: unknown): Promise<AttemptOutcome> {
  const { attributes } = task;
  const value = session.outlets.take(returned);
  const assets = session.outlets.updates();
  if (value !== undefined && value !== null && attributes.pushXcom !== false)
    session.xcoms.pushReturn(value, attributes.multipleOutputs ?? false);
  const lengths = lengthsOf(task, session.xcoms.pushed('return_value')?.value);
  // Each instance of what is mapped over it gets the whole value along: small ones travel, others are fetched once.
  const xcoms = await session.xcoms.store(
    lengths === undefined ? {} : { return_value: FED },
    Buffer.byteLength(JSON.stringify(assets)),
  );
  const { trigger, decision } = session.flow;
  if (trigger !== undefined) return { kind: 'trigger', request: trigger, ...(xcoms === undefined ? {} : { xcoms }) };
  return {
    kind: 'success',
    ...(xcoms === undefined ? {} : { xcoms }),
    ...(decision === undefined ? {} : { skip: decision }),
    ...(lengths === undefined ? {} : { lengths }),
    ...(assets.length === 0 ? {} : { assets }),
  };
}

/** A wait is no failure, unless what was pushed before it cannot be stored. */
async function interrupted(session: Session, ctx: TaskContext, task: Task, thrown: unknown): Promise<AttemptOutcome> {
  if (Reschedule.is(thrown)) return { kind: 'reschedule', until: thrown.until.getTime() };
  if (!Deferral.is(thrown)) return failed(session, ctx, task, thrown);
  try {
    const { wait } = thrown.outcome;
    if (!isWatch(wait)) checkWait(wait, session.host.mask);
    const xcoms = await session.xcoms.store();
    return { ...thrown.outcome, ...(xcoms === undefined ? {} : { xcoms }) };
  } catch (error) {
    return failed(session, ctx, task, error);
  }
}

async function valueOf({ lookups: { store } }: Session, stored: XComValue | undefined): Promise<unknown> {
  if (stored === undefined) return undefined;
  return 'value' in stored ? store.read(stored.value) : store.readBlob(stored.blob);
}

async function failed(session: Session, ctx: TaskContext, task: Task, thrown: unknown): Promise<AttemptOutcome> {
  const { host, xcoms } = session;
  const mask = host.mask ?? same;
  if (Skip.is(thrown)) {
    host.log('info', `skipped: ${thrown.message}`);
    return { kind: 'skipped', reason: mask(thrown.message).slice(0, FIELD) };
  }
  const error = taskError(thrown, mask);
  host.log('error', error.stack ?? error.message);
  const stored = await xcoms.store().catch((reason: unknown) => {
    host.log('error', `the XComs of the failed attempt could not be stored: ${String(reason)}`);
    return undefined;
  });
  const retryable = !FailNow.is(thrown);
  const policy = retryable ? await askPolicy(task, thrown, error, ctx, host.log) : undefined;
  return {
    kind: 'failed',
    error,
    retryable,
    ...(policy === undefined ? {} : { policy: masked(policy as unknown as Json, mask) as unknown as RetryAnswer }),
    ...(stored === undefined ? {} : { xcoms: stored }),
  };
}

/** The callback that fits the outcome; the end of a wait comes later, and its callback apart. */
async function afterwards(session: Session, ctx: TaskContext, task: Task, outcome: AttemptOutcome): Promise<void> {
  if (outcome.kind === 'trigger' || outcome.kind === 'defer' || outcome.kind === 'reschedule') return;
  const isRetried = outcome.kind === 'failed' && isTriedAgain(session, task, outcome);
  const name: TaskCallback =
    outcome.kind === 'success'
      ? 'onSuccess'
      : outcome.kind === 'skipped'
        ? 'onSkipped'
        : isRetried
          ? 'onRetry'
          : 'onFailure';
  if (task.callbacksOf(name).length === 0) return;
  const reason = outcome.kind === 'failed' ? outcome.error.message : outcome.kind === 'skipped' ? outcome.reason : '';
  await runCallbacks(session, ctx, name, reason, outcome.kind === 'failed' ? outcome.error : undefined);
}

/** As the scheduler will decide: by the tries that are left, and by the retry policy. */
function isTriedAgain(session: Session, task: Task, outcome: Extract<AttemptOutcome, { kind: 'failed' }>): boolean {
  const { attempt, maxTries, host, input } = session;
  if (!outcome.retryable || attempt.tryNumber >= maxTries) return false;
  const rules = task.attributes.retryPolicy;
  if (rules === undefined) return true;
  const { aborted, reason } = host.signal;
  const timedOut = aborted && (reason as { readonly name?: unknown } | undefined)?.name === 'TimeoutError';
  const error: TaskError = timedOut ? { kind: 'timeout', message: String(reason.message) } : outcome.error;
  const uses = new Map('ruleUses' in input ? input.ruleUses : []);
  const verdict = judgeError(
    rules.map(({ rule }) => rule),
    error,
    uses,
    timedOut ? undefined : outcome.policy,
  );
  return verdict?.action !== 'fail';
}

/** Each in turn, whatever became of the one before. The first error is what is reported. */
async function runCallbacks(
  session: Session,
  ctx: TaskContext,
  name: TaskCallback,
  reason: string,
  error?: TaskError,
): Promise<TaskError | undefined> {
  const { host, task, attempt } = session;
  const callbacks =
    task === undefined
      ? name === 'onSuccess' || name === 'onFailure'
        ? host.dag.callbacksOf(name)
        : []
      : task.callbacksOf(name);
  let first: TaskError | undefined;
  const about = { callback: name, reason, ...(error === undefined ? {} : { error }) };
  for (const callback of callbacks) {
    try {
      await callback(Object.assign(Object.create(ctx) as CallbackContext, about));
    } catch (thrown) {
      const failure = taskError(thrown, host.mask ?? same);
      first ??= failure;
      const owner = task === undefined ? `DAG ${attempt.dagId}` : `task ${attempt.taskId}`;
      host.log('error', `callback ${name} of ${owner} failed: ${failure.stack ?? failure.message}`);
    }
  }
  return first;
}
