import type { TaskError } from './outcome.ts';

/** What the functions of a DAG say of one run: which of its tasks depend on their past. */
export interface PastAnswers {
  /** Task ids; those whose function failed are among them. */
  readonly depends: readonly string[];
  /** By task id, of the first few that failed. */
  readonly errors?: Readonly<Record<string, TaskError>>;
}

/** Errors that are kept. */
export const PAST_ERRORS_KEPT = 10;
