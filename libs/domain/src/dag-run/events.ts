import type { Json, JsonObject } from '@rondo/kernel';
import type { AssetUpdate } from '../asset/events.ts';
import type { BackfillRef } from '../backfill/events.ts';
import type { Interval, RunType } from '../dag/events.ts';
import type { PastReliance } from '../past/index.ts';
import type { AttemptOverrides, DecidingRule } from '../retry/index.ts';
import type {
  ApprovalResponse,
  InstanceRange,
  MapIndex,
  PastAnswers,
  OnTimeout,
  SkipDecision,
  TaskError,
  WaitFor,
  XComValue,
} from '../task-instance/index.ts';

/** I1: which attempt of which instance an event speaks of. */
export interface AttemptKey {
  readonly taskId: string;
  readonly mapIndex: MapIndex;
  readonly tryNumber: number;
  readonly leg: number;
}

/**
 * Another scheduler has taken over (I2): nobody who read the stream before this event can append to it any more. Says nothing
 * else.
 */
export interface TakenData {
  readonly at: number;
  readonly shard: number;
  /** The revision of the take-over in `schedulerShards`, and one. */
  readonly epoch: number;
}

type Xcoms = Readonly<Record<string, XComValue>>;

export interface RunStartedData {
  readonly dagId: string;
  readonly runId: string;
  /** Hash of the DagVersion that the run executes. */
  readonly version: string;
  readonly runType: RunType;
  readonly logicalDate: number | null;
  readonly dataInterval: Interval | null;
  readonly runAfter: number;
  readonly conf?: Json;
  readonly triggeredBy: string;
  readonly partitionKey?: string;
  /** Epoch milliseconds when the run times out. */
  readonly deadline?: number;
  readonly backfill?: BackfillRef;
  /** It consists of these tasks: the others of its version are not there. */
  readonly only?: readonly string[];
  /** What people have put into it is sealed with a key of its own (I14). */
  readonly sealed?: true;
}

