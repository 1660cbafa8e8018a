export interface PoolLimits {
  /** Attempts at once. */
  readonly slots: number;
  /** Processes at once, idle ones of other bundles included. At least `slots`. */
  readonly maxChildren: number;
  /** A child that has been idle for so long ends, while there are more than `slots`. */
  readonly idleMs: number;
  /** A child is replaced after this many attempts, once it is `recycleAgeMs` old. */
  readonly maxAttempts: number;
  readonly recycleAgeMs: number;
  /** A child that holds more memory after an attempt is replaced. */
  readonly maxRssMiB: number;
  /** From the body's AbortSignal to SIGTERM, and from there to SIGKILL. */
  readonly abortMs: number;
  readonly graceMs: number;
  /** `started` is reported for attempts that run longer than this. */
  readonly startedAfterMs: number;
  /** Time limit of a callback that runs apart from its attempt. */
  readonly callbackTimeoutMs: number;
  /** What is kept of an attempt's output. */
  readonly maxLogBytes: number;
}

/** A tenth of the machine's memory for children that wait, at 64 MiB each: at most 16, at least two for each slot. */
export function defaultMaxChildren(slots: number, memoryBytes: number): number {
  return Math.max(slots * 2, Math.min(16, Math.floor(memoryBytes / 10 / (64 * 1_048_576))));
}

export const DEFAULT_LIMITS: Omit<PoolLimits, 'slots' | 'maxChildren'> = {
  idleMs: 60_000,
  maxAttempts: 1_000,
  recycleAgeMs: 60_000,
  maxRssMiB: 512,
  abortMs: 500,
  graceMs: 5_000,
  startedAfterMs: 5,
  callbackTimeoutMs: 60_000,
  maxLogBytes: 64 * 1_048_576,
};
