import { attemptId, UNMAPPED, type Connection, type Interval, type MapIndex } from '@rondo/domain';
import type { Json } from '@rondo/kernel';
import type { AssetCondition, Outlet } from '../authoring/asset.ts';
import { templateEvent } from '../runtime/assets.ts';
import type { AssetEventInfo, AssetEventQuery } from '../runtime/contract.ts';
import { DateTime } from './datetime.ts';
import { nodashWithTz, TIMESTAMPS } from './filters.ts';
import { macros } from './macros.ts';
import { formatConnection } from '../connections.ts';
import { bind, Lazy, Members, str } from './values.ts';

/** Dates are epoch milliseconds or ISO text. */
type Moment = number | string;

export interface XComLookup {
  readonly taskId: string;
  readonly key: string;
  readonly mapIndex?: string;
  readonly dagId?: string;
  readonly runId?: string;
  readonly includePriorDates?: boolean;
}

export interface TemplateContextInput {
  readonly dagId: string;
  readonly runId: string;
  readonly taskId?: string;
  /** Absent or null: the keys made from it (`ds`, `ts`, `logical_date`, …) are absent as well. */
  readonly logicalDate?: Moment | null;
  /** Default: from the logical date to itself. */
  readonly dataInterval?: Interval | readonly [Moment, Moment] | null;
  readonly runType?: string;
  readonly conf?: Json;
  readonly params?: Readonly<Record<string, unknown>>;
  /** Default 1. */
  readonly tryNumber?: number;
  readonly maxTries?: number;
  readonly mapIndex?: MapIndex;
  /** When the run began. */
  readonly startDate?: Moment | null;
  readonly owner?: string;
  readonly operator?: string;
  /** Why a callback runs. */
  readonly reason?: string;
  readonly exception?: string;
  readonly runAfter?: Moment;
  /** More members of `dag`, `task` and `dag_run`, and more names. */
  readonly dag?: Readonly<Record<string, unknown>>;
  readonly task?: Readonly<Record<string, unknown>>;
  readonly dagRun?: Readonly<Record<string, unknown>>;
  readonly more?: Readonly<Record<string, unknown>>;
  /** A run without a platform. Default false. */
  readonly testMode?: boolean;
  /** How often this try was rescheduled. Default 0. */
  readonly reschedules?: number;
  /** The last run of the DAG before this one that succeeded; undefined where there is none. */
  readonly previousSuccess?: () => PreviousSuccess | undefined;
  readonly outlets?: readonly Outlet[];
  readonly inlets?: readonly AssetCondition[];
  readonly assetEvents?: (query: AssetEventQuery) => readonly AssetEventInfo[];
  /** Look-ups of the three kinds of things that are fetched; undefined means that there is none. */
  readonly variable?: (key: string) => string | undefined;
  readonly connection?: (connId: string) => Connection | undefined;
  readonly xcom?: (query: XComLookup) => { readonly value: unknown; readonly isMany?: true } | undefined;
}

/** Of a run that succeeded. Epoch milliseconds; null where it has none. */
export interface PreviousSuccess {
  readonly dataInterval: Interval | null;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
}

