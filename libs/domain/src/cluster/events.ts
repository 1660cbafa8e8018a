/** Events of `poolPartitions`: who admits the attempts of which pools. The revision of one is the generation of what it names (I2). */
export interface PartitionsTaken {
  readonly type: 'PartitionsTaken';
  readonly data: {
    readonly gateway: string;
    /** Of `rondo.tasks.ready`. */
    readonly partitions: readonly number[];
    /** Epoch milliseconds. */
    readonly at: number;
  };
}

/** Events of `schedulerShards`: who decides about which DAGs. The revision of one is the epoch of what it names (I2). */
export interface ShardsTaken {
  readonly type: 'ShardsTaken';
  readonly data: {
    readonly scheduler: string;
    /** Partitions of `rondo.scheduler.inbox`. */
    readonly shards: readonly number[];
    readonly at: number;
  };
}

/** Events of `worker-{name}`: whoever takes a partition over knows by them whose claims there are to wait for (I2). */
export type WorkerEvent =
  | {
      readonly type: 'WorkerJoined';
      readonly data: {
        readonly worker: string;
        /** Of its process. */
        readonly boot: string;
        readonly release: string;
        readonly slots: number;
        readonly queues: readonly string[];
        readonly labels: Readonly<Record<string, string>>;
        readonly executor: string;
        readonly at: number;
      };
    }
  | {
      readonly type: 'WorkerLeft';
      readonly data: {
        readonly worker: string;
        readonly boot: string;
        readonly at: number;
        readonly reason: string;
        /** It had nothing any more. Else its lease was over at the gateway that says so. */
        readonly isDone: boolean;
      };
    }
  /** It is to take nothing new, and to leave when it is done. */
  | {
      readonly type: 'WorkerDraining';
      readonly data: {
        readonly worker: string;
        /** Absent: whatever has joined. */
        readonly boot?: string;
        readonly at: number;
      };
    };

export const PARTITIONS_STREAM = 'poolPartitions';
export const SHARDS_STREAM = 'schedulerShards';
export const WORKER_PREFIX = 'worker-';

export const workerStream = (worker: string): string => `${WORKER_PREFIX}${worker}`;
