import type {
  Connection,
  MapIndex,
  OnTimeout,
  RunType,
  SkipDecision,
  TaskError,
  TriggerRequest,
  WaitFor,
} from '@rondo/domain';
import type { Duration, Json, JsonObject } from '@rondo/kernel';
import type { Asset, AssetAlias, AssetCondition, Outlet } from '../authoring/asset.ts';
import type { MappedTask } from '../authoring/mapping/mapped-task.ts';
import type { Source } from '../authoring/source.ts';
import type { Trigger } from '../authoring/trigger.ts';
import type { AssetEventInfo, LogLevel } from './contract.ts';

/** What a task's body gets: who it is, what it may look up, and how it speaks. */
export interface TaskContext {
  readonly dag: { readonly dagId: string; readonly file: string };
  readonly run: RunInfo;
  readonly task: {
    readonly taskId: string;
    readonly operator: string;
    readonly owner: string;
    readonly retries: number;
  };
  readonly ti: InstanceInfo;
  /** From 1. */
  readonly tryNumber: number;
  readonly maxTries: number;
  /** `[]` for a task that is not mapped. */
  readonly mapIndex: MapIndex;
  /** What the run was triggered with. Default `{}`. */
  readonly conf: Json;
  /** Params of DAG and task, overridden by the run's conf, checked by their schemas. */
  readonly params: JsonObject;
  /** Null for a run that stands for no date. */
  readonly logicalDate: Date | null;
  readonly dataInterval: { readonly start: Date; readonly end: Date } | null;
  /** The task's resources, and what its retry policy gives this try instead. Default `{}`. */
  readonly resources: JsonObject;
  readonly log: TaskLogger;
  /** Aborted when the attempt is cancelled or has run too long. */
  readonly signal: AbortSignal;
  readonly xcom: XComAccess;
  readonly variables: VariableAccess;
  readonly connections: ConnectionAccess;
  readonly templates: TemplateAccess;
  readonly files: FileAccess;
  /** The environment of user code. */
  readonly env: Readonly<Record<string, string>>;
  readonly flow: FlowControl;
  /** What the task updates and reads, as its attributes say. */
  readonly outlets: readonly Outlet[];
  readonly inlets: readonly AssetCondition[];
  /** What is to be known about the updates of this attempt. */
  readonly outletEvents: OutletEvents;
  /** Past events of assets. */
  readonly inletEvents: InletEvents;
  /** The events that the run consumed, by the name of their asset, the oldest first; none for a run of another type. */
  triggeringAssetEvents(): Promise<Readonly<Record<string, readonly AssetEvent[]>>>;
  /** True where polls and triggers run, in a process that lives on: a connection that is kept open is used again. */
  readonly keepsConnections: boolean;
  /**
   * Ends this leg of the try: the task waits without a worker's slot. It throws, so nothing after it runs; `return` or `throw`
   * before it say so to a reader. XComs that were pushed are stored.
   */
  defer(options: DeferOptions): never;
}

/** What the platform itself can wait for. */
export type Wait = Exclude<WaitFor, { readonly kind: 'poll' | 'trigger' | 'dagRun' }>;

export interface DeferOptions {
  /** One of the operator's kinds of trigger (its `triggers`). This or `wait`. */
  readonly trigger?: Trigger;
  /** Something that the platform answers without a process: a time, an event, a run, an asset, an approval. */
  readonly wait?: Wait;
  /** The method of the operator that goes on, `(ctx, args, payload)`, in a child of its own. Default: the task succeeds, with the payload as its return value. */
  readonly resume?: string;
  /** From the first deferral of the try on. Default: no limit. */
  readonly timeout?: Duration;
  /** `retry` (default): as any error; `fail`: without another try; `skip`. */
  readonly onTimeout?: OnTimeout;
  /** `skip`: a wait that fails skips the task. Default `fail`. */
  readonly onFailed?: 'fail' | 'skip';
}

export interface OutletEvents {
  /** Of an outlet, or of the outlet of that name. */
  get(outlet: Asset | AssetAlias | string): OutletEvent;
}

export interface OutletEvent {
  /** JSON. */
  extra: Record<string, unknown>;
  /** The part of the asset that is new. Default: that of the run. */
  partitionKey: string | undefined;
  /** An update of an asset through an alias among the outlets. */
  add(asset: Asset, options?: AssetUpdateOptions): void;
}

export interface AssetUpdateOptions {
  /** JSON. Default: the alias's. */
  readonly extra?: unknown;
  readonly partitionKey?: string;
}