/** The names that a template may use, under the names that Jinja templates for pipelines have always had. */
export function templateContext(input: TemplateContextInput): Record<string, unknown> {
  const { dagId, runId, taskId = '', params = {} } = input;
  const dates = logicalDates(input);
  const dag = withMembers({ dag_id: dagId }, input.dag);
  const [owner, operator] = [input.owner ?? '', input.operator ?? ''];
  const task = withMembers(
    { task_id: taskId, dag_id: dagId, owner, operator, task_type: operator, params },
    input.task,
  );
  const startDate = moment(input.startDate);
  const dagRun = {
    dag_id: dagId,
    run_id: runId,
    run_type: input.runType ?? 'manual',
    conf: input.conf ?? {},
    logical_date: dates?.logical_date ?? null,
    data_interval_start: dates?.data_interval_start ?? null,
    data_interval_end: dates?.data_interval_end ?? null,
    run_after: moment(input.runAfter),
    start_date: startDate,
    end_date: null,
    state: 'running',
    ...input.dagRun,
  };
  const ti = taskInstance(input, task, dagRun);
  return {
    ...ABSENT,
    ...assetNames(input),
    ...dates,
    ...previous(input, dates !== undefined),
    dag,
    dag_run: dagRun,
    task,
    ti,
    task_instance: ti,
    run_id: runId,
    params,
    try_number: ti.try_number,
    start_date: startDate,
    task_instance_key_str: `${dagId}__${taskId}__${dates?.ds_nodash ?? runId}`,
    test_mode: input.testMode ?? false,
    task_reschedule_count: input.reschedules ?? 0,
    macros,
    var: {
      value: new Members((key) => input.variable?.(key)),
      json: new Members((key) => parsed(input.variable?.(key), key)),
    },
    conn: new Members((connId) => connectionMembers(input.connection?.(connId))),
    ...(input.reason === undefined ? {} : { reason: input.reason }),
    ...(input.exception === undefined ? {} : { exception: input.exception }),
    ...input.more,
  };
}

/** Getters stay getters: what costs something is made when a template asks for it. */
function withMembers(own: object, more: object | undefined): object {
  return more === undefined ? own : Object.defineProperties(own, Object.getOwnPropertyDescriptors(more));
}

/** Names that an attempt always has, with what they are where there is nothing to tell. */
const ABSENT = {
  expanded_ti_count: null,
  map_index_template: null,
  templates_dict: null,
};

function nameOf(expression: AssetCondition['expression']): string | undefined {
  if (expression.kind === 'all' || expression.kind === 'any') return undefined;
  return expression.kind === 'uri' ? expression.uri : expression.name;
}

/** Events are looked up when a template asks for them. */
function assetNames({ outlets = [], inlets = [], assetEvents }: TemplateContextInput): Record<string, unknown> {
  const ask = (query: AssetEventQuery): ReturnType<typeof templateEvent>[] =>
    (assetEvents?.(query) ?? []).map(templateEvent);
  const eventsOf = (name: string): unknown => {
    const leaf = inlets.map(({ expression }) => expression).find((each) => nameOf(each) === name);
    if (leaf === undefined || leaf.kind === 'all' || leaf.kind === 'any') return undefined;
    return ask({ kind: leaf.kind, name, limit: 100 });
  };
  const shown = ({ expression }: AssetCondition): unknown => expression;
  return {
    outlets: outlets.map(shown),
    inlets: inlets.map(shown),
    outlet_events: Object.fromEntries(outlets.map((outlet) => [outlet.name, { extra: {} }])),
    inlet_events: new Members(eventsOf),
    triggering_asset_events: new Lazy(() => {
      const groups: Record<string, unknown[]> = {};
      for (const event of ask({ kind: 'triggering' })) (groups[String(event['name'])] ??= []).push(event);
      return groups;
    }),
  };
}

/** Looked up when a template asks for one of them. None where no run before has succeeded. */
function previous({ previousSuccess }: TemplateContextInput, hasDate: boolean): Record<string, Lazy> {
  const of = (field: (run: PreviousSuccess) => Moment | null | undefined): Lazy =>
    new Lazy(() => {
      const run = previousSuccess?.();
      return run === undefined ? null : moment(field(run));
    });
  return {
    prev_start_date_success: of((run) => run.startedAt),
    prev_end_date_success: of((run) => run.endedAt),
    ...(hasDate
      ? {
          prev_data_interval_start_success: of((run) => run.dataInterval?.[0]),
          prev_data_interval_end_success: of((run) => run.dataInterval?.[1]),
        }
      : {}),
  };
}

function moment(value: Moment | null | undefined): DateTime | null {
  return value === null || value === undefined ? null : DateTime.from(value);
}

