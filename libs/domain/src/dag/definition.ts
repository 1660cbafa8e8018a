import type { Json, JsonObject } from '@rondo/kernel';
import type { AssetLeaf } from '../asset/index.ts';
import type { RetryRule } from '../retry/rules.ts';
import type { TimetableSpec } from '../schedule/index.ts';
import type { TriggerRule, WeightRule } from '../task-instance/index.ts';

/** The serialised form of a DAG: what a parse returns, what a version is, what the API serves. Plain JSON. */
export interface DagDefinition {
  readonly dagId: string;
  readonly description?: string;
  readonly docMd?: string;
  /** The DAG file, relative to the DAG folder, with `/`. */
  readonly file: string;
  readonly timetable: TimetableSpec;
  /** IANA name. Default `UTC`. */
  readonly timezone: string;
  /** Epoch milliseconds, both bounds inclusive. */
  readonly startDate?: number;
  readonly endDate?: number;
  readonly catchup: boolean;
  readonly tags: readonly string[];
  readonly maxActiveRuns: number;
  /** Of one run: queued and running together. */
  readonly maxActiveTasks: number;
  /** Of all its runs: queued and running together. Absent: no limit. */
  readonly maxActiveTasksPerDag?: number;
  /** Larger first, before the weights of tasks. Default 0. */
  readonly priority?: number;
  readonly dagrunTimeoutMs?: number;
  /** A run that has failed is tried again so often before it counts as failed. Default 0. */
  readonly runRetries?: number;
  readonly runRetryDelayMs?: number;
  /** `all`: everything is cleared. Default: what failed, and what comes after it. */
  readonly runRetryMode?: 'all';
  readonly failFast: boolean;
  /** What people have put into its runs is sealed, each run with a key of its own (I14). */
  readonly sealed?: true;
  readonly isPausedUponCreation: boolean;
  readonly maxConsecutiveFailedDagRuns: number;
  readonly renderTemplateAsNativeObj: boolean;
  readonly templateSearchPath: readonly string[];
  readonly params: Readonly<Record<string, ParamDefinition>>;
  readonly callbacks: readonly ('onSuccess' | 'onFailure')[];
  /** In the order of declaration; an index into it is a task's index. */
  readonly tasks: readonly TaskDefinition[];
  readonly groups: readonly GroupDefinition[];
}

export interface ParamDefinition {
  readonly default?: Json;
  /** JSON schema of the value. */
  readonly schema: JsonObject;
  readonly description?: string;
}

/** How long a list or object is that is mapped over, told from what the history says of the tasks that make it. */
export type LengthExpr =
  | { readonly kind: 'literal'; readonly length: number }
  /** What is found along the path in a task's return value; of a task with several instances: how many have returned one. */
  | { readonly kind: 'output'; readonly taskId: string; readonly path: readonly (string | number)[] }
  /** The shortest of them; `longest`: the longest. */
  | { readonly kind: 'zip'; readonly of: readonly LengthExpr[]; readonly longest?: true }
  | { readonly kind: 'concat'; readonly of: readonly LengthExpr[] };

/**
 * What a task or a group is mapped over. `product`: an instance for each combination, the last argument varying fastest;
 * `kwargs`: an instance for each element of the one list.
 */
export interface Expansion {
  readonly kind: 'product' | 'kwargs';
  /** In the order of declaration; of `kwargs` exactly one, without a name. */
  readonly over: readonly { readonly name: string; readonly length: LengthExpr }[];
}

export interface GroupDefinition {
  readonly groupId: string;
  readonly parent?: string;
  readonly tooltip?: string;
  readonly displayName?: string;
  /** The group as a whole is tried again so often when one of its tasks has failed for good. Default 0. */
  readonly retries?: number;
  readonly retryDelayMs?: number;
  /** Task or group id: runs when the group has failed, and stands for it when it succeeds. */
  readonly fallback?: string;
  readonly expand?: Expansion;
  /** Template of the name of an instance, for tasks inside that have none of their own. */
  readonly mapIndexTemplate?: string;
}

