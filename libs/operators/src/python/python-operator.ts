import { fileURLToPath } from 'node:url';
import { dirname, join } from 'node:path';
import type { Json } from '@rondo/kernel';
import { decodeValue, encodeValue, FailNow, Operator, Skip, templatable, type TaskContext } from '@rondo/sdk';
import * as z from 'zod';
import { processEnvironment } from '../process/environment.ts';
import { processError } from '../process/error.ts';
import type { ProcessEnd } from '../process/run.ts';
import { environmentFor } from './virtual-environment.ts';

export interface PythonArgs {
  /** A Python file of the bundle. The Python files and packages beside it can be imported. */
  readonly file: string;
  /** A function of the file, or `Class.method`. */
  readonly callable: string;
  /** Any value that can be an XCom. Templates. */
  readonly opArgs?: readonly unknown[];
  /** Any values that can be XComs. Templates. A parameter that is named like a part of the context (`ds`, `params`, `run_id`, …) gets it without this. */
  readonly opKwargs?: Readonly<Record<string, unknown>>;
  /** Templates: what they became is in the context, as `templates_dict`. */
  readonly templatesDict?: Readonly<Record<string, unknown>>;
  /** The interpreter. Default `python3`. */
  readonly python?: string;
  /** What pip installs into a virtual environment of its own, which is kept: requirements, or a requirements file of the bundle. */
  readonly requirements?: string | readonly string[];
  /** The environment of the interpreter. Default: that of user code. Templates. */
  readonly env?: Readonly<Record<string, string>>;
  /** True: `env` is added to the environment of user code. Default false. */
  readonly appendEnv?: boolean;
}

type Reply =
  | { readonly kind: 'result'; readonly value: Json }
  | { readonly kind: 'skip'; readonly reason: string }
  | { readonly kind: 'push'; readonly key: string; readonly value: Json }
  | {
      readonly kind: 'error' | 'fail_now';
      readonly type: string;
      readonly message: string;
      readonly traceback: string;
    };

const HELPER = fileURLToPath(new URL('./helper/', import.meta.url));
const TAIL = 5;

export const pythonShape = {
  file: z.string().regex(/\.py$/).describe('the name of a .py file'),
  callable: z
    .string()
    .regex(/^[^\d\W]\w*(\.[^\d\W]\w*)*$/u)
    .describe('the name of a function'),
  opArgs: templatable(z.array(z.unknown()).describe('a list')).optional(),
  opKwargs: templatable(z.record(z.string(), z.unknown()).describe('an object')).optional(),
  templatesDict: templatable(z.record(z.string(), z.unknown()).describe('an object')).optional(),
  python: z.string().min(1).describe('an interpreter such as python3').optional(),
  requirements: z
    .union([z.string().min(1), z.array(z.string().min(1))])
    .describe('a list of requirements, or the name of a requirements file')
    .optional(),
  env: templatable(z.record(z.string(), templatable(z.string())).describe('an object of texts')).optional(),
  appendEnv: z.boolean().describe('true or false').optional(),
};

/** Calls a Python function in an interpreter of its own. Values go in and out as XComs do; what it prints is logged. */
export class PythonOperator extends Operator<PythonArgs, unknown> {
  static override readonly templateFields = ['opArgs', 'opKwargs', 'templatesDict', 'env'];
  static override readonly schema = z.strictObject(pythonShape);

  execute(ctx: TaskContext, args: PythonArgs): Promise<unknown> {
    return callPython(ctx, args);
  }
}

/** What the function has returned. Throws what it has thrown. */
export async function callPython(ctx: TaskContext, args: PythonArgs): Promise<unknown> {
  const { file, callable, opArgs = [], opKwargs = {}, python = 'python3', requirements, env, appendEnv = false } = args;
  const path = ctx.files.path(file);
  const interpreter = requirements === undefined ? python : await environmentFor(ctx, python, requirements);
  const { templatesDict = null } = args;
  const context = { ...contextOf(ctx), templates_dict: sent('templatesDict', templatesDict) };
  const given = { args: sent('opArgs', opArgs), kwargs: sent('opKwargs', opKwargs) };
  const request = { file: path, callable, ...given, context };
  const environment = {
    PYTHONUNBUFFERED: '1',
    PYTHONIOENCODING: 'utf-8',
    PYTHONDONTWRITEBYTECODE: '1',
    ...processEnvironment(ctx, env, appendEnv),
  };
  return outcome(ctx, await converse(ctx, interpreter, environment, dirname(path), request), callable);
}

