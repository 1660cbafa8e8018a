import type { Clock } from '@rondo/ports';

/** Attempts shorter than this on the average are handed out ahead of the free slots, in milliseconds of work. */
const AHEAD_MS = 20;
const MOST_AHEAD = 64;

/**
 * How many attempts a worker gets beyond its slots. Where attempts take less than a few milliseconds a slot would idle while
 * its result travels, so some wait inside the worker; where they take longer none do, so that priority holds to the last.
 */
export class Pace {
  private readonly clock: Clock;
  private meanMs = AHEAD_MS;
  private slowUntil = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  finished(durationMs: number): void {
    this.meanMs += (Math.max(durationMs, 0) - this.meanMs) / 16;
  }

  /** An attempt is taking longer than a few milliseconds. */
  slow(): void {
    this.slowUntil = this.clock.now() + 1_000;
    this.meanMs = Math.max(this.meanMs, AHEAD_MS);
  }

  room(slots: number, assigned: number): number {
    const ahead = this.clock.now() < this.slowUntil ? 0 : Math.min(MOST_AHEAD, Math.floor(AHEAD_MS / Math.max(this.meanMs, 0.2)) - 1);
    return slots * (1 + Math.max(ahead, 0)) - assigned;
  }
}
