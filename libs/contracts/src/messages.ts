import type {
  ArchivedRun,
  Assignment,
  BundleRef,
  CallbackAssignment,
  CreateBackfill,
  DagDefinition,
  Demand,
  PastAnswers,
  PoolLoad,
  RunReport,
  RunWaiter,
  Selection,
  TaskError,
  TriggerAnswer,
  TriggerRun,
  XComValue,
  WaitAnswer,
  WatchAssignment,
  Interval,
  RunsQuery,
  Told,
} from '@rondo/domain';
import type { JsonObject } from '@rondo/kernel';

/** Who asks: kept in the metadata of the events that follow. */
export interface Actor {
  readonly kind: 'user' | 'service' | 'schedule';
  readonly name: string;
}

/** A choice of task instances of a run. */
export type InstanceSelection = Selection;

/** What a service may ask of the scheduler that owns a DAG. */
export type DagCommand =
  | {
      readonly type: 'publishVersion';
      readonly version: string;
      readonly definition: DagDefinition;
      readonly bundle: BundleRef;
    }
  | { readonly type: 'retireDag'; readonly reason: string }
  | { readonly type: 'pauseDag' }
  | { readonly type: 'unpauseDag' }
  /** What the code of its timetable answered, when it was asked for the runs after an interval. */
  | ({
      readonly type: 'tellRuns';
      readonly version: string;
      readonly after: Interval | null;
    } & Told)
  | { readonly type: 'failTimetable'; readonly version: string; readonly error: string }
  /** Answers with the next runs of its timetable. */
  | { readonly type: 'previewRuns'; readonly count: number }
  /** `dryRun`: answers with this page of what would become of its dates, and changes nothing. */
  | ({
      readonly type: 'createBackfill';
      readonly dryRun?: { readonly offset: number; readonly limit: number };
    } & CreateBackfill)
  | { readonly type: 'pauseBackfill' | 'resumeBackfill' | 'cancelBackfill'; readonly backfillId: number }
  /** Asset events that wait for a run of the DAG: of the named assets and the partition, or all. */
  | { readonly type: 'deleteQueuedAssets'; readonly names?: readonly string[]; readonly partitionKey?: string }
  | ({ readonly type: 'triggerRun' } & Omit<TriggerRun, 'suffix'>)
  | {
      readonly type: 'clearTasks';
      readonly runId: string;
      readonly selection: InstanceSelection;
      readonly dryRun?: boolean;
      /** The run goes on with the latest version of its DAG. */
      readonly latestVersion?: boolean;
      /** Only tasks that the run does not have yet; with `latestVersion`. */
      readonly onlyNew?: boolean;
      /** False: a finished run stays as it is. Default true. */
      readonly resetDagRun?: boolean;
      readonly ignoreDependsOnPast?: boolean;
      /** Refuse where an instance of the selection is running. */
      readonly preventRunning?: boolean;
      /** A note on what is cleared. */
      readonly note?: string;
    }
  | {
      readonly type: 'holdTasks';
      readonly runId: string;
      readonly selection: InstanceSelection;
      readonly held: boolean;
    }
  /** Null: the priority that the DAG says. */
  | {
      readonly type: 'prioritiseTasks';
      readonly runId: string;
      readonly selection: InstanceSelection;
      readonly priority: number | null;
    }
  | {
      readonly type: 'setRetries';
      readonly runId: string;
      readonly selection: InstanceSelection;
      readonly retries: number;
    }
  /** An empty note takes it away. */
  | {
      readonly type: 'noteTasks';
      readonly runId: string;
      readonly selection: InstanceSelection;
      readonly note: string;
    }
  | { readonly type: 'holdRun'; readonly runId: string; readonly held: boolean }
  | { readonly type: 'prioritiseRun'; readonly runId: string; readonly priority: number | null }
  | { readonly type: 'noteRun'; readonly runId: string; readonly note: string }
  /** Deletes the key of a sealed run that has ended, for good (I14). */
  | { readonly type: 'eraseRun'; readonly runId: string }
  /** The run stays as it is from now on; whoever archives is told by the event. */
  | { readonly type: 'archiveRun'; readonly runId: string }
  /** Of whoever archives: it is done. */
  | ({ readonly type: 'finishArchive' } & ArchivedRun)
  | { readonly type: 'restoreRun'; readonly runId: string }
  | {
      readonly type: 'markTasks';
      readonly runId: string;
      readonly selection: InstanceSelection;
      readonly state: 'success' | 'failed' | 'skipped';
    }
  | { readonly type: 'markRun'; readonly runId: string; readonly state: 'success' | 'failed' }
  /** Ends a run: what runs fails, the rest is skipped. A run that has ended stays as it is. */
  | { readonly type: 'abortRun'; readonly runId: string }
  /** Without `value`: the XCom is deleted. */
  | {
      readonly type: 'changeXCom';
      readonly runId: string;
      readonly taskId: string;
      readonly mapIndex: string;
      readonly key: string;
      readonly value?: XComValue;
    }
  /** The answer of a person to a task that asks. */
  | {
      readonly type: 'respondApproval';
      readonly runId: string;
      readonly taskId: string;
      readonly mapIndex: string;
      readonly options: readonly string[];
      /** In whose name. Default: the actor's. */
      readonly by?: string;
      readonly params?: JsonObject;
    }
  | { readonly type: 'explainRun'; readonly runId: string }
  | { readonly type: 'explainTask'; readonly runId: string; readonly taskId: string; readonly mapIndex: string };

