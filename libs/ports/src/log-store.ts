import type { AttemptRef } from '@rondo/domain';

export interface LogLine {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly stream: 'stdout' | 'stderr' | 'log' | 'system';
  readonly level?: 'debug' | 'info' | 'warn' | 'error';
  readonly text: string;
}

/** The log of an attempt, line by line. Lines arrive with secrets already masked. */
export interface LogStore {
  append(attempt: AttemptRef, lines: readonly LogLine[]): Promise<void>;
  /** Lines from a line number (0-based); `next` is where to go on. All legs of a try are one log. */
  read(
    attempt: AttemptRef,
    fromLine?: number,
    limit?: number,
  ): Promise<{ readonly lines: readonly LogLine[]; readonly next: number }>;
  /** Calls back with lines as they come, from `fromLine`, until stopped. */
  follow(
    attempt: AttemptRef,
    fromLine: number,
    onLines: (lines: readonly LogLine[], next: number) => void,
  ): { stop(): void };
  /** Deletes the logs of all attempts of a run, for good. Idempotent. */
  deleteRun(dagId: string, runId: string): Promise<void>;
  close(): Promise<void>;
}
