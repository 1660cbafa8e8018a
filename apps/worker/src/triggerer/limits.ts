export interface TriggererLimits {
  /** Pokes in flight at once in a bundle's process. Default 200. */
  readonly pokesAtOnce: number;
  /** How long one poke may take, unless the sensor says otherwise. Default 60 s. */
  readonly pokeMs: number;
  /** A process whose loop has stood still for so long is replaced. Default 10 s. */
  readonly blockedMs: number;
  /** How long a process may take to start and to load its bundle. Default 60 s. */
  readonly startMs: number;
  /** A wait that has stopped its process so often fails. Default 3. */
  readonly maxOffences: number;
  /** A process without waits ends after this. Default 60 s. */
  readonly idleMs: number;
  /** JavaScript heap of a process. Default 1,024 MiB. */
  readonly heapMiB: number;
  /** What is kept of the output of a wait. Default 64 MiB. */
  readonly maxLogBytes: number;
}

export const TRIGGERER_LIMITS: TriggererLimits = {
  pokesAtOnce: 200,
  pokeMs: 60_000,
  blockedMs: 10_000,
  startMs: 60_000,
  maxOffences: 3,
  idleMs: 60_000,
  heapMiB: 1_024,
  maxLogBytes: 64 * 1_048_576,
};
