/** Milliseconds of work, at the average so far, that a worker holds ahead for each of its slots. */
const AHEAD_MS = 20;
const MOST_AHEAD = 64;
/** No clock of a worker tells less apart. */
const LEAST_MS = 0.25;
/** How much one attempt changes the average. */
const WEIGHT = 1 / 32;

/**
 * How many attempts a worker gets beyond its slots. Where attempts take less than a few milliseconds a slot would idle while
 * its result travels, so some wait inside the worker; where they take longer none do, so that priority holds to the last.
 */
export class Pace {
  private meanMs = AHEAD_MS;

  finished(durationMs: number): void {
    this.meanMs += (Math.max(durationMs, 0) - this.meanMs) * WEIGHT;
  }

  /** An attempt takes so long that its worker says so: counted before its end is known. */
  lasts(): void {
    this.finished(AHEAD_MS);
  }

  room(slots: number, assigned: number): number {
    const ahead = Math.min(MOST_AHEAD, Math.floor(AHEAD_MS / Math.max(this.meanMs, LEAST_MS)) - 1);
    return slots * (1 + Math.max(ahead, 0)) - assigned;
  }
}
