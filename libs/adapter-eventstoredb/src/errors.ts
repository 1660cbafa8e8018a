import {
  CancelledError,
  DeadlineExceededError,
  NotLeaderError,
  TimeoutError,
  UnavailableError,
} from '@eventstore/db-client';
import { StoreUnavailableError } from '@rondo/ports';

/** What the client throws, as the port says it. A node that is away, or no leader, is worth another try. */
export function asPortError(error: unknown): unknown {
  if (
    error instanceof UnavailableError ||
    error instanceof DeadlineExceededError ||
    error instanceof NotLeaderError ||
    error instanceof TimeoutError ||
    error instanceof CancelledError ||
    codeOf(error) === 14
  )
    return new StoreUnavailableError(`EventStoreDB does not answer: ${(error as Error).message}`, {
      retryable: true,
      cause: error,
    });
  return error;
}

const codeOf = (error: unknown): unknown =>
  typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
