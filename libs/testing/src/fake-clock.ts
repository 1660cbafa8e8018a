import type { Clock, Ids } from '@rondo/ports';

export interface FakeClock extends Clock {
  /** Moves the time on and calls back what has become due, in order of time, each at its own time. */
  advance(ms: number): void;
  /** `advance` to a time; one that is not later moves nothing, but calls back what is due. */
  advanceTo(time: number): void;
  /** The time of the next timer; undefined when none waits. */
  next(): number | undefined;
  readonly pending: number;
}

interface Timer {
  readonly time: number;
  readonly callback: () => void;
}

/** A clock that stands still until a test moves it. Default start: 2026-01-01T00:00:00Z. */
export function fakeClock(start: number = Date.UTC(2026, 0, 1)): FakeClock {
  let now = start;
  const timers: Timer[] = [];
  const advanceTo = (time: number): void => {
    for (let next = timers[0]; next !== undefined && next.time <= Math.max(now, time); next = timers[0]) {
      timers.shift();
      now = Math.max(now, next.time);
      next.callback();
    }
    now = Math.max(now, time);
  };
  return {
    now: () => now,
    at(time, callback) {
      const timer = { time, callback };
      const index = timers.findIndex((other) => other.time > time);
      timers.splice(index < 0 ? timers.length : index, 0, timer);
      return () => {
        const at = timers.indexOf(timer);
        if (at >= 0) timers.splice(at, 1);
      };
    },
    advance: (ms) => advanceTo(now + ms),
    advanceTo,
    next: () => timers[0]?.time,
    get pending() {
      return timers.length;
    },
  };
}

/** Ids that count: `00000000-0000-4000-8000-000000000001` and on. */
export function countingIds(): Ids {
  let n = 0;
  return { uuid: () => `00000000-0000-4000-8000-${(++n).toString(16).padStart(12, '0')}` };
}
