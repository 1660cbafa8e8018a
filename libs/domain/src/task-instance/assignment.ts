import type { Json, JsonObject } from '@rondo/kernel';
import type { BundleRef } from '../dag/definition.ts';
import type { Interval, RunType } from '../dag/events.ts';
import type { AttemptOverrides } from '../retry/rules.ts';
import type { AttemptRef, MapIndex } from './attempt.ts';
import type { TaskError } from './outcome.ts';
import type { Resume, WatchWait } from './wait.ts';

/** The facts of its run that an attempt may see. */
export interface AttemptRunContext {
  readonly runType: RunType;
  readonly logicalDate: number | null;
  readonly dataInterval: Interval | null;
  readonly runAfter: number;
  readonly startedAt: number;
  readonly conf: Json;
  readonly triggeredBy: string;
  readonly partitionKey?: string;
  /** What its attempts store outside of the history is sealed first (I14). */
  readonly sealed?: true;
}

export type InputValue = { readonly value: Json } | { readonly blob: string } | { readonly mapped: MapIndex };

/** One attempt for a worker to run, with everything that it needs to begin at once. */
export interface Assignment {
  readonly id: string;
  readonly attempt: AttemptRef;
  readonly bundle: BundleRef;
  readonly run: AttemptRunContext;
  /** Tries that the task may have in all: `retries + 1`, more after a clear. */
  readonly maxTries: number;
  readonly executionTimeoutMs?: number;
  /** I3: it goes on when its worker hears of no gateway for the lease. Absent: it is ended. */
  readonly onLostContact?: 'continue';
  /** What a rule of the retry policy gives this try instead of what the task has. */
  readonly overrides?: AttemptOverrides;
  /** What its executor may give it: the task's resources, with those of the retry policy over them. Absent: the executor's own. */
  readonly resources?: JsonObject;
  /** The task's word to its executor. */
  readonly executorConfig?: JsonObject;
  /** Tries that each rule of the retry policy has granted, by its index. */
  readonly ruleUses?: readonly (readonly [rule: number, uses: number])[];
  /**
   * `return_value` of the tasks that the task takes as inputs; key `taskId`. A large one is `{ blob }`; `{ mapped }`: those of
   * all instances under that path, to be asked for.
   */
  readonly inputs: Readonly<Record<string, InputValue>>;
  /** Tasks that have failed and for which another stands: whose values it gets instead. */
  readonly standIns?: Readonly<Record<string, string>>;
  /** The history up to here holds every XCom that the attempt may look up. */
  readonly position: number;
  readonly traceparent: string;
  /** How often this try has been rescheduled. Default 0. */
  readonly reschedules?: number;
  /** How many instances its task has. Absent: it is not mapped. */
  readonly instances?: number;
  /** The wait of the try's last leg is over: go on there. */
  readonly resume?: Resume;
  /** When the first leg of this try started (epoch milliseconds); absent for the first leg. */
  readonly tryStartedAt?: number;
}

/** A wait for a worker's triggerer. Its id is that of the attempt that began it. */
export interface WatchAssignment {
  readonly id: string;
  readonly assignment: Assignment;
  readonly wait: WatchWait;
  /** When the attempt deferred itself; epoch milliseconds. */
  readonly since: number;
  /** When the wait is given up, by the scheduler; epoch milliseconds. Absent: never. */
  readonly deadline?: number;
}

/** A callback of a task or a DAG that must run although its attempt's child is gone, or after the run's end. */
export interface CallbackAssignment {
  readonly id: string;
  readonly bundle: BundleRef;
  readonly dagId: string;
  readonly runId: string;
  /** `dependsOnPast`: the functions that say which tasks of the run depend on their past. */
  readonly callback: 'onFailure' | 'onRetry' | 'onSuccess' | 'onSkipped' | 'dependsOnPast';
  /** Absent: the DAG's callback. */
  readonly attempt?: AttemptRef;
  readonly reason: string;
  readonly error?: TaskError;
  readonly run: AttemptRunContext;
  readonly position: number;
}
