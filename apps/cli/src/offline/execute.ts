import {
  attemptId,
  inputOf,
  type AttemptOutcome,
  type AttemptRef,
  type AttemptRunContext,
  type DagRunState,
  type grantedTo,
  type InputValue,
  type InstanceState,
} from '@rondo/domain';
import { formatDuration, type JsonObject } from '@rondo/kernel';
import { executeAttempt, type AttemptInput, type ExecuteAttemptOptions, type LogSink } from '@rondo/sdk';
import type { Context } from '../context.ts';
import type { LoadedDag } from './load.ts';
import type { MemoryServices } from './services.ts';

/** The bundle of a file that is run where it lies. */
const HERE = 'in-memory';
const TRACEPARENT = '00-00000000000000000000000000000001-0000000000000001-00';

export interface BodyOptions {
  readonly loaded: LoadedDag;
  readonly attempt: AttemptRef;
  readonly run: AttemptRunContext;
  readonly maxTries: number;
  readonly granted: ReturnType<typeof grantedTo>;
  readonly inputs: Readonly<Record<string, InputValue>>;
  /** The wait of the try's last leg is over. */
  readonly resume?: AttemptInput['resume'];
  /** How many instances the task has; absent: it is not mapped. */
  readonly instances?: number;
  readonly services: MemoryServices;
  readonly log: LogSink;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

export interface BodyResult {
  readonly outcome: AttemptOutcome;
  readonly rendered?: JsonObject;
  readonly mapIndexName?: string;
}

/** What the SDK is to run, or to render. */
export function attemptOptions(options: BodyOptions): ExecuteAttemptOptions {
  const { loaded, attempt, run, maxTries, granted, inputs, resume, services, log, signal } = options;
  return {
    dag: loaded.dag,
    root: loaded.root,
    services,
    log,
    signal,
    env: definedOnly(options.env),
    testMode: true,
    input: {
      id: attemptId(attempt),
      attempt,
      run,
      maxTries,
      inputs,
      bundle: { hash: HERE, file: loaded.definition.file },
      position: 0,
      traceparent: TRACEPARENT,
      ...(options.instances === undefined ? {} : { instances: options.instances }),
      ...granted,
      ...(resume === undefined ? {} : { resume }),
    },
  };
}

/** Runs the body of an attempt in this process. A body that ignores its timeout is left behind: nothing here can kill it. */
export async function executeBody(options: BodyOptions): Promise<BodyResult> {
  const { granted, signal } = options;
  const { executionTimeoutMs: timeoutMs } = granted;
  const timeout = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
  const body = executeAttempt({
    ...attemptOptions(options),
    signal: timeout === undefined ? signal : AbortSignal.any([signal, timeout]),
  });
  return Promise.race([
    body,
    ended(signal, () => cancelled),
    ...(timeout === undefined ? [] : [ended(timeout, () => timedOut(timeoutMs ?? 0))]),
  ]);
}

const definedOnly = (env: BodyOptions['env']): Record<string, string> =>
  Object.fromEntries(Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));

const cancelled: BodyResult = {
  outcome: { kind: 'failed', retryable: false, error: { kind: 'cancelled', message: 'interrupted' } },
};

const timedOut = (ms: number): BodyResult => ({
  outcome: {
    kind: 'failed',
    retryable: true,
    error: { kind: 'timeout', message: `ran longer than executionTimeout (${formatDuration(ms)})` },
  },
});

const ended = (signal: AbortSignal, result: () => BodyResult): Promise<BodyResult> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(result());
    else signal.addEventListener('abort', () => resolve(result()), { once: true });
  });

/** What an attempt gets of the tasks whose return value it takes. */
export function inputsOf(run: DagRunState, instance: InstanceState): Readonly<Record<string, InputValue>> {
  const inputs: Record<string, InputValue> = {};
  for (const taskId of instance.task.def.inputs) {
    const input = inputOf(run, instance, taskId);
    if (input !== undefined) inputs[taskId] = input;
  }
  return inputs;
}

/** Where the try goes on, when the wait of its last leg is over. */
export function resumeOf({ deferral }: InstanceState): Pick<BodyOptions, 'resume'> {
  if (deferral?.resume === undefined) return {};
  const { resume: method, payload } = deferral;
  return { resume: { method, ...(payload === undefined ? {} : { payload }) } };
}

/** Log entries as lines, each with the task's name in front; stderr keeps them apart from what programs read. */
export function taskLog(context: Context, name: string): LogSink {
  const { colors } = context;
  return (level, message) => {
    const text = level === 'error' ? colors.red(message) : level === 'warn' ? colors.yellow(message) : message;
    for (const line of text.split('\n')) context.warn(`${colors.dim(`[${name}]`)} ${line}`);
  };
}