/** A command with its envelope. */
export interface CommandMessage {
  readonly kind: 'command';
  readonly commandId: string;
  readonly dagId: string;
  readonly actor: Actor;
  readonly traceparent?: string;
  readonly command: DagCommand;
}

/** A report of an attempt, as the gateway passes it on. Each is complete in itself: `finished` brings what `queued` and `started` would have said. */
export type AttemptReport = RunReport & {
  /**
   * Of an attempt that was lost or withdrawn, where there are several gateways: in whose name. One that has been followed by another is
   * not believed (I2).
   */
  readonly owner?: PartitionOwner;
};

/** A partition of `rondo.tasks.ready`, and the generation of its owner (I2). */
export interface PartitionOwner {
  readonly partition: number;
  readonly generation: number;
}

export type SchedulerMessage =
  | CommandMessage
  | {
      readonly kind: 'reports';
      readonly dagId: string;
      readonly reports: readonly AttemptReport[];
      /** The partition of `rondo.tasks.ready` where it is to be said that they are durable. Absent: by a direct call. */
      readonly replyTo?: number;
    }
  /** What became of the run that a task of this DAG asked for. */
  | {
      readonly kind: 'triggerAnswered';
      readonly dagId: string;
      readonly waiter: RunWaiter;
      readonly answer: TriggerAnswer;
    }
  /** What became of a wait of a deferred attempt. */
  | {
      readonly kind: 'waited';
      readonly dagId: string;
      readonly attempt: string;
      readonly at: number;
      readonly answer: WaitAnswer;
    }
  /** A gateway has taken partitions over: the open attempts of the shard are to be stated again to it. Has no DAG. */
  | { readonly kind: 'restate'; readonly dagId: ''; readonly owned: readonly PartitionOwner[] }
  /** The scheduler's own timer: something of this DAG is due. */
  | {
      readonly kind: 'tick';
      readonly dagId: string;
      readonly runIds: readonly string[];
    }
  | {
      readonly kind: 'callbackDone';
      readonly dagId: string;
      readonly runId: string;
      readonly callback: string;
      readonly at: number;
      readonly taskId?: string;
      readonly mapIndex?: readonly number[];
      readonly error?: TaskError;
      /** What the functions of `dependsOnPast` answered. */
      readonly past?: PastAnswers;
    };

/** What the schedulers tell the gateway that owns a pool. */
export type ReadyMessage = ReadyBody & {
  /** Where there are several schedulers: a gateway drops what comes from one that it knows a successor of (I2). */
  readonly from?: ShardOwner & {
    /** Grows with each message of the owner: one that is not higher than the last of its partition is a repeat (I1). */
    readonly seq?: number;
  };
};

/** A shard and the epoch of its owner, which grows with each. */
export interface ShardOwner {
  readonly shard: number;
  readonly epoch: number;
}

