import { isoInstant } from '../schedule/instant.ts';
import { sha1Mod } from './sha1.ts';

/** A day: no delay is longer, whatever the formula says. */
export const MAX_RETRY_DELAY_MS = 86_400_000;

export interface RetryPolicy {
  readonly retryDelayMs: number;
  /** Factor from one delay to the next; 0 and 1: the delay is constant. */
  readonly retryExponentialBackoff: number;
  /** Upper bound of a growing delay. */
  readonly maxRetryDelayMs?: number;
}

/** What makes the jitter of a delay its own, and the same on every machine. */
export interface RetryKey {
  readonly dagId: string;
  readonly taskId: string;
  /** Epoch milliseconds; null for a run without one. */
  readonly logicalDate: number | null;
  /** Counts the try that has just failed. */
  readonly tryNumber: number;
}

export interface Tries {
  readonly tryNumber: number;
  /** `retries` at first; raised when the instance is cleared. */
  readonly maxTries: number;
}

/** Whether a failed try may be followed by another. An instance cleared while it ran always may. */
export function mayRetry({ tryNumber, maxTries }: Tries, restarting = false): boolean {
  return restarting || (maxTries !== 0 && tryNumber <= maxTries);
}

/**
 * Milliseconds from the end of a failed try to the next. Growing delays are whole seconds, spread over
 * [base, 2·base − 1] where base = max(1, ⌈retryDelay · factor^(try − 1)⌉), and capped by `maxRetryDelayMs`.
 */
export function retryDelayMs(policy: RetryPolicy, key: RetryKey, maxDelayMs: number = MAX_RETRY_DELAY_MS): number {
  const factor = policy.retryExponentialBackoff;
  if (!(factor > 0) || factor === 1) return policy.retryDelayMs;
  const base = Math.max(1, Math.ceil((policy.retryDelayMs / 1_000) * factor ** (key.tryNumber - 1)));
  const spread = base * 1_000 >= maxDelayMs ? maxDelayMs : Math.min((base + jitter(key, base)) * 1_000, maxDelayMs);
  const cap = policy.maxRetryDelayMs;
  return cap === undefined || cap <= 0 ? spread : Math.min(spread, cap);
}

function jitter({ dagId, taskId, logicalDate, tryNumber }: RetryKey, base: number): number {
  const date = logicalDate === null ? 'None' : isoInstant(logicalDate, ' ');
  return sha1Mod(`${dagId}#${taskId}#${date}#${tryNumber}`, base);
}