export interface TaskDefinition {
  readonly taskId: string;
  /** The operator's class name, shown to people. */
  readonly operator: string;
  /** `child`: user code in a worker's child. `empty`, `latest_only`: decided without a child. */
  readonly runs: 'child' | 'empty' | 'latest_only';
  /** Direct upstream task ids. */
  readonly upstream: readonly string[];
  readonly group?: string;
  readonly expand?: Expansion;
  /** Template of the name that people see beside an instance's map index. */
  readonly mapIndexTemplate?: string;
  /** The dates of which runs have the task, both inclusive; runs of a backfill have it always. */
  readonly startDate?: number;
  readonly endDate?: number;
  readonly triggerRule: TriggerRule;
  readonly setup?: boolean;
  readonly teardown?: boolean;
  readonly onFailureFailDagrun?: boolean;
  readonly owner: string;
  /** A task has at most `retries + 1` tries. */
  readonly retries: number;
  readonly retryDelayMs: number;
  /** Task or group id: runs when the task has failed, and stands for it when it succeeds. */
  readonly fallback?: string;
  /** 0 or 1: constant delay. */
  readonly retryExponentialBackoff: number;
  readonly maxRetryDelayMs?: number;
  /** In order: the first rule that fits an error decides. */
  readonly retryPolicy?: readonly RetryRule[];
  /** What the task's work may take, for it to read; a rule of the retry policy may give more. */
  readonly resources?: JsonObject;
  readonly executionTimeoutMs?: number;
  /** I3: an attempt goes on when its worker hears of no gateway for the lease. Absent: it is ended before another begins. */
  readonly onLostContact?: 'continue';
  /** I19: how many lost attempts before the task fails. */
  readonly maxLostAttempts: number;
  readonly dependsOnPast: boolean;
  /** A function of the run says whether it depends on its past: asked once when the run starts, in a child. */
  readonly pastCondition?: true;
  readonly waitForDownstream: boolean;
  /** `skip`: skipped when the previous instance did not succeed and its run is closed. Default `wait`. */
  readonly pastFailure?: 'wait' | 'skip';
  /** Default true: the first run that has the task waits for nothing. */
  readonly ignoreFirstDependsOnPast?: boolean;
  /** Default false: a skip is written whatever the past came to. */
  readonly waitForPastDependsBeforeSkipping?: boolean;
  readonly email: readonly string[];
  readonly emailOnFailure: boolean;
  readonly emailOnRetry: boolean;
  readonly pool: string;
  readonly poolSlots: number;
  /** Instances of the task that are queued or running at once, over all runs. Absent: no limit. */
  readonly maxActiveTisPerDag?: number;
  /** The same in one run. */
  readonly maxActiveTisPerDagrun?: number;
  readonly priorityWeight: number;
  readonly weightRule: WeightRule;
  readonly queue: string;
  readonly executor?: string;
  /** For the executor alone to read. */
  readonly executorConfig?: JsonObject;
  readonly params?: Readonly<Record<string, ParamDefinition>>;
  readonly docMd?: string;
  readonly callbacks: readonly TaskCallback[];
  /** Task ids whose `return_value` the attempt takes as typed inputs: sent along with the assignment. */
  readonly inputs: readonly string[];
  readonly templateFields: readonly string[];
  /** What the task updates when it succeeds, and what it reads. */
  readonly outlets?: readonly OutletDefinition[];
  readonly inlets?: readonly OutletDefinition[];
  /** The operator's arguments as far as they are JSON, for people to read; functions appear as `"<function>"`. */
  readonly args: JsonObject;
  /** 1-based line of the task's construction in `file`, where known. */
  readonly line?: number;
}

/** `extra`: what is to be known about the asset. */
export type OutletDefinition = AssetLeaf & { readonly extra?: Json };

export type TaskCallback = 'onExecute' | 'onSuccess' | 'onFailure' | 'onRetry' | 'onSkipped';

/** Where an attempt finds its code: a content-addressed bundle and the DAG file in it. */
export interface BundleRef {
  /** Lower-case hex SHA-256 of the bundle's manifest. */
  readonly hash: string;
  readonly file: string;
}

/** What a published version of a DAG is made of. Stored by hash; a run names the hash. */
export interface DagVersion {
  readonly definition: DagDefinition;
  readonly bundle: BundleRef;
}

export const DAG_DEFAULTS = { maxActiveRuns: 16, maxActiveTasks: 16 } as const;
export const TASK_DEFAULTS = {
  retryDelayMs: 300_000,
  maxLostAttempts: 3,
  pool: 'default_pool',
  queue: 'default',
  owner: 'rondo',
} as const;
