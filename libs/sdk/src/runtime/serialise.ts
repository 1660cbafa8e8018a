import {
  DAG_DEFAULTS,
  TASK_DEFAULTS,
  type DagDefinition,
  type GroupDefinition,
  type TaskCallback,
  type TaskDefinition,
} from '@rondo/domain';
import type { Json, JsonObject } from '@rondo/kernel';
import { outletLeaf } from '../authoring/asset.ts';
import type { Dag } from '../authoring/dag.ts';
import { parseDate, type DateInput } from '../authoring/dates.ts';
import { describeSource, isPlain, isSource, lengthOf } from '../authoring/source.ts';
import { expansionOf, type Mapping } from '../authoring/mapping/mapping.ts';
import type { Task } from '../authoring/task.ts';
import { fallbackId } from '../authoring/fallbacks.ts';
import { isLiteral, literalValue } from '../templates/literal.ts';
import type { TaskGroup } from '../authoring/task-group.ts';

const SHOWN = 20;
const CALLBACKS: readonly TaskCallback[] = ['onExecute', 'onSuccess', 'onFailure', 'onRetry', 'onSkipped'];

/** A collected DAG as plain JSON. The same source gives the same bytes: keys stand in a fixed order, tasks in that of declaration. */
export function serialiseDag(dag: Dag): DagDefinition {
  const { options } = dag;
  return {
    dagId: dag.dagId,
    ...optional('description', options.description),
    ...optional('docMd', options.doc),
    file: dag.file,
    timetable: dag.timetable,
    timezone: dag.timezone,
    ...optional('startDate', dag.startDate),
    ...optional('endDate', dag.endDate),
    catchup: options.catchup ?? false,
    tags: options.tags ?? [],
    maxActiveRuns: options.maxActiveRuns ?? DAG_DEFAULTS.maxActiveRuns,
    maxActiveTasks: options.maxActiveTasks ?? DAG_DEFAULTS.maxActiveTasks,
    ...optional('maxActiveTasksPerDag', options.maxActiveTasksPerDag),
    ...optional('priority', options.priority),
    ...optional('dagrunTimeoutMs', options.dagrunTimeout),
    ...optional('runRetries', options.runRetries === 0 ? undefined : options.runRetries),
    ...optional('runRetryDelayMs', options.runRetryDelay),
    ...(options.runRetryMode === 'all' ? { runRetryMode: 'all' as const } : {}),
    failFast: options.failFast ?? false,
    ...(options.sealed === true ? { sealed: true as const } : {}),
    isPausedUponCreation: options.isPausedUponCreation ?? false,
    maxConsecutiveFailedDagRuns: options.maxConsecutiveFailedDagRuns ?? 0,
    renderTemplateAsNativeObj: options.renderTemplateAsNativeObj ?? false,
    templateSearchPath: options.templateSearchPath ?? [],
    params: dag.params,
    callbacks: (['onSuccess', 'onFailure'] as const).filter((name) => dag.callbacksOf(name).length > 0),
    tasks: dag.tasks.map((task) => serialiseTask(task, dag)),
    groups: dag.groups.map(serialiseGroup),
  };
}

