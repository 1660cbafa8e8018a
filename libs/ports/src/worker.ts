import type { AttemptOutcome, AttemptRef, BundleRef, Connection, DagDefinition, ImportFailure, Interval, RunType, TaskError } from '@rondo/domain';
import type { Json, JsonObject } from '@rondo/kernel';
import type { Position } from './event-store.ts';

/** The facts of its run that an attempt may see. */
export interface AttemptRunContext {
  readonly runType: RunType;
  readonly logicalDate: number | null;
  readonly dataInterval: Interval | null;
  readonly runAfter: number;
  readonly startedAt: number;
  readonly conf: Json;
  readonly triggeredBy: string;
}

/** One attempt for a worker to run, with everything that it needs to begin at once. */
export interface Assignment {
  readonly id: string;
  readonly attempt: AttemptRef;
  readonly bundle: BundleRef;
  readonly run: AttemptRunContext;
  /** Tries that the task may have in all: `retries + 1`, more after a clear. */
  readonly maxTries: number;
  readonly executionTimeoutMs?: number;
  /** `return_value` of the tasks that the task takes as inputs; key `taskId`. A large one is `{ blob }`. */
  readonly inputs: Readonly<Record<string, { readonly value: Json } | { readonly blob: string }>>;
  /** The history up to here holds every XCom that the attempt may look up. */
  readonly position: Position;
  readonly traceparent: string;
}

/** A callback of a task or a DAG that must run although its attempt's child is gone, or after the run's end. */
export interface CallbackAssignment {
  readonly id: string;
  readonly bundle: BundleRef;
  readonly dagId: string;
  readonly runId: string;
  readonly callback: 'onFailure' | 'onRetry' | 'onSuccess';
  /** Absent: the DAG's callback. */
  readonly attempt?: AttemptRef;
  readonly reason: string;
  readonly error?: TaskError;
  readonly run: AttemptRunContext;
  readonly position: Position;
}

export interface ParseRequest {
  readonly id: string;
  /** Absolute path of the DAG folder; and the file, relative to it. */
  readonly root: string;
  readonly file: string;
}

export interface ParseResult {
  readonly id: string;
  readonly file: string;
  readonly dags: readonly DagDefinition[];
  /** Files of the folder (relative, with `/`) that make up the bundle: the DAG file, its imports, the files it names. */
  readonly bundleFiles: readonly string[];
  readonly errors: readonly ImportFailure[];
  /** The first lines that the file printed, at most 100. */
  readonly output: readonly string[];
}

/** What a worker says. `at` values are epoch milliseconds on the worker's clock. */
export type WorkerReport =
  | { readonly kind: 'started'; readonly id: string; readonly at: number; readonly pid: number }
  | {
      readonly kind: 'finished';
      readonly id: string;
      readonly startedAt: number;
      readonly at: number;
      readonly pid: number;
      readonly outcome: AttemptOutcome;
      /** Template fields after rendering, cut at 4,096 characters each, masked. */
      readonly rendered?: JsonObject;
    }
  /** The worker gave the attempt up without an outcome: its process ended, or the lease did (I19). */
  | { readonly kind: 'lost'; readonly id: string; readonly at: number; readonly reason: string }
  | { readonly kind: 'callback'; readonly id: string; readonly at: number; readonly error?: TaskError };

export interface WorkerHello {
  readonly worker: string;
  /** Attempts that may run at once. */
  readonly slots: number;
  readonly queues: readonly string[];
  /** Attempts that this worker is running now. */
  readonly running: readonly string[];
  /** Attempts that an earlier process of this worker had begun and that ended with it: lost. */
  readonly interrupted: readonly string[];
  /**
   * True: the worker's journal is whole, so an attempt that is neither `running` nor `interrupted` nor reported finished was
   * never begun. False (first start after a machine failure): anything that was handed to it may have been begun.
   */
  readonly journalIntact: boolean;
}

/** Services that an attempt may call while it runs, by its own id: nothing else is reachable from it (I15). */
export interface AttemptServices {
  variable(attemptId: string, key: string): Promise<string | undefined>;
  connection(attemptId: string, connId: string): Promise<Connection | undefined>;
  /** An XCom of the attempt's own run, or of another DAG's run when `dagId` and `runId` are given. */
  xcom(attemptId: string, query: { readonly taskId: string; readonly key: string; readonly mapIndex?: string; readonly dagId?: string; readonly runId?: string }): Promise<{ readonly value: Json } | undefined>;
  /** Stores a value too large for an event; answers its hash. */
  putBlob(attemptId: string, bytes: Uint8Array): Promise<string>;
  getBlob(attemptId: string, hash: string): Promise<Uint8Array | undefined>;
}

/** The gateway's side of a session. */
export interface WorkerEvents {
  onHello(hello: WorkerHello): void;
  onReports(reports: readonly WorkerReport[]): void;
}

/**
 * A session with one worker. Embedded: a thread of the same process; distributed: one gRPC stream. Assignments beyond the
 * free slots wait inside the worker in order, and can be taken back.
 */
export interface WorkerSession {
  start(events: WorkerEvents): Promise<void>;
  assign(assignments: readonly Assignment[]): void;
  runCallbacks(callbacks: readonly CallbackAssignment[]): void;
  /** Ends attempts: the body's AbortSignal, then SIGTERM, then SIGKILL to its process group. One that has not begun is dropped. */
  cancel(ids: readonly string[], reason: string): void;
  /** The results of these attempts are durable in the history: the outbox may forget them. */
  acknowledge(ids: readonly string[]): void;
  parse(request: ParseRequest): Promise<ParseResult>;
  /** Ends children and waits; running attempts are cancelled after `graceMs` and become lost. */
  stop(graceMs: number): Promise<void>;
}