function sent(name: string, value: unknown): Json {
  const json = encodeValue(value);
  if (!json.ok) throw new TypeError(`${name}: ${json.error}`);
  return json.value;
}

interface Conversation {
  readonly reply: Exclude<Reply, { kind: 'push' }> | undefined;
  readonly end: ProcessEnd;
  readonly tail: readonly string[];
}

async function converse(
  ctx: TaskContext,
  interpreter: string,
  env: Record<string, string>,
  cwd: string,
  request: object,
): Promise<Conversation> {
  const { runProcess } = await import('../process/run.ts');
  const tail: string[] = [];
  let reply: Conversation['reply'];
  const onReply = (line: string): void => {
    try {
      const message = JSON.parse(line) as Reply;
      if (message.kind === 'push') ctx.xcom.push(message.key, decodeValue(message.value));
      else reply = message;
    } catch (error) {
      reply = {
        kind: 'error',
        type: 'ProtocolError',
        message: `descriptor 3 is not for the callable: ${String(error)}`,
        traceback: '',
      };
    }
  };
  // A reply may be long: it is put together here, not cut as a log line is.
  let text = '';
  const { code, signal } = await runProcess({
    command: interpreter,
    args: ['-X', 'utf8', join(HELPER, 'rondo_runner.py')],
    env: { ...env, PYTHONPATH: [HELPER, env['PYTHONPATH']].filter(Boolean).join(':') },
    cwd,
    signal: ctx.signal,
    onStdout: (line) => ctx.log.info('%s', line),
    onStderr: (line) => {
      tail.push(line);
      if (tail.length > TAIL) tail.shift();
      ctx.log.warn('%s', line);
    },
    onPipe: (pipe) => {
      pipe.setEncoding('utf8');
      pipe.on('data', (chunk: string) => {
        const lines = (text + chunk).split('\n');
        text = lines.pop() ?? '';
        lines.forEach(onReply);
      });
      pipe.write(`${JSON.stringify(request)}\n`);
    },
  });
  return { reply, end: { code, signal }, tail };
}

function outcome(ctx: TaskContext, { reply, end, tail }: Conversation, callable: string): unknown {
  switch (reply?.kind) {
    case 'result':
      return decodeValue(reply.value);
    case 'skip':
      throw new Skip(reply.reason);
    case 'fail_now':
      throw withTrace(new FailNow(reply.message), reply.traceback);
    case 'error':
      throw withTrace(Object.assign(new Error(reply.message), { name: reply.type }), reply.traceback);
    case undefined:
      throw processError(
        `the interpreter ${end.code === null ? `was ended by ${end.signal}` : `ended with exit code ${end.code}`} before ${callable} had answered${tail.length === 0 ? '' : `: ${tail.join('\n')}`}`,
        end,
      );
    default:
      throw new Error(`unknown reply ${JSON.stringify(reply)} in ${ctx.ti.attemptId}`);
  }
}

function withTrace<E extends Error>(error: E, traceback: string): E {
  if (traceback !== '') error.stack = traceback.trimEnd();
  return error;
}

/** The part of the template context that is JSON, under its names. */
function contextOf({
  ti,
  run,
  params,
  conf,
  logicalDate,
  dataInterval,
  tryNumber,
}: TaskContext): Record<string, unknown> {
  const dates =
    logicalDate === null
      ? {}
      : {
          logical_date: logicalDate.toISOString(),
          ds: logicalDate.toISOString().slice(0, 10),
          ds_nodash: logicalDate.toISOString().slice(0, 10).replaceAll('-', ''),
          ts: logicalDate
            .toISOString()
            .replace(/\.000Z$/, '+00:00')
            .replace(/Z$/, '+00:00'),
          data_interval_start: (dataInterval?.start ?? logicalDate).toISOString(),
          data_interval_end: (dataInterval?.end ?? logicalDate).toISOString(),
        };
  return {
    ...dates,
    dag_id: ti.dagId,
    task_id: ti.taskId,
    run_id: ti.runId,
    run_type: run.runType,
    try_number: tryNumber,
    map_index: ti.mapIndex.join('.'),
    attempt_id: ti.attemptId,
    params,
    conf,
  };
}
