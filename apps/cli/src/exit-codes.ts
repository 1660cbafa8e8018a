/** What the exit status tells a script. */
export const EXIT = {
  ok: 0,
  /** The run or task failed, or the platform refused. */
  failed: 1,
  usage: 2,
  unreachable: 3,
} as const;

export const EXIT_HELP = `
Exit status:
  0  done
  1  the run or task failed, or the platform refused
  2  wrong usage
  3  the platform cannot be reached`;

/** A use of the command line that cannot be meant; the message says what is allowed. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Nothing answers at the platform's address. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
}

/** An expected "no": why, and what is allowed. From the API it is the problem of RFC 9457 that was answered. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly problem: Problem;
  constructor(problem: Problem, options?: ErrorOptions) {
    super(problem.detail ?? problem.title, options);
    this.problem = problem;
  }
}

export interface Problem {
  readonly title: string;
  readonly status?: number;
  readonly detail?: string;
  readonly allowed?: unknown;
  readonly errors?: unknown;
}