function logicalDates({ logicalDate, dataInterval }: TemplateContextInput) {
  const logical = moment(logicalDate);
  if (logical === null) return undefined;
  const [start, end] = dataInterval ?? [];
  return {
    logical_date: logical,
    data_interval_start: moment(start) ?? logical,
    data_interval_end: moment(end) ?? logical,
    ds: logical.strftime(TIMESTAMPS.ds),
    ds_nodash: logical.strftime(TIMESTAMPS.ds_nodash),
    ts: logical.isoformat(),
    ts_nodash: logical.strftime(TIMESTAMPS.ts_nodash),
    ts_nodash_with_tz: nodashWithTz(logical),
  };
}

function taskInstance(input: TemplateContextInput, task: object, dagRun: object) {
  const { dagId, runId, taskId = '', mapIndex = UNMAPPED, tryNumber = 1 } = input;
  return {
    dag_id: dagId,
    run_id: runId,
    task_id: taskId,
    task,
    dag_run: dagRun,
    try_number: tryNumber,
    max_tries: input.maxTries ?? tryNumber,
    operator: input.operator ?? '',
    state: 'running',
    is_mapped: mapIndex.length > 0,
    /** -1: not mapped. */
    map_index: mapIndex.length === 0 ? -1 : mapIndex.length === 1 ? mapIndex[0] : mapIndex.join('.'),
    key: attemptId({ dagId, runId, taskId, mapIndex, tryNumber, leg: 1 }),
    xcom_pull: (...args: unknown[]) =>
      pull(
        input,
        bind(['task_ids', 'dag_id', 'key', 'include_prior_dates', 'session', 'map_indexes', 'default', 'run_id'], args),
      ),
  };
}

/**
 * One task id gives its value, or the list of the values of a mapped task; a list of them the list of all values. What was
 * never pushed is None, or `default`.
 */
function pull(input: TemplateContextInput, named: Readonly<Record<string, unknown>>): unknown {
  const {
    task_ids: ids,
    key = 'return_value',
    dag_id: dagId,
    run_id: runId,
    map_indexes: mapIndexes,
    default: fallback = null,
  } = named;
  const find = (taskId: string, mapIndex?: unknown): readonly unknown[] | { readonly single: unknown } => {
    const query = {
      taskId,
      key: str(key),
      ...(mapIndex === undefined || mapIndex === null ? {} : { mapIndex: Number(mapIndex) < 0 ? '' : str(mapIndex) }),
      ...(dagId ? { dagId: str(dagId) } : {}),
      ...(runId ? { runId: str(runId) } : {}),
      ...(named['include_prior_dates'] === true ? { includePriorDates: true } : {}),
    };
    const found = input.xcom?.(query);
    if (found?.isMany === true) return found.value as readonly unknown[];
    return { single: found === undefined ? fallback : found.value };
  };
  const one = (taskId: string, mapIndex?: unknown): unknown => {
    const found = find(taskId, mapIndex);
    return 'single' in found ? found.single : found;
  };
  const several = (taskId: string, mapIndex?: unknown): readonly unknown[] => {
    const found = find(taskId, mapIndex);
    return 'single' in found ? [found.single] : found;
  };
  const indexes: readonly unknown[] = Array.isArray(mapIndexes) ? mapIndexes : [mapIndexes];
  if (Array.isArray(ids)) return ids.flatMap((id) => indexes.flatMap((index) => several(str(id), index)));
  const taskId = ids === undefined || ids === null ? (input.taskId ?? '') : str(ids);
  return Array.isArray(mapIndexes) ? indexes.map((index) => one(taskId, index)) : one(taskId, mapIndexes);
}

function parsed(text: string | undefined, key: string): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new TypeError(`variable '${key}' is not JSON; var.value.${key} gives its text`);
  }
}

function connectionMembers(connection: Connection | undefined): unknown {
  if (connection === undefined) return undefined;
  const { connId, connType, host, port, schema, login, password, extra = {}, description } = connection;
  const none = <T>(value: T | undefined): T | null => value ?? null;
  return {
    conn_id: connId,
    conn_type: connType,
    host: none(host),
    port: none(port),
    schema: none(schema),
    login: none(login),
    password: none(password),
    description: none(description),
    extra: JSON.stringify(extra),
    extra_dejson: extra,
    get_uri: () => formatConnection(connection),
    get_password: () => none(password),
    get_extra_dejson: () => extra,
  };
}
