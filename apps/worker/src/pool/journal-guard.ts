import type { Outbox } from '../outbox/outbox.ts';
import type { Alarm } from './alarm.ts';

const RETRY_MS = 1_000;

/** Writing the journal where the disk may be full: nothing is begun until it works again. Tried every second. */
export class JournalGuard {
  readonly #outbox: Outbox;
  readonly #alarm: Alarm;
  readonly #notice: (text: string) => void;
  #isBroken = false;

  constructor(outbox: Outbox, alarm: Alarm, notice: (text: string) => void) {
    this.#outbox = outbox;
    this.#alarm = alarm;
    this.#notice = notice;
  }

  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Writes what is staged. False: it could not be written, so that nothing may be begun. */
  commit(): boolean {
    try {
      this.#outbox.commit();
      this.#isBroken = false;
    } catch (error) {
      if (!this.#isBroken)
        this.#notice(`the worker's journal cannot be written, so that no attempt is begun: ${String(error)}`);
      this.#isBroken = true;
      const now = performance.now();
      this.#alarm.by(now + RETRY_MS, now);
    }
    return !this.#isBroken;
  }
}