export type ReadyBody =
  | ReadyOrder
  /** Attempts whose instance was cleared, marked or cancelled: to be ended, or dropped when they have not begun. */
  | { readonly kind: 'cancel'; readonly ids: readonly string[]; readonly reason: string }
  /** Attempts that are not to begin now: one that waits is taken back and reported withdrawn, one that has begun goes on. */
  | { readonly kind: 'withdraw'; readonly ids: readonly string[]; readonly reason: string }
  /** New ranks of attempts that wait. */
  | { readonly kind: 'reorder'; readonly ranks: readonly ReadyRank[] }
  /** Deferred instances, whose pools may count them. */
  | { readonly kind: 'deferred'; readonly holds: readonly DeferredHold[] }
  /** Instances that are deferred no more. */
  | { readonly kind: 'undeferred'; readonly instances: readonly string[] }
  | { readonly kind: 'callback'; readonly callback: CallbackAssignment }
  /** A wait for a worker's triggerer: it takes no slot, and so waits for none. Stated again after a restart. */
  | { readonly kind: 'watch'; readonly watch: WatchAssignment }
  /** Waits that are over by other means. */
  | { readonly kind: 'unwatch'; readonly ids: readonly string[] }
  /** The results of these attempts are in the history. */
  | { readonly kind: 'durable'; readonly ids: readonly string[] }
  /** Everything of the shard that is open in the partition has been stated to the owner of this generation. */
  | ({ readonly kind: 'restated'; readonly shard: number } & PartitionOwner)
  | { readonly kind: 'ask'; readonly question: AdmissionQuestion };

/** Asked of the owner of a pool; the answer bears the same id. */
export type AdmissionQuestion = { readonly id: string } & (
  | { readonly about: 'attempt'; readonly attempt: string; readonly demand: Demand }
  | { readonly about: 'pools'; readonly names: readonly string[] }
);

/** On the topic of answers. */
export interface AdmissionReply {
  readonly questionId: string;
  readonly attempt?: AdmissionAnswer;
  readonly pools?: readonly PoolLoad[];
}

/** One attempt that may run, and what it asks for. */
export interface ReadyOrder extends Demand {
  readonly kind: 'order';
  readonly assignment: Assignment;
  /**
   * Set when a scheduler that took the DAG over states its open attempts again. `acknowledged`: the history says that the
   * attempt was queued or running, so a gateway that does not know it must report it lost.
   */
  readonly restated?: {
    readonly acknowledged: boolean;
    /** Of the owner that has asked for it. Absent: nobody has asked. */
    readonly generation?: number;
  };
}

export interface ReadyRank {
  readonly id: string;
  readonly dagPriority: number;
  readonly priority: number;
}

/** `instance`: the attempt's id without try and leg. */
export interface DeferredHold {
  readonly instance: string;
  readonly pool: string;
  readonly poolSlots: number;
}

/** The code of a DAG's timetable is to be asked for its next runs, by whoever reads DAG files. */
export interface RunsWanted {
  readonly dagId: string;
  readonly version: string;
  /** The DAG file. */
  readonly file: string;
  readonly query: RunsQuery;
}

/** The answer to a command: accepted with the position of its events, or refused with the reason. */
export type CommandAnswer =
  | { readonly ok: true; readonly position: number; readonly result: JsonObject }
  | { readonly ok: false; readonly code: RefusalCode; readonly message: string };

export type RefusalCode =
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'invalid'
  | 'retired'
  | 'unavailable'
  | 'quarantined';

/** One named rule of "why not yet". */
export interface ReasonView {
  /** For example `trigger_rule`, `max_active_tasks`, `retry_period`, `run_state`, `dag_paused`, `worker_slot`. */
  readonly rule: string;
  readonly passed: boolean;
  readonly reason: string;
}

/** How an attempt stands with the gateway that it is published to. `unknown`: not published, or not heard of yet. */
export interface AdmissionAnswer {
  readonly stand: 'waiting' | 'admitted' | 'unknown';
  /** Every rule of the admission, for an attempt that has not been admitted; of an admitted one where it is. */
  readonly reasons: readonly ReasonView[];
}

/** What gateways are asked: answers are of this moment. */
export interface AdmissionQueries {
  admissionOf(attemptId: string, demand: Demand): Promise<AdmissionAnswer>;
  /** In the order of the names; nothing is held of a pool that is not known. */
  poolLoads(names: readonly string[]): Promise<readonly PoolLoad[]>;
}

/** Where commands are sent: routes to the owner of the DAG and waits for its answer. */
export interface CommandBus {
  send(
    message: Omit<CommandMessage, 'kind' | 'commandId'> & { readonly commandId?: string },
    timeoutMs?: number,
  ): Promise<CommandAnswer>;
}
