/** Topic names; the embedded bus has the same. */
export const TOPICS = {
  /** Commands and reports of attempts to the schedulers, keyed by DAG id. Only services write to it. */
  schedulerInbox: 'rondo.scheduler.inbox',
  /** Attempts that may run, keyed by pool. */
  tasksReady: 'rondo.tasks.ready',
  /** Timetables of authors' own that are to tell their next runs, keyed by DAG id: `RunsWanted`. */
  timetablesWanted: 'rondo.timetables.wanted',
  /** Answers to commands, keyed by command id; every sender of commands reads all of them. */
  commandAnswers: 'rondo.scheduler.answers',
  /** Events from outside (CloudEvents), keyed as their sender likes. */
  sensorEvents: 'rondo.sensor.events',
  /** DAG files that a worker is to load, keyed by file. */
  parseWanted: 'rondo.parse.wanted',
  /** What loading them gave, keyed by request; everybody who asks reads all of them. */
  parseAnswers: 'rondo.parse.answers',
  /** Holds no messages: who owns the partition of `SYSTEM_KEY` does what is done once in an installation. */
  system: 'rondo.system',
} as const;

/** The persistent subscription to the history of what people are told. */
export const ALERTS_SUBSCRIPTION = 'rondo-alerting';

export const SYSTEM_KEY = 'system';

/** Of every topic, on every bus; a partition of the inbox is a shard. */
export const DEFAULT_PARTITIONS = 64;
