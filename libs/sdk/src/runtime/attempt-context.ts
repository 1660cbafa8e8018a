import { statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, isAbsolute, join, relative } from 'node:path';
import { format } from 'node:util';
import {
  attemptId,
  branchTargets,
  compileGraph,
  UNMAPPED,
  type AttemptRef,
  type SkipDecision,
  type TaskGraph,
  type TriggerRequest,
} from '@rondo/domain';
import type { Json, JsonObject } from '@rondo/kernel';
import type { Dag } from '../authoring/dag.ts';
import type { FieldFunction } from '../authoring/operator.ts';
import type { Task } from '../authoring/task.ts';
import { callable, renderTemplate, type RenderOptions } from '../templates/index.ts';
import type { AttemptHost, AttemptInput, CallbackInput, LogLevel } from './contract.ts';
import { Lookups, renderFetching } from './lookups.ts';
import { deferral } from './defer.ts';
import { BranchError } from './task-error.ts';
import { xcomAccess } from './pull.ts';
import { byAsset, inletEvents, OutletRecord } from './assets.ts';
import type { FileAccess, TaskContext, TaskLogger } from './task-context.ts';
import { paramsOf, templateNames } from './template-names.ts';
import { Values } from './values.ts';
import { XComs } from './xcoms.ts';

/** What an attempt, or a callback apart from one, keeps while it runs. */
export interface Session {
  readonly host: AttemptHost;
  /** Undefined for a callback of the DAG. Of a mapped task: once it is known, the task of this instance. */
  task: Task | undefined;
  readonly input: AttemptInput | CallbackInput;
  readonly attempt: AttemptRef;
  readonly maxTries: number;
  readonly lookups: Lookups;
  readonly values: Values;
  /** What user code has set for templates that are rendered from here on. */
  readonly names: Record<string, unknown>;
  readonly xcoms: XComs;
  readonly outlets: OutletRecord;
  readonly flow: { decision: SkipDecision | undefined; trigger: TriggerRequest | undefined };
  /** Why a callback runs, for its templates. */
  readonly reason: string | undefined;
}

export function openSession(host: AttemptHost, input: AttemptInput | CallbackInput, task: Task | undefined): Session {
  const nobody =
    'dagId' in input
      ? { dagId: input.dagId, runId: input.runId, taskId: '', mapIndex: UNMAPPED, tryNumber: 0, leg: 0 }
      : undefined;
  const attempt = input.attempt ?? nobody!;
  const lookups = new Lookups(
    host.services,
    input.id,
    host.settings?.xcoms,
    'standIns' in input ? input.standIns : undefined,
    input.run.sealed,
  );
  const inputs = 'inputs' in input ? input.inputs : {};
  return {
    host,
    task,
    input,
    attempt,
    maxTries: 'maxTries' in input ? input.maxTries : (task?.attributes.retries ?? 0) + 1,
    lookups,
    values: new Values({ task, mapIndex: attempt.mapIndex, lookups, inputs }),
    names: {},
    xcoms: new XComs(lookups.store, attempt),
    outlets: new OutletRecord(task?.attributes.outlets ?? []),
    flow: { decision: undefined, trigger: undefined },
    reason: 'reason' in input ? input.reason : undefined,
  };
}

/** The context of user code. Whatever costs something is made when it is first asked for. */
export function taskContext(session: Session): TaskContext {
  const { host, input, attempt, maxTries } = session;
  const { run } = input;
  const { dagId, runId, taskId, mapIndex, tryNumber } = attempt;
  const date = (ms: number): Date => new Date(ms);
  let params: JsonObject | undefined;
  return {
    dag: { dagId, file: host.dag.file },
    get run() {
      return {
        runId,
        runType: run.runType,
        runAfter: date(run.runAfter),
        startedAt: date(run.startedAt),
        triggeredBy: run.triggeredBy,
        partitionKey: run.partitionKey,
      };
    },
    get task() {
      return {
        taskId,
        operator: session.task?.operator ?? '',
        owner: session.task?.attributes.owner ?? '',
        retries: session.task?.attributes.retries ?? 0,
      };
    },
    get ti() {
      return { attemptId: attemptId(attempt), dagId, runId, taskId, mapIndex, tryNumber };
    },
    tryNumber,
    maxTries,
    mapIndex,
    conf: run.conf ?? {},
    get params() {
      return (params ??= paramsOf(session));
    },
    get logicalDate() {
      return run.logicalDate === null ? null : date(run.logicalDate);
    },
    get dataInterval() {
      return run.dataInterval === null ? null : { start: date(run.dataInterval[0]), end: date(run.dataInterval[1]) };
    },
    resources: {
      ...(session.task?.attributes.resources as JsonObject | undefined),
      ...('overrides' in input ? input.overrides?.resources : undefined),
    },
    log: loggerOf(host),
    get signal() {
      return host.signal;
    },
    xcom: xcomAccess(session),
    variables: variableAccess(session),
    connections: connectionAccess(session),
    templates: {
      render: ((template: unknown) => renderWith(session, template)) as TaskContext['templates']['render'],
      set: (name, value) => void (session.names[name] = value),
    },
    get files() {
      return fileAccess(host);
    },
    env: host.env,
    flow: flowControl(session),
    outlets: session.task?.attributes.outlets ?? [],
    inlets: session.task?.attributes.inlets ?? [],
    outletEvents: session.outlets,
    inletEvents: inletEvents((query) => session.lookups.assetEvents(query)),
    triggeringAssetEvents: async () => byAsset(await session.lookups.assetEvents({ kind: 'triggering' })),
    keepsConnections: host.keepsConnections ?? false,
    defer(options) {
      throw deferral(session, options);
    },
  };
}

