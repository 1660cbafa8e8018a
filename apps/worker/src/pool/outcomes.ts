import type { TaskError } from '@rondo/domain';
import { formatDuration } from '@rondo/kernel';
import type { WorkerReport } from '@rondo/ports';
import type { AbortFrame, ExitingFrame } from '../child/frames.ts';
import type { Running } from './running.ts';
import type { Work } from './work.ts';

/** How a child process ended. */
export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly exiting: ExitingFrame | undefined;
}

/** The report of work whose child has ended before it could report. */
export function reportOfEnd(running: Running, end: ChildEnd): WorkerReport {
  const { ending } = running;
  if (ending?.kind === 'stopped') return lost(running, ending.reason);
  const error = ending === undefined ? errorOfEnd(end, running.log?.tail() ?? []) : errorOfEnding(ending);
  return failure(running.work, error, ending?.kind !== 'cancelled', false, running);
}

/** What a child reported, seen by a worker that was about to end it. */
export function reportUnderEnding(running: Running, ending: AbortFrame, report: WorkerReport): WorkerReport {
  if (report.kind !== 'finished') return report;
  const { outcome } = report;
  if (ending.kind === 'stopped') return outcome.kind === 'failed' ? lost(running, ending.reason) : report;
  // What has succeeded before the cancellation reached it has succeeded. A time limit is no request.
  if (ending.kind === 'cancelled' && outcome.kind !== 'failed') return report;
  // A sensor with softFail.
  if (ending.kind === 'timeout' && outcome.kind === 'skipped') return report;
  const callbacksRan = outcome.kind === 'failed' && outcome.callbacksRan !== false;
  return {
    ...report,
    outcome: { kind: 'failed', error: errorOfEnding(ending), retryable: ending.kind === 'timeout', callbacksRan },
  };
}

/** A failure that no child has reported. Without `running`: the work was never begun. */
export function failure(
  { id, kind }: Pick<Work, 'id' | 'kind'>,
  error: TaskError,
  retryable: boolean,
  callbacksRan?: boolean,
  running?: Running,
): WorkerReport {
  const at = Date.now();
  if (kind === 'callback') return { kind, id, at, error };
  const { startedAt, pid } = running ?? { startedAt: at, pid: process.pid };
  return {
    kind: 'finished',
    id,
    startedAt,
    at,
    pid,
    outcome: { kind: 'failed', error, retryable, ...(callbacksRan === undefined ? {} : { callbacksRan }) },
  };
}

function lost({ work }: Running, reason: string): WorkerReport {
  if (work.kind === 'callback')
    return { kind: 'callback', id: work.id, at: Date.now(), error: { kind: 'lost', message: reason } };
  return { kind: 'lost', id: work.id, at: Date.now(), reason };
}

function errorOfEnding({ kind, reason }: AbortFrame): TaskError {
  return { kind: kind === 'timeout' ? 'timeout' : 'cancelled', message: reason };
}

/** `who`: whose process has ended. */
export function errorOfEnd({ code, signal, exiting }: ChildEnd, logTail: readonly string[], who = 'task'): TaskError {
  return {
    kind: 'exit',
    message: messageOfEnd(code, signal, exiting, logTail, who),
    ...(code === null ? {} : { exitCode: code }),
    ...(signal === null ? {} : { signal }),
    logTail,
  };
}

function messageOfEnd(
  code: number | null,
  signal: NodeJS.Signals | null,
  exiting: ExitingFrame | undefined,
  logTail: readonly string[],
  who: string,
): string {
  if (exiting !== undefined) {
    const call = `process.exit(${exiting.code === undefined ? '' : JSON.stringify(exiting.code)})`;
    return `the ${who} called ${call}${exiting.where === undefined ? '' : ` at ${exiting.where}`}: a ${who} ends by returning or throwing`;
  }
  if (logTail.some((line) => line.includes('JavaScript heap out of memory')))
    return `the ${who}'s process ran out of memory`;
  if (signal !== null) return `the ${who}'s process was ended by ${signal}`;
  return `the ${who}'s process ended with exit code ${code}`;
}

export function timeoutReason(timeoutMs: number): string {
  return `the attempt ran longer than its executionTimeout of ${formatDuration(timeoutMs)}`;
}
