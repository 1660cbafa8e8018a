import { DAG_DEFAULTS, TASK_DEFAULTS, type DagDefinition, type TaskDefinition } from '@rondo/domain';

/** A task with every default, to be changed where a test looks. */
export function aTask(taskId: string, change: Partial<TaskDefinition> = {}): TaskDefinition {
  return {
    taskId,
    operator: 'BashOperator',
    runs: 'child',
    upstream: [],
    triggerRule: 'all_success',
    owner: TASK_DEFAULTS.owner,
    retries: 0,
    retryDelayMs: TASK_DEFAULTS.retryDelayMs,
    retryExponentialBackoff: 0,
    maxLostAttempts: TASK_DEFAULTS.maxLostAttempts,
    dependsOnPast: false,
    waitForDownstream: false,
    email: [],
    emailOnFailure: false,
    emailOnRetry: false,
    pool: TASK_DEFAULTS.pool,
    poolSlots: 1,
    priorityWeight: 1,
    weightRule: 'downstream',
    queue: TASK_DEFAULTS.queue,
    callbacks: [],
    inputs: [],
    templateFields: [],
    args: {},
    ...change,
  };
}

/** A DAG that is only run by hand, with every default. */
export function aDefinition(
  dagId: string,
  tasks: readonly TaskDefinition[],
  change: Partial<DagDefinition> = {},
): DagDefinition {
  return {
    dagId,
    file: `${dagId}.ts`,
    timetable: { kind: 'none' },
    timezone: 'UTC',
    catchup: false,
    tags: [],
    ...DAG_DEFAULTS,
    failFast: false,
    isPausedUponCreation: false,
    maxConsecutiveFailedDagRuns: 0,
    renderTemplateAsNativeObj: false,
    templateSearchPath: [],
    params: {},
    callbacks: [],
    tasks,
    groups: [],
    ...change,
  };
}
