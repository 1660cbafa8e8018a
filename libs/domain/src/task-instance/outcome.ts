import type { Json } from '@rondo/kernel';
import type { OnTimeout, WaitFor } from './wait.ts';
import type { AssetUpdate } from '../asset/events.ts';
import type { RetryAnswer } from '../retry/rules.ts';

/** What went wrong, as the history keeps it. `message` and `stack` have had secrets masked; together at most 16 KiB. */
export interface TaskError {
  /** `exception`, `timeout`, `exit` (the child ended), `cancelled`, `load` (the DAG file), `lost`, `upstream` … */
  readonly kind:
    | 'exception'
    | 'timeout'
    | 'exit'
    | 'cancelled'
    | 'load'
    | 'template'
    | 'lost'
    | 'branch'
    | 'trigger'
    | 'mapping'
    | 'marked';
  /** The class of the thrown error, e.g. `TypeError`. */
  readonly type?: string;
  /** Names of the classes that it inherits from, and those of its causes; `Error` is left out. */
  readonly types?: readonly string[];
  readonly message: string;
  readonly stack?: string;
  /** Of the child, or of what the thrown error says of a process. */
  readonly exitCode?: number;
  readonly signal?: string;
  /** The last lines that the attempt wrote, for an attempt whose child ended. */
  readonly logTail?: readonly string[];
}

/** A value of an XCom: in line up to 32 KiB of JSON, else by hash in the blob store (I7). */
export type XComValue = { readonly value: Json } | { readonly blob: string; readonly bytes: number };

/** A branch, short-circuit or latest-only decision, remembered with the success that made it. */
export type SkipDecision =
  | { readonly kind: 'branch'; readonly follow: readonly string[] }
  | { readonly kind: 'shortCircuit'; readonly ignoreDownstreamTriggerRules: boolean };

/** A run of another DAG that a task asks for. */
export interface TriggerRequest {
  readonly dagId: string;
  /** Default: made from the attempt, so that a repeat asks for the same run. */
  readonly runId?: string;
  readonly conf?: Json;
  /** Epoch milliseconds. */
  readonly logicalDate?: number;
  /** True: the task succeeds or fails with the run; false: it succeeds once the run exists. */
  readonly wait: boolean;
  readonly allowedStates: readonly ('success' | 'failed')[];
  readonly skipWhenAlreadyExists: boolean;
}

/** What an attempt came to, as its worker reports it. */
export type AttemptOutcome =
  | {
      readonly kind: 'success';
      readonly xcoms?: Readonly<Record<string, XComValue>>;
      readonly skip?: SkipDecision;
      /** Of what something is mapped over: the length by `JSON.stringify` of the path in the return value. */
      readonly lengths?: Readonly<Record<string, number>>;
      /** In the order in which the task named them. */
      readonly assets?: readonly AssetUpdate[];
    }
  | { readonly kind: 'skipped'; readonly reason: string }
  | {
      readonly kind: 'failed';
      readonly error: TaskError;
      /** False: never retried (FailNow). */
      readonly retryable: boolean;
      /** False: the child could not run the task's failure or retry callback (it crashed or was killed). */
      readonly callbacksRan?: boolean;
      /** What the child's own rules of the retry policy say (functions, regular expressions). */
      readonly policy?: RetryAnswer;
      readonly xcoms?: Readonly<Record<string, XComValue>>;
    }
  | {
      readonly kind: 'trigger';
      readonly request: TriggerRequest;
      readonly xcoms?: Readonly<Record<string, XComValue>>;
    }
  /** The task waits, and holds no slot meanwhile. */
  | {
      readonly kind: 'defer';
      readonly wait: Exclude<WaitFor, { kind: 'dagRun' }>;
      /** What the child is called with when the wait is over, as the next leg of the try. Absent: the task has succeeded then. */
      readonly resume?: string;
      /** From the first deferral of the try on; later ones of the same try keep its deadline. Default: none. */
      readonly timeoutMs?: number;
      /** Default `fail`. */
      readonly onTimeout?: OnTimeout;
      /** `skip`: a wait that fails (not the try that it resumes) skips the task. Default `fail`. */
      readonly onFailed?: 'fail' | 'skip';
      readonly xcoms?: Readonly<Record<string, XComValue>>;
    }
  /** The task wants to be run again from its start at a time (epoch milliseconds), as the next leg of the same try. */
  | { readonly kind: 'reschedule'; readonly until: number };