/** Events of `dagRun-{dagId}:{runId}`. `at` is epoch milliseconds on the reporting service's clock. */
export type DagRunEvent =
  | { readonly type: 'RunStarted'; readonly data: RunStartedData & { readonly at: number } }
  | {
      readonly type: 'TaskScheduled';
      readonly data: AttemptKey & {
        readonly at: number;
        /** The previous run that let it start, at the revision at which it was looked at (I10). */
        readonly past?: PastReliance;
      };
    }
  | {
      readonly type: 'TaskQueued';
      readonly data: AttemptKey & { readonly at: number; readonly executor: string; readonly worker: string };
    }
  | { readonly type: 'TaskStarted'; readonly data: AttemptKey & { readonly at: number; readonly pid?: number } }
  | {
      readonly type: 'TaskSucceeded';
      readonly data: AttemptKey & {
        readonly at: number;
        readonly xcoms?: Xcoms;
        readonly skip?: SkipDecision;
        /** Position of the event that ended its wait (I6). */
        readonly consumed?: number;
        /** Of what something is mapped over, by `JSON.stringify` of its path in the return value. */
        readonly lengths?: Readonly<Record<string, number>>;
        /** The worker must run it apart: no child of the attempt is left (a task that waited for a run it triggered). */
        readonly callback?: 'onSuccess';
        readonly rendered?: JsonObject;
        /** What names the instance beside its map index. */
        readonly name?: string;
        /** What it updated: each becomes an event of its asset. */
        readonly assets?: readonly AssetUpdate[];
      };
    }
  | {
      readonly type: 'TaskFailed';
      readonly data: AttemptKey & {
        readonly at: number;
        readonly error: TaskError;
        /** The rule of the retry policy that ended its tries. */
        readonly rule?: DecidingRule;
        readonly xcoms?: Xcoms;
        readonly callback?: 'onFailure';
        readonly rendered?: JsonObject;
        /** What names the instance beside its map index. */
        readonly name?: string;
      };
    }
  | {
      readonly type: 'TaskRetryScheduled';
      readonly data: AttemptKey & {
        readonly at: number;
        readonly error: TaskError;
        readonly xcoms?: Xcoms;
        readonly retryAt: number;
        /** The rule of the retry policy that decided; absent: the task's own retries. */
        readonly rule?: DecidingRule;
        /** What the next try gets instead of what the task has. */
        readonly overrides?: AttemptOverrides;
        readonly callback?: 'onRetry';
        readonly rendered?: JsonObject;
        /** What names the instance beside its map index. */
        readonly name?: string;
      };
    }
  | { readonly type: 'TaskRescheduled'; readonly data: AttemptKey & { readonly at: number; readonly until: number } }
  | {
      readonly type: 'TaskDeferred';
      readonly data: AttemptKey & {
        readonly at: number;
        readonly waitFor: WaitFor;
        /** Absent: the task has succeeded when the wait is met. */
        readonly resume?: string;
        /** When the wait is given up (epoch milliseconds): decided by the first deferral of the try. */
        readonly deadline?: number;
        /** Default `fail`. */
        readonly onTimeout?: OnTimeout;
        readonly onFailed?: 'skip';
        readonly xcoms?: Xcoms;
      };
    }
  /** The wait is met: the try goes on as its next leg. */
  | {
      readonly type: 'TaskResumed';
      readonly data: AttemptKey & { readonly at: number; readonly payload?: XComValue; readonly consumed?: number };
    }
  /** Somebody has answered, or the defaults were taken at the timeout; the end of the wait follows. */
  | {
      readonly type: 'ApprovalResponded';
      readonly data: AttemptKey & { readonly at: number; readonly response: ApprovalResponse };
    }
  | { readonly type: 'TaskLost'; readonly data: AttemptKey & { readonly at: number; readonly reason: string } }
  | {
      readonly type: 'TaskSkipped';
      readonly data: {
        readonly at: number;
        readonly instances: readonly InstanceRange[];
        readonly reason: string;
        readonly attempt?: AttemptKey;
        /** What names the instance of the attempt beside its map index. */
        readonly name?: string;
        readonly callback?: 'onSkipped';
      };
    }
  | {
      readonly type: 'TaskUpstreamFailed';
      readonly data: { readonly at: number; readonly instances: readonly InstanceRange[]; readonly reason: string };
    }
  | {
      readonly type: 'TaskRemoved';
      readonly data: { readonly at: number; readonly instances: readonly InstanceRange[]; readonly reason: string };
    }
  /** A task or a group was mapped: under the path there are `length` instances now of each task that it maps. */
  | {
      readonly type: 'TaskMapped';
      readonly data: {
        readonly at: number;
        /** The task or group with the expansion. */
        readonly scope: string;
        /** The instance of the groups around it. */
        readonly mapIndex: MapIndex;
        readonly length: number;
        /** Where it was mapped before: instances that are too many now, and such that are wanted again. */
        readonly removed?: readonly InstanceRange[];
        readonly restored?: readonly InstanceRange[];
      };
    }
  | {
      readonly type: 'TaskCleared';
      readonly data: { readonly at: number; readonly instances: readonly InstanceRange[] };
    }
  /** A group has failed and begins anew: everything that it came to is cleared. */
  | {
      readonly type: 'GroupRetried';
      readonly data: {
        readonly at: number;
        readonly groupId: string;
        readonly mapIndex: MapIndex;
        /** The try of the group that begins, from 2. */
        readonly tryNumber: number;
        /** Its instances wait until then. */
        readonly retryAt: number;
        /** Instances that had failed, the first few of them. */
        readonly failed: readonly InstanceRange[];
        readonly instances: readonly InstanceRange[];
      };
    }
  /** The functions of `dependsOnPast` have been asked: once in a run. Tasks that are not named do not depend on their past. */
  | {
      readonly type: 'PastConditionsAnswered';
      readonly data: PastAnswers & {
        readonly at: number;
        /** Nothing could be asked: every task with a function depends on its past. */
        readonly error?: TaskError;
      };
    }
  /** The run has failed and is tried again before it counts as failed. */
  | {
      readonly type: 'RunRetried';
      readonly data: {
        readonly at: number;
        /** The try of the run that begins, from 2. */
        readonly tryNumber: number;
        /** Its instances wait until then. */
        readonly retryAt: number;
        /** Why the last try failed. */
        readonly reason: string;
        /** When this try times out. */
        readonly deadline?: number;
        readonly instances: readonly InstanceRange[];
      };
    }
  | {
      readonly type: 'TaskMarked';
      readonly data: {
        readonly at: number;
        readonly instances: readonly InstanceRange[];
        readonly state: 'success' | 'failed' | 'skipped';
        readonly reason?: string;
      };
    }
  /** Not published until they are released; what runs goes on, and its retry waits. */
  | { readonly type: 'TaskHeld'; readonly data: { readonly at: number; readonly instances: readonly InstanceRange[] } }
  | {
      readonly type: 'TaskReleased';
      readonly data: { readonly at: number; readonly instances: readonly InstanceRange[] };
    }
  /** A published attempt was taken back before any worker had it: its next dispatch is the next leg of the same try. */
  | { readonly type: 'TaskWithdrawn'; readonly data: AttemptKey & { readonly at: number; readonly reason: string } }
  | {
      readonly type: 'TaskReprioritised';
      readonly data: {
        readonly at: number;
        readonly instances: readonly InstanceRange[];
        /** Effective: in place of what the weight rule makes of the DAG. Null: the DAG's again. */
        readonly priority: number | null;
      };
    }
  | {
      readonly type: 'TaskRetriesSet';
      readonly data: { readonly at: number; readonly instances: readonly InstanceRange[]; readonly retries: number };
    }
  | {
      readonly type: 'TaskNoted';
      readonly data: {
        readonly at: number;
        readonly instances: readonly InstanceRange[];
        /** Empty: the note is taken away. */
        readonly note: string;
        /** `user:ada`. */
        readonly by: string;
      };
    }
  /**
   * The run goes on with another version: tasks that this has not are removed, those that it adds have no status. The whole
   * history of the run is folded over its plan, so the event itself changes nothing but the name.
   */
  | { readonly type: 'RunVersionChanged'; readonly data: { readonly at: number; readonly version: string } }
  | {
      readonly type: 'CallbackReported';
      readonly data: {
        readonly at: number;
        readonly callback: string;
        readonly taskId?: string;
        readonly mapIndex?: MapIndex;
        readonly error?: TaskError;
      };
    }
  /** An XCom was set by hand: who did it stands in the event's metadata. */
  | {
      readonly type: 'XComSet';
      readonly data: {
        readonly at: number;
        readonly taskId: string;
        readonly mapIndex: MapIndex;
        readonly key: string;
        readonly value: XComValue;
      };
    }
  | {
      readonly type: 'XComDeleted';
      readonly data: {
        readonly at: number;
        readonly taskId: string;
        readonly mapIndex: MapIndex;
        readonly key: string;
      };
    }
  /** The attempt of an instance that was cleared or marked meanwhile has ended: it holds nothing any more (I3). */
  | { readonly type: 'TaskAttemptClosed'; readonly data: AttemptKey & { readonly at: number; readonly reason: string } }
  /** A finished run was cleared: queued until its DAG admits it again (I4). */
  | {
      readonly type: 'RunReopened';
      readonly data: {
        readonly at: number;
        /** A backfill runs it again: it is one of its runs from now on. */
        readonly backfill?: BackfillRef;
      };
    }
  | { readonly type: 'RunResumed'; readonly data: { readonly at: number; readonly deadline?: number } }
  | { readonly type: 'RunTaken'; readonly data: TakenData }
  | { readonly type: 'RunSucceeded'; readonly data: { readonly at: number; readonly reason: string } }
  | { readonly type: 'RunFailed'; readonly data: { readonly at: number; readonly reason: string } };
