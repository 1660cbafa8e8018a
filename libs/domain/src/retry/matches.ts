import type { TaskError } from '../task-instance/outcome.ts';

/** What a shell answers for a process that was ended by SIGKILL. */
const KILLED = 137;

/**
 * The process ended for want of memory, or in the way in which the system ends one that wants too much. A task that throws
 * what a process of its own came to (its error has an exit code or a signal) counts as well.
 */
export function isOutOfMemory(error: TaskError): boolean {
  if (error.exitCode === KILLED || error.signal === 'SIGKILL') return true;
  return error.kind === 'exit' && error.message.includes('ran out of memory');
}
