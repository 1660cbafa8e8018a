import type { AttemptRef } from '@rondo/domain';

export interface LogLine {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly stream: 'stdout' | 'stderr' | 'log' | 'system';
  readonly level?: 'debug' | 'info' | 'warn' | 'error';
  readonly text: string;
  /** Of the first line of what was sent in one piece: unique to the piece, and the same when it is sent again. Shown to nobody. */
  readonly mark?: string;
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

/** Appends a piece of which nobody knows whether it is there: what is there of it, after its mark, is not written again. */
export async function appendAgain(
  logs: Pick<LogStore, 'append' | 'read'>,
  attempt: AttemptRef,
  lines: readonly LogLine[],
): Promise<void> {
  const mark = lines[0]?.mark;
  const there = mark === undefined ? 0 : await countThere(logs, attempt, lines, mark);
  if (there < lines.length) await logs.append(attempt, lines.slice(there));
}

async function countThere(
  logs: Pick<LogStore, 'read'>,
  attempt: AttemptRef,
  lines: readonly LogLine[],
  mark: string,
): Promise<number> {
  let there = 0;
  for (let from = 0; ;) {
    const page = await logs.read(attempt, from);
    if (page.lines.length === 0) return there;
    for (const line of page.lines) {
      if (there === 0 && line.mark !== mark) continue;
      // A piece is written at once: what comes between its lines is not of it.
      if (there === lines.length || !isSame(line, lines[there]!)) return there;
      there++;
    }
    from = page.next;
  }
}

const isSame = (a: LogLine, b: LogLine): boolean =>
  a.at === b.at && a.stream === b.stream && a.level === b.level && a.text === b.text;