function serialiseTask(task: Task, dag: Dag): TaskDefinition {
  const { attributes: a } = task;
  const isHere = task.at !== undefined && task.at.file.replaceAll('\\', '/').endsWith(`/${dag.file}`);
  return {
    taskId: task.taskId,
    operator: task.operator,
    runs: task.runs,
    upstream: [...task.upstream].sort(),
    ...optional('group', task.group?.groupId),
    ...optional('expand', task.mapping && expansionOf(task.mapping)),
    ...optional('mapIndexTemplate', a.mapIndexTemplate),
    ...optional('startDate', dateOf(a.startDate, dag.timezone)),
    ...optional('endDate', dateOf(a.endDate, dag.timezone)),
    triggerRule: task.triggerRule,
    ...(task.setup ? { setup: true } : {}),
    ...(task.teardown === undefined ? {} : { teardown: true, onFailureFailDagrun: task.teardown.onFailureFailDagrun }),
    owner: a.owner ?? TASK_DEFAULTS.owner,
    retries: a.retries ?? 0,
    retryDelayMs: a.retryDelay ?? TASK_DEFAULTS.retryDelayMs,
    ...optional('fallback', fallbackId(task)),
    retryExponentialBackoff: a.retryExponentialBackoff ?? 0,
    ...optional('maxRetryDelayMs', a.maxRetryDelay),
    ...optional(
      'retryPolicy',
      a.retryPolicy?.map(({ rule }) => rule),
    ),
    ...optional('resources', a.resources as JsonObject | undefined),
    ...optional('executionTimeoutMs', a.executionTimeout),
    ...(a.onLostContact === 'continue' ? { onLostContact: 'continue' as const } : {}),
    maxLostAttempts: a.maxLostAttempts ?? TASK_DEFAULTS.maxLostAttempts,
    // Waiting for the downstream of the previous run is waiting for the previous run.
    dependsOnPast: (a.dependsOnPast ?? false) !== false || (a.waitForDownstream ?? false),
    ...(typeof a.dependsOnPast === 'function' ? { pastCondition: true as const } : {}),
    waitForDownstream: a.waitForDownstream ?? false,
    ...(a.pastFailure === 'skip' ? { pastFailure: 'skip' as const } : {}),
    ...(a.ignoreFirstDependsOnPast === false ? { ignoreFirstDependsOnPast: false } : {}),
    ...(a.waitForPastDependsBeforeSkipping === true ? { waitForPastDependsBeforeSkipping: true } : {}),
    email: a.email ?? [],
    emailOnFailure: a.emailOnFailure ?? true,
    emailOnRetry: a.emailOnRetry ?? true,
    pool: a.pool ?? TASK_DEFAULTS.pool,
    poolSlots: a.poolSlots ?? 1,
    ...optional('maxActiveTisPerDag', a.maxActiveTisPerDag),
    ...optional('maxActiveTisPerDagrun', a.maxActiveTisPerDagrun),
    priorityWeight: a.priorityWeight ?? 1,
    weightRule: a.weightRule ?? 'downstream',
    queue: a.queue ?? TASK_DEFAULTS.queue,
    ...optional('executor', a.executor),
    ...optional('executorConfig', a.executorConfig as JsonObject | undefined),
    ...(Object.keys(task.params).length === 0 ? {} : { params: task.params }),
    ...optional('docMd', a.doc),
    callbacks: CALLBACKS.filter((name) => task.callbacksOf(name).length > 0),
    inputs: task.inputs,
    templateFields: task.templateFields,
    ...(a.outlets === undefined || a.outlets.length === 0 ? {} : { outlets: a.outlets.map(outletLeaf) }),
    ...(a.inlets === undefined || a.inlets.length === 0 ? {} : { inlets: a.inlets.map(outletLeaf) }),
    args: displayed({ ...task.shown, ...displayedMapping(task.mapping) }) as JsonObject,
    ...(isHere ? { line: task.at!.line } : {}),
  };
}

function dateOf(given: DateInput | undefined, timezone: string): number | undefined {
  const parsed = given === undefined ? undefined : parseDate(given, timezone);
  return parsed?.ok === true ? parsed.value : undefined;
}

function serialiseGroup(group: TaskGroup): GroupDefinition {
  return {
    groupId: group.groupId,
    ...optional('parent', group.parent?.groupId),
    ...optional('tooltip', group.tooltip),
    ...optional('displayName', group.displayName),
    ...(group.retries === 0 ? {} : { retries: group.retries }),
    ...optional('retryDelayMs', group.retryDelayMs),
    ...optional('fallback', fallbackId(group)),
    ...optional('expand', group.mapping && expansionOf(group.mapping)),
    ...optional('mapIndexTemplate', group.mapIndexTemplate),
  };
}

/** Of a long list its first items: the definition of a DAG is read by people. */
function displayedMapping(mapping: Mapping | undefined): Readonly<Record<string, unknown>> {
  const shown = (list: Mapping['over'][number]['list']): unknown => {
    if (!Array.isArray(list) || list.length <= SHOWN) return list;
    return [...(list as readonly unknown[]).slice(0, SHOWN), `… ${lengthOf(list) - SHOWN} more`];
  };
  return Object.fromEntries((mapping?.over ?? []).map(({ name, list }) => [name || 'expandKwargs', shown(list)]));
}

function optional<K extends string, V>(key: K, value: V | undefined): { readonly [k in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [k in K]?: V });
}

/** A value for people to read: what is not JSON is told by its kind. */
export function displayed(value: unknown, ancestors: readonly object[] = []): Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value !== 'object') return typeof value === 'bigint' ? String(value) : `<${typeof value}>`;
  if (isSource(value)) return describeSource(value);
  if (isLiteral(value)) return displayed(literalValue(value), ancestors);
  if (ancestors.includes(value)) return '<circular>';
  const inner = [...ancestors, value];
  if (Array.isArray(value)) return value.map((item) => displayed(item, inner));
  if (value instanceof Set) return [...value].map((item) => displayed(item, inner));
  if (value instanceof Map) return displayed(Object.fromEntries(value), inner);
  if (isPlain(value))
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, item]) => item !== undefined)
        .map(([key, item]) => [key, displayed(item, inner)]),
    );
  if ('toJSON' in value && typeof value.toJSON === 'function')
    return displayed((value.toJSON as () => unknown)(), inner);
  return value instanceof RegExp || value instanceof URL ? String(value) : `<${value.constructor?.name ?? 'object'}>`;
}
