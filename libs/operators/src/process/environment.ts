import type { TaskContext } from '@rondo/sdk';

/** What a process is told of its attempt, beside the environment of user code (with `TRACEPARENT`). */
export function attemptEnvironment({ ti, logicalDate }: TaskContext): Record<string, string> {
  return {
    RONDO_DAG_ID: ti.dagId,
    RONDO_RUN_ID: ti.runId,
    RONDO_TASK_ID: ti.taskId,
    RONDO_TRY_NUMBER: String(ti.tryNumber),
    RONDO_ATTEMPT_ID: ti.attemptId,
    ...(logicalDate === null ? {} : { RONDO_LOGICAL_DATE: logicalDate.toISOString() }),
  };
}

/** Without `env` that of user code; with it that alone, or both when `appendEnv` is set. A variable that is `undefined` in it is left out. */
export function processEnvironment(
  ctx: TaskContext,
  env: Readonly<Record<string, unknown>> | undefined,
  appendEnv: boolean,
): Record<string, string> {
  const base = env === undefined || appendEnv ? ctx.env : { PATH: ctx.env['PATH'] };
  const all = { ...base, ...attemptEnvironment(ctx), ...env };
  return Object.fromEntries(
    Object.entries(all).flatMap(([key, value]) =>
      value === undefined || value === null ? [] : [[key, typeof value === 'string' ? value : JSON.stringify(value)]],
    ),
  );
}
