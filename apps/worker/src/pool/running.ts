import type { AbortFrame } from '../child/frames.ts';
import type { AttemptLog } from './attempt-log.ts';
import type { Work } from './work.ts';

/** Why an attempt is being ended from outside, and how far that has gone. */
export interface Ending extends AbortFrame {
  /** Monotonic milliseconds: when the next step is due. */
  nextAt: number;
  stage: 'aborted' | 'terminated' | 'killed';
}

/** Work in a child's hands. */
export class Running {
  readonly work: Work;
  readonly pid: number;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  /** Monotonic milliseconds. */
  readonly begunAt: number;
  readonly timeoutMs: number | undefined;
  readonly deadline: number;
  /** True once `started` was reported. */
  isReported = false;
  ending: Ending | undefined;
  /** Made with the first line. */
  log: AttemptLog | undefined;
  #marksLeft = 0;
  #onMarks: (() => void) | undefined;

  constructor(work: Work, pid: number, now: number, timeoutMs: number | undefined) {
    this.work = work;
    this.pid = pid;
    this.startedAt = Date.now();
    this.begunAt = now;
    this.timeoutMs = timeoutMs;
    this.deadline = timeoutMs === undefined ? Infinity : now + timeoutMs;
  }

  /** Resolves when both streams have come to the attempt's end, or after the time. */
  marks(timeoutMs: number): Promise<void> {
    this.#marksLeft += 2;
    if (this.#marksLeft <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onMarks = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  onMark(): void {
    if (--this.#marksLeft === 0) this.#onMarks?.();
  }
}
