import { StoreUnavailableError } from '@rondo/ports';
import pg from 'pg';

/**
 * Classes of SQLSTATE that pass or that somebody mends: connections, rolled back for others' sake, resources, locks, shut-downs,
 * the system. And a transaction that was idle too long, or a server that only reads (it was the primary a moment ago).
 */
const PASSING_CLASSES = new Set(['08', '40', '53', '55', '57', '58']);
const PASSING = new Set(['25P03', '25006']);

/** What `pg` throws, as the port says it: a database that is away, or cannot just now, is worth another try. */
export function asPortError(error: unknown): unknown {
  if (error instanceof StoreUnavailableError) return error;
  const code = error instanceof pg.DatabaseError ? (error.code ?? '') : undefined;
  if (code !== undefined && !PASSING.has(code) && !PASSING_CLASSES.has(code.slice(0, 2))) return error;
  return new StoreUnavailableError(`PostgreSQL does not answer: ${messageOf(error)}`, {
    retryable: true,
    cause: error,
  });
}

export const isPassing = (error: unknown): boolean => error instanceof StoreUnavailableError && error.retryable;

export function messageOf(error: unknown): string {
  // Of a host with several addresses: one error for each.
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}

/** I2: another process has become the writer since; what was to be written is not. */
export class FencedError extends Error {
  override readonly name = 'FencedError';
}

/** Rows that a newer release has made: they are read, never overwritten. */
export class NewerRowsError extends Error {
  override readonly name = 'NewerRowsError';
}