export interface InletEvents {
  /** The latest events of an asset, an alias or a URI, the oldest first. `limit`: 1 to 1000, default 100. */
  get(inlet: AssetCondition | string, options?: { readonly limit?: number }): Promise<readonly AssetEvent[]>;
}

/** An update of an asset. */
export interface AssetEvent extends Omit<AssetEventInfo, 'at'> {
  readonly timestamp: Date;
}

export interface RunInfo {
  readonly runId: string;
  readonly runType: RunType;
  readonly runAfter: Date;
  readonly startedAt: Date;
  readonly triggeredBy: string;
  /** The part of its assets that the run is about. */
  readonly partitionKey: string | undefined;
}

export interface InstanceInfo {
  /** Unique to this attempt: a good idempotency key. */
  readonly attemptId: string;
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  readonly mapIndex: MapIndex;
  readonly tryNumber: number;
}

export type TaskLogger = { readonly [level in LogLevel]: (message: unknown, ...more: unknown[]) => void };

export interface PullOptions {
  /** Default `return_value`. */
  readonly key?: string;
  /** `3`, `[2, 5]` or `'2.5'`. Default: the instance that this one sees; of several the list of their values, in order. */
  readonly mapIndex?: string | number | MapIndex;
  /** Several map indexes: the list of their values. */
  readonly mapIndexes?: readonly (string | number | MapIndex)[];
  /** Another DAG's run of that id, or another run. Default: the attempt's own. */
  readonly dagId?: string;
  readonly runId?: string;
  /** Where the run has none: the value of the last run before it, by logical date, that has one. Default false. */
  readonly includePriorDates?: boolean;
}

export interface XComAccess {
  /** What a task returned or pushed; undefined if it did neither. */
  pull<E>(
    task: MappedTask<E>,
    options: PullOptions & { readonly mapIndex: PullOptions['mapIndex'] },
  ): Promise<E | undefined>;
  pull<T>(task: Source<T>, options?: PullOptions): Promise<T | undefined>;
  pull(taskId?: string, options?: PullOptions): Promise<unknown>;
  /** Of several tasks, in their order; the values of a mapped one each. */
  pull(tasks: readonly (string | Source<unknown>)[], options?: PullOptions): Promise<unknown[]>;
  /** Stored with the attempt's outcome, failed or not. Throws for what is no XCom, or too large. */
  push(key: string, value: unknown): void;
}

export interface VariableAccess {
  /** Throws for a variable that does not exist unless there is a fallback. */
  get(key: string): Promise<string>;
  get<D>(key: string, fallback: D): Promise<string | D>;
  getJson(key: string, fallback?: Json): Promise<Json>;
}

export interface ConnectionAccess {
  /** Throws for a connection that does not exist. */
  get(connId: string): Promise<Connection>;
}

export interface TemplateAccess {
  /** Renders a text, or every text in a value, with the attempt's template context. */
  render(template: string): Promise<string>;
  render(template: unknown): Promise<unknown>;
  /** Gives templates that are rendered later in this attempt, such as `mapIndexTemplate`, a name. */
  set(name: string, value: unknown): void;
}

export interface FileAccess {
  /** Absolute path of the bundle. */
  readonly root: string;
  /** A file of the bundle: relative to the DAG file's folder, then to templateSearchPath, then to the bundle. Throws if there is none. */
  path(name: string): string;
  /** A folder that outlives the attempt, of this machine. */
  readonly cacheFolder: string;
}

/** What a success may decide for the tasks after it. */
export interface FlowControl {
  /** Skips the direct downstream that is neither named (task or group ids) nor after one that is. */
  follow(ids: string | readonly string[] | null | undefined): void;
  /** Skips what is downstream. `ignoreDownstreamTriggerRules` (default true): all of it; false: the direct downstream. */
  shortCircuit(options?: { readonly ignoreDownstreamTriggerRules?: boolean }): void;
  /** Asks for a run of another DAG; the task ends as the request says. */
  triggerRun(request: TriggerRequest): void;
  readonly decision: SkipDecision | undefined;
  readonly trigger: TriggerRequest | undefined;
}

/** What a callback gets. A DAG's callback has no attempt of its own: its task is `''` and it can push nothing. */
export interface CallbackContext extends TaskContext {
  readonly callback: 'onExecute' | 'onSuccess' | 'onFailure' | 'onRetry' | 'onSkipped';
  /** Why: the error's text, the reason of a skip, what ended the run. */
  readonly reason: string;
  readonly error?: TaskError;
}
