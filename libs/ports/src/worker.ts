import type {
  Assignment,
  AttemptOutcome,
  CallbackAssignment,
  Connection,
  DagDefinition,
  ImportFailure,
  Interval,
  PastAnswers,
  RunsQuery,
  TaskError,
  Told,
  WaitAnswer,
  WatchAssignment,
} from '@rondo/domain';
import type { AssetEventRow } from './asset-rows.ts';
import type { Json, JsonObject } from '@rondo/kernel';

export type { Assignment, AttemptRunContext, CallbackAssignment, WatchAssignment } from '@rondo/domain';

export interface ParseRequest {
  readonly id: string;
  /** Absolute path of the DAG folder; and the file, relative to it. */
  readonly root: string;
  readonly file: string;
  /** Hash of a bundle that holds the folder's files: `root` is where the worker has unpacked it, whatever was asked. */
  readonly bundle?: string;
  /** The file is loaded to ask the timetable of a DAG, which is code of its own, for its next runs. */
  readonly timetable?: { readonly dagId: string; readonly query: RunsQuery };
}

export interface ParseResult {
  readonly id: string;
  readonly file: string;
  readonly dags: readonly DagDefinition[];
  /** Files of the folder (relative, with `/`) that make up the bundle: the DAG file, its imports, the files it names. */
  readonly bundleFiles: readonly string[];
  readonly errors: readonly ImportFailure[];
  /** What the timetable told. */
  readonly told?: Told;
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
      /** What names the instance beside its map index. */
      readonly mapIndexName?: string;
    }
  /** The worker gave the attempt up without an outcome: its process ended, or the lease did (I19). */
  | { readonly kind: 'lost'; readonly id: string; readonly at: number; readonly reason: string }
  | {
      readonly kind: 'callback';
      readonly id: string;
      readonly at: number;
      readonly error?: TaskError;
      /** What the functions of `dependsOnPast` answered. */
      readonly past?: PastAnswers;
    }
  /** A watch is over. Said once: whoever still wants it states it again. */
  | { readonly kind: 'waited'; readonly id: string; readonly at: number; readonly answer: WaitAnswer };

/** Among a worker's queues: it serves every queue. */
export const ALL_QUEUES = '*';

export interface WorkerHello {
  readonly worker: string;
  /** Attempts that may run at once. */
  readonly slots: number;
  /** Queues that it serves; `ALL_QUEUES`: every one. */
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

export type AssetEventQuery =
  | { readonly kind: 'asset' | 'alias' | 'uri'; readonly name: string; readonly limit: number }
  | { readonly kind: 'triggering' };

/** Services that an attempt may call while it runs, by its own id: nothing else is reachable from it (I15). */
export interface AttemptServices {
  variable(attemptId: string, key: string): Promise<string | undefined>;
  connection(attemptId: string, connId: string): Promise<Connection | undefined>;
  /** An XCom of the attempt's own run, or of another DAG's run when `dagId` and `runId` are given. */
  xcom(
    attemptId: string,
    query: {
      readonly taskId: string;
      readonly key: string;
      readonly mapIndex?: string;
      readonly dagId?: string;
      readonly runId?: string;
      /** Of that run, else of the last one before it, by logical date, that has one. */
      readonly includePriorDates?: boolean;
    },
  ): Promise<{ readonly value: Json } | undefined>;
  /**
   * Values of one key of the instances of a task of the attempt's own run, in the order of their map indexes; instances
   * without one are left out.
   */
  xcomList(attemptId: string, query: XComListQuery): Promise<XComPage>;
  /** The last run of the DAG, by logical date, before the attempt's own that succeeded. Times in epoch milliseconds. */
  previousSuccess?(attemptId: string): Promise<PreviousSuccess | undefined>;
  /** Events of assets, the oldest first: the latest of one asset, or those that the run consumed. */
  assetEvents?(attemptId: string, query: AssetEventQuery): Promise<readonly AssetEventRow[]>;
  /** Stores a value too large for an event; answers its hash. */
  putBlob(attemptId: string, bytes: Uint8Array): Promise<string>;
  getBlob(attemptId: string, hash: string): Promise<Uint8Array | undefined>;
  /** The same with bytes that are kept elsewhere: sealed with the key of the attempt's run, and opened again (I14). */
  seal?(attemptId: string, bytes: Uint8Array): Promise<Uint8Array>;
  unseal?(attemptId: string, bytes: Uint8Array): Promise<Uint8Array>;
}

export interface PreviousSuccess {
  readonly dataInterval: Interval | null;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
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

/** The gateway's side of a session. */
export interface WorkerEvents {
  onHello(hello: WorkerHello): void;
  onReports(reports: readonly WorkerReport[]): void;
}

/** How long attempts may run without word from the gateway that handed them (I3). */
export interface LeaseTerm {
  readonly lease: string;
  /** `monotonicMs` of the machine. */
  readonly until: number;
}

/**
 * A session with one worker. Embedded: a thread of the same process; distributed: one gRPC stream. Assignments beyond the
 * free slots wait inside the worker in order, and can be taken back.
 */
export interface WorkerSession {
  start(events: WorkerEvents): Promise<void>;
  /** `lease`: under which they run, renewed before. Absent: none, as where worker and gateway are one process. */
  assign(assignments: readonly Assignment[], lease?: string): void;
  /** I3: when it is over nothing begins under a lease, and what runs under it is killed if it has not been ended before. */
  renew?(leases: readonly LeaseTerm[]): void;
  /** These attempts run under another lease from here on. */
  relet?(ids: readonly string[], lease: string): void;
  /** Waits that the worker's triggerer answers, beside its slots. One that it knows is dropped (I1). */
  watch(watches: readonly WatchAssignment[]): void;
  /** Ends watches without an answer. */
  unwatch(ids: readonly string[]): void;
  runCallbacks(callbacks: readonly CallbackAssignment[]): void;
  /**
   * Ends attempts: the body's AbortSignal, then SIGTERM, then SIGKILL to its process group. One that has not begun is dropped.
   * Reported as cancelled unless they are to be lost: then a retry follows (I19).
   */
  cancel(ids: readonly string[], reason: string, as?: 'cancelled' | 'lost'): void;
  /** The results of these attempts are durable in the history: the outbox may forget them. */
  acknowledge(ids: readonly string[]): void;
  parse(request: ParseRequest): Promise<ParseResult>;
  /** Ends children and waits; running attempts are cancelled after `graceMs` and become lost. */
  stop(graceMs: number): Promise<void>;
}
