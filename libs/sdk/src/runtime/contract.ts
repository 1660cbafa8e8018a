import type {
  Assignment,
  AttemptOutcome,
  CallbackAssignment,
  Connection,
  ImportFailure,
  PastAnswers,
  TaskError,
} from '@rondo/domain';
import type { Json, JsonObject } from '@rondo/kernel';
import type { Dag } from '../authoring/dag.ts';
import type { PreviousSuccess } from '../templates/context.ts';
import type { XComSettings } from '../xcoms/store.ts';

/** One attempt to execute: the assignment as a worker receives it. */
export type AttemptInput = Assignment;
/** A callback to run apart from an attempt's body. Without `attempt`: the DAG's callback. */
export type CallbackInput = CallbackAssignment;

/** What user code may ask for while it runs, always by the attempt's own id. */
export interface AttemptServices {
  variable(attemptId: string, key: string): Promise<string | undefined>;
  connection(attemptId: string, connId: string): Promise<Connection | undefined>;
  xcom(attemptId: string, query: XComQuery): Promise<{ readonly value: Json } | undefined>;
  /** Values of one key of the instances of a task of the attempt's own run, in the order of their map indexes; those without one are left out. */
  xcomList(attemptId: string, query: XComListQuery): Promise<XComPage>;
  /** The last run of the DAG, by logical date, before the attempt's own that succeeded. Absent: nobody knows. */
  previousSuccess?(attemptId: string): Promise<PreviousSuccess | undefined>;
  /** Events of assets, the oldest first: the latest `limit` of one asset, or those that the run consumed. Absent: none is known. */
  assetEvents?(attemptId: string, query: AssetEventQuery): Promise<readonly AssetEventInfo[]>;
  /** Stores a value too large for an event; answers its hash. */
  putBlob(attemptId: string, bytes: Uint8Array): Promise<string>;
  getBlob(attemptId: string, hash: string): Promise<Uint8Array | undefined>;
  /** Seals bytes that are kept elsewhere with the key of the attempt's run, and opens such. Absent: no run is sealed. */
  seal?(attemptId: string, bytes: Uint8Array): Promise<Uint8Array>;
  unseal?(attemptId: string, bytes: Uint8Array): Promise<Uint8Array>;
}

export type AssetEventQuery =
  | { readonly kind: 'asset' | 'alias' | 'uri'; readonly name: string; readonly limit: number }
  | { readonly kind: 'triggering' };

export interface AssetEventInfo {
  readonly name: string;
  readonly uri: string;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly extra: Json;
  readonly partitionKey: string | null;
  /** The attempt that updated the asset; null: somebody from outside. */
  readonly source: {
    readonly dagId: string;
    readonly runId: string;
    readonly taskId: string;
    readonly mapIndex: string;
  } | null;
}

export interface XComQuery {
  readonly taskId: string;
  readonly key: string;
  readonly mapIndex?: string;
  readonly dagId?: string;
  readonly runId?: string;
  /** Of that run, else of the last one before it, by logical date, that has one. */
  readonly includePriorDates?: boolean;
}

export interface XComListQuery {
  readonly taskId: string;
  readonly key: string;
  /** Default: of the attempt's own run. */
  readonly dagId?: string;
  readonly runId?: string;
  /** Only instances whose map index begins so: `'2'`, `'2.5'`; `''`: all. */
  readonly under: string;
  readonly offset: number;
  /** 1 to 1000. */
  readonly limit: number;
}

export interface XComPage {
  readonly values: readonly { readonly mapIndex: string; readonly value: Json }[];
  /** Of all pages. */
  readonly total: number;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
/** Takes one entry of the attempt's log; a text with line breaks is one entry. */
export type LogSink = (level: LogLevel, message: string) => void;

/** What the platform's configuration says of attempts. Plain data. */
export interface AttemptSettings {
  /** How XComs are written and read. */
  readonly xcoms?: XComSettings;
  /** False: a run's conf changes no params. Default true. */
  readonly confOverridesParams?: boolean;
}

/** Where user code runs. */
export interface AttemptHost {
  readonly dag: Dag;
  readonly services: AttemptServices;
  /** Aborted when the attempt is cancelled or timed out; user code sees it as `ctx.signal`. */
  readonly signal: AbortSignal;
  readonly log: LogSink;
  /** The environment of user code: `ctx.env`, and what operators start processes with. */
  readonly env: Readonly<Record<string, string>>;
  /** Absolute path of the folder that holds the bundle's files. */
  readonly root: string;
  /** Absolute path of a folder for what is worth keeping between attempts (virtual environments). Default: `rondo-cache` in the system's temporary folder. */
  readonly cacheFolder?: string;
  /** Default: all defaults. */
  readonly settings?: AttemptSettings;
  /** Default false: a connection that is left open would outlive the attempt. */
  readonly keepsConnections?: boolean;
  /** True: there is no platform. Default false. */
  readonly testMode?: boolean;
  /** Hides secrets in error texts and rendered fields. Default: changes nothing. */
  readonly mask?: (text: string) => string;
}

export interface ExecuteAttemptOptions extends AttemptHost {
  readonly input: AttemptInput;
}

export interface AttemptResult {
  readonly outcome: AttemptOutcome;
  /** Template fields after rendering, masked, each text cut at 4,096 characters. */
  readonly rendered?: JsonObject;
  /** What `mapIndexTemplate` came to, masked, cut at 250 characters. */
  readonly mapIndexName?: string;
}

export interface RunCallbackOptions extends AttemptHost {
  readonly input: CallbackInput;
}

export interface CallbackResult {
  /** What the callback threw; already logged. */
  readonly error?: TaskError;
  /** What the functions of `dependsOnPast` answered. */
  readonly past?: PastAnswers;
}

export interface CollectedDags {
  readonly dags: readonly Dag[];
  readonly errors: readonly ImportFailure[];
}
