import { StoreUnavailableError, type Position } from '@rondo/ports';
import type { ReadModelStatus } from './status.ts';

interface Waiter {
  readonly position: Position;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** Those who wait until the rows include a position. */
export class PositionWaiters {
  private readonly waiters = new Set<Waiter>();

  get isAwaited(): boolean {
    return this.waiters.size > 0;
  }

  wait(position: Position, timeoutMs: number, now: ReadModelStatus): Promise<void> {
    if (now.position >= position) return Promise.resolve();
    if (now.state === 'stopped') return Promise.reject(stopped(now));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiters.delete(waiter);
        const message = `the read models have not reached position ${position} within ${timeoutMs} ms`;
        reject(new StoreUnavailableError(message, { retryable: true }));
      }, timeoutMs);
      const waiter: Waiter = { position, resolve, reject, timer };
      this.waiters.add(waiter);
    });
  }

  reached(status: ReadModelStatus): void {
    for (const waiter of this.waiters) {
      if (status.position >= waiter.position) this.end(waiter).resolve();
      else if (status.state === 'stopped') this.end(waiter).reject(stopped(status));
    }
  }

  fail(error: Error): void {
    for (const waiter of this.waiters) this.end(waiter).reject(error);
  }

  private end(waiter: Waiter): Waiter {
    clearTimeout(waiter.timer);
    this.waiters.delete(waiter);
    return waiter;
  }
}

function stopped(status: ReadModelStatus): StoreUnavailableError {
  return new StoreUnavailableError(
    `the read models have stopped at position ${status.position}: ${status.error ?? 'no reason given'}`,
    { retryable: false },
  );
}
