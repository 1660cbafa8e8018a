import type { Json, JsonObject } from '@rondo/kernel';
import type { ParamDefinition } from '../dag/definition.ts';
import type { TaskError, TriggerRequest, XComValue } from './outcome.ts';
import type { RunState, TaskState } from './state.ts';

/** A run of another DAG that was asked for: until it exists, or has ended. */
export interface DagRunWait {
  readonly kind: 'dagRun';
  readonly request: TriggerRequest & { readonly runId: string };
}

/** The task's own poke function, called again and again in the worker's triggerer. */
export interface PollWait {
  readonly kind: 'poll';
  readonly everyMs: number;
  /** The interval grows from poll to poll. */
  readonly backoff?: true;
  readonly maxEveryMs?: number;
  readonly args?: Json;
}

/** A trigger by its name, run in the worker's triggerer until it answers. */
export interface TriggerWait {
  readonly kind: 'trigger';
  readonly trigger: string;
  readonly args: Json;
}

export interface TimeWait {
  readonly kind: 'time';
  /** Epoch milliseconds. */
  readonly until: number;
}

/** An event from outside (CloudEvents). */
export interface EventWait {
  readonly kind: 'event';
  readonly eventType: string;
  readonly source?: string;
  readonly subject?: string;
  /** See `EventFilter`. */
  readonly filter?: Json;
  /** Epoch milliseconds: an event received from then on counts, though it came before the wait began. */
  readonly lookBackFrom: number;
  /** How many events the wait wants. Default 1. */
  readonly count?: number;
}

/** A run of another DAG, or tasks of it, that nobody here has asked for. Default of each list of states: none. */
export interface RunWait {
  readonly kind: 'run';
  readonly dagId: string;
  /** Which run: by its id, or by its logical date (epoch milliseconds). */
  readonly runId?: string;
  readonly logicalDate?: number;
  /** Every instance of these tasks, and of the tasks of these groups. Neither: the run as a whole. */
  readonly taskIds?: readonly string[];
  readonly groupIds?: readonly string[];
  readonly allowedStates: readonly (TaskState | RunState)[];
  readonly failedStates: readonly (TaskState | RunState)[];
  readonly skippedStates?: readonly (TaskState | RunState)[];
  /** Fail at once when the DAG, or the task or group in it, does not exist. Default: wait for it. */
  readonly checkExistence?: true;
}

/** An update of an asset, by its name or its URI. */
export interface AssetWait {
  readonly kind: 'asset';
  readonly name?: string;
  readonly uri?: string;
  /** Epoch milliseconds. */
  readonly lookBackFrom: number;
}

/** An answer of a person. */
export interface ApprovalWait {
  readonly kind: 'approval';
  readonly subject: string;
  /** Markdown. */
  readonly body?: string;
  readonly options: readonly string[];
  /** More than one option may be chosen. */
  readonly multiple: boolean;
  /** Chosen at the timeout. Default: the task fails then. */
  readonly defaults?: readonly string[];
  /** A form to be filled in with the answer. */
  readonly params?: Readonly<Record<string, ParamDefinition>>;
  /** Names of the users who may answer. Default: everybody. */
  readonly assignees?: readonly string[];
}

/** What a deferred task waits for. */
export type WaitFor = DagRunWait | PollWait | TriggerWait | TimeWait | EventWait | RunWait | AssetWait | ApprovalWait;

/** When a wait is to be looked at though nobody answers it; epoch milliseconds. */
export function dueOf(wait: WaitFor, deadline: number | undefined): number | undefined {
  if (wait.kind !== 'time') return deadline;
  return deadline === undefined ? wait.until : Math.min(wait.until, deadline);
}

/** Answered by a worker's triggerer. All others are answered from the history and the clock. */
export type WatchWait = PollWait | TriggerWait;

export function isWatch(wait: WaitFor): wait is WatchWait {
  return wait.kind === 'poll' || wait.kind === 'trigger';
}

/** What became of a wait. */
export type WaitAnswer =
  | {
      readonly kind: 'met';
      readonly payload?: XComValue;
      /** Stored when the task has succeeded with this answer. */
      readonly xcoms?: Readonly<Record<string, XComValue>>;
      /** The task has succeeded, although it was to be resumed. */
      readonly ends?: true;
      /** Position of the event that ended the wait (I6). */
      readonly consumed?: number;
    }
  | {
      readonly kind: 'failed';
      readonly error: TaskError;
      /** False: never retried. */
      readonly retryable: boolean;
    }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'skipped'; readonly reason: string };

/** What a deferral's deadline does: `fail` without a retry (a sensor), `retry` as any error (a deferral), or `skip`. */
export type OnTimeout = 'fail' | 'retry' | 'skip';

/** What a child is called with when its wait is over. */
export interface Resume {
  readonly method: string;
  readonly payload?: XComValue;
}

/** What the person who answered chose; the payload of an `approval` wait. */
export interface ApprovalResponse {
  readonly chosenOptions: readonly string[];
  readonly params: JsonObject;
  /** Null: the defaults, at the timeout. */
  readonly respondedBy: string | null;
  /** Epoch milliseconds. */
  readonly respondedAt: number;
  readonly timedOut: boolean;
}
