import { apiError, type ApiError } from './errors.ts';

export interface Patience {
  /** Default 250 ms; doubles with each try. */
  readonly firstMs?: number;
  /** Default 15 s. */
  readonly lastMs?: number;
}

/** Pauses between tries: they grow, are spread over their upper half, and are at least what the server asks for. */
export class Pauses {
  readonly #firstMs: number;
  readonly #lastMs: number;
  #count = 0;

  constructor({ firstMs = 250, lastMs = 15_000 }: Patience = {}) {
    this.#firstMs = firstMs;
    this.#lastMs = lastMs;
  }

  /** It has worked: the next pause is the first again. */
  reset(): void {
    this.#count = 0;
  }

  /** False: the signal has ended it. */
  async pause(signal: AbortSignal, error?: ApiError): Promise<boolean> {
    const ms = Math.min(this.#lastMs, this.#firstMs * 2 ** Math.min(this.#count++, 20));
    await sleep(Math.max(ms * (0.5 + Math.random() / 2), error?.retryAfterMs ?? 0), signal);
    return !signal.aborted;
  }
}

/** Resolves early when the signal ends it. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}

/**
 * Calls until the answer is no passing failure. Ended by the signal it rejects with the last one. Whoever calls knows that a try
 * whose answer was lost may have been done.
 */
export async function patiently<T>(call: () => Promise<T>, signal: AbortSignal, patience?: Patience): Promise<T> {
  const pauses = new Pauses(patience);
  for (;;) {
    try {
      return await call();
    } catch (thrown) {
      const error = apiError(thrown);
      if (!error.isTransient || !(await pauses.pause(signal, error))) throw error;
    }
  }
}
