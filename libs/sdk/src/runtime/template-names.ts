import { TASK_DEFAULTS } from '@rondo/domain';
import type { JsonObject } from '@rondo/kernel';
import { resolveParams } from '../authoring/params.ts';
import type { Task } from '../authoring/task.ts';
import { templateContext } from '../templates/index.ts';
import type { Session } from './attempt-context.ts';
import { pullXCom } from './pull.ts';

/** The names that templates of an attempt may use. */
export function templateNames(session: Session): Record<string, unknown> {
  const { host, task, input, attempt, maxTries, lookups, reason } = session;
  const { run } = input;
  return templateContext({
    ...attempt,
    logicalDate: run.logicalDate,
    dataInterval: run.dataInterval,
    runType: run.runType,
    runAfter: run.runAfter,
    conf: run.conf,
    params: paramsOf(session),
    maxTries,
    startDate: run.startedAt,
    testMode: host.testMode ?? false,
    dag: dagMembers(session),
    dagRun: { triggered_by: run.triggeredBy, partition_key: run.partitionKey ?? null },
    more: {
      map_index_template: task?.attributes.mapIndexTemplate ?? null,
      expanded_ti_count: ('instances' in input ? input.instances : undefined) ?? null,
    },
    ...('reschedules' in input && input.reschedules !== undefined ? { reschedules: input.reschedules } : {}),
    ...(task === undefined
      ? {}
      : { owner: task.attributes.owner ?? TASK_DEFAULTS.owner, operator: task.operator, task: taskMembers(task) }),
    ...(reason === undefined ? {} : { reason }),
    ...('error' in input && input.error !== undefined ? { exception: input.error.message } : {}),
    outlets: task?.attributes.outlets ?? [],
    inlets: task?.attributes.inlets ?? [],
    ...lookups.forTemplates((query) => pullXCom(session, query)),
  });
}

/** The params of DAG and task, overridden by the run's conf. Throws for what their schemas refuse. */
export function paramsOf({ host, task, input }: Session): JsonObject {
  const conf = host.settings?.confOverridesParams === false ? null : input.run.conf;
  const resolved = resolveParams({ ...host.dag.params, ...task?.params }, conf);
  if (!resolved.ok) throw new TypeError(resolved.error.map(({ message }) => message).join('; '));
  return resolved.value;
}

function dagMembers({ host: { dag } }: Session): Record<string, unknown> {
  const { options } = dag;
  return {
    fileloc: dag.file,
    description: options.description ?? null,
    doc_md: options.doc ?? null,
    tags: options.tags ?? [],
    timezone: dag.timezone,
    catchup: options.catchup ?? false,
    // A DAG may have many tasks, and few templates ask for them.
    get task_ids() {
      return dag.tasks.map((each) => each.taskId);
    },
  };
}

function taskMembers({ attributes: a, upstream, triggerRule }: Task): Record<string, unknown> {
  return {
    retries: a.retries ?? 0,
    pool: a.pool ?? TASK_DEFAULTS.pool,
    pool_slots: a.poolSlots ?? 1,
    queue: a.queue ?? TASK_DEFAULTS.queue,
    priority_weight: a.priorityWeight ?? 1,
    trigger_rule: triggerRule,
    doc_md: a.doc ?? null,
    email: a.email ?? [],
    get upstream_task_ids() {
      return [...upstream];
    },
  };
}