export function loggerOf({ log }: AttemptHost): TaskLogger {
  const at =
    (level: LogLevel) =>
    (message: unknown, ...more: unknown[]) =>
      log(level, format(message, ...more));
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** The folders of template files: the DAG file's, then templateSearchPath. */
export function searchPath({ dag, root }: AttemptHost): readonly string[] {
  const home = join(root, dirname(dag.file));
  return [home, ...(dag.options.templateSearchPath ?? []).map((folder) => join(home, folder))];
}

/** A field that is a function is called, and what it answers is taken as it is. */
export async function renderWith(
  session: Session,
  value: unknown,
  options: {
    readonly field?: string;
    readonly extensions?: readonly string[];
    readonly native?: boolean;
    /** Names that the template may use, unless they are taken. */
    readonly names?: Readonly<Record<string, unknown>>;
    readonly replace?: (value: unknown) => { readonly value: unknown } | undefined;
  } = {},
): Promise<unknown> {
  const { task, host } = session;
  if (typeof value === 'function') {
    const ctx = taskContext(session);
    return (value as FieldFunction<unknown>)(ctx, ctx.templates);
  }
  const { names, ...how } = options;
  const { renderTemplateAsNativeObj, userDefinedMacros = {}, userDefinedFilters = {} } = host.dag.options;
  const own = callable(userDefinedMacros) as Readonly<Record<string, unknown>>;
  const context = { ...own, ...names, ...templateNames(session), ...session.names };
  return renderFetching(() =>
    renderTemplate(value, context, {
      native: task?.attributes.renderTemplateAsNativeObj ?? renderTemplateAsNativeObj ?? false,
      searchPath: searchPath(host),
      filters: callable(userDefinedFilters) as NonNullable<RenderOptions['filters']>,
      ...how,
    }),
  );
}

function variableAccess({ lookups }: Session): TaskContext['variables'] {
  const get = async (key: string, ...fallback: readonly unknown[]): Promise<unknown> => {
    const value = await lookups.variable(key);
    if (value !== undefined) return value;
    if (fallback.length > 0) return fallback[0];
    throw new Error(`there is no variable '${key}'`);
  };
  return {
    get: get as TaskContext['variables']['get'],
    async getJson(key, ...fallback: readonly (Json | undefined)[]) {
      const text = await lookups.variable(key);
      if (text === undefined && fallback[0] !== undefined) return fallback[0];
      if (text === undefined) throw new Error(`there is no variable '${key}'`);
      try {
        return JSON.parse(text) as Json;
      } catch {
        throw new TypeError(`variable '${key}' is not JSON`);
      }
    },
  };
}

function connectionAccess({ lookups }: Session): TaskContext['connections'] {
  return {
    async get(connId) {
      const connection = await lookups.connection(connId);
      if (connection === undefined) throw new Error(`there is no connection '${connId}'`);
      return connection;
    },
  };
}

function fileAccess(host: AttemptHost): FileAccess {
  const bases = [...searchPath(host), host.root];
  return {
    root: host.root,
    cacheFolder: host.cacheFolder ?? join(tmpdir(), 'rondo-cache'),
    path(name) {
      const candidates = isAbsolute(name) ? [name] : bases.map((base) => join(base, name));
      const found = candidates.find(
        (path) => isInside(host.root, path) && statSync(path, { throwIfNoEntry: false }) !== undefined,
      );
      if (found === undefined)
        throw new Error(
          `'${name}' is not in the bundle of ${host.dag.file}; allowed: a file beside it, in templateSearchPath, or named in the DAG's files`,
        );
      return found;
    },
  };
}

function isInside(root: string, path: string): boolean {
  const way = relative(root, path);
  return way === '' || !(way.startsWith('..') || isAbsolute(way));
}

function flowControl({ host, flow }: Session): TaskContext['flow'] {
  return {
    follow(ids) {
      const targets = branchTargets(graphOf(host.dag), ids);
      if (!targets.ok) throw new BranchError(targets.error);
      flow.decision = { kind: 'branch', follow: targets.value };
    },
    shortCircuit({ ignoreDownstreamTriggerRules = true } = {}) {
      flow.decision = { kind: 'shortCircuit', ignoreDownstreamTriggerRules };
    },
    triggerRun(request) {
      flow.trigger = request;
    },
    get decision() {
      return flow.decision;
    },
    get trigger() {
      return flow.trigger;
    },
  };
}

const graphs = new WeakMap<Dag, TaskGraph>();

function graphOf(dag: Dag): TaskGraph {
  const known = graphs.get(dag);
  if (known !== undefined) return known;
  const nodes = dag.tasks.map((task) => ({
    taskId: task.taskId,
    upstream: [...task.upstream],
    ...(task.group === undefined ? {} : { group: task.group.groupId }),
  }));
  const groups = dag.groups.map((group) => ({
    groupId: group.groupId,
    ...(group.parent === undefined ? {} : { parent: group.parent.groupId }),
  }));
  const graph = compileGraph(nodes, groups);
  if (!graph.ok) throw new Error(graph.error.message);
  graphs.set(dag, graph.value);
  return graph.value;
}
