import type { TaskError } from '@rondo/domain';
import { errorOfEnd, type PodEnd } from '../pod/stand.ts';
import type { EndReport, Entry } from './entry.ts';

/** A failure that no worker has reported. */
export function failed(entry: Entry, error: TaskError, retryable: boolean): EndReport {
  const at = Date.now();
  return {
    kind: 'finished',
    id: entry.id,
    startedAt: entry.startedAt ?? at,
    at,
    // Of this machine it has none.
    pid: 0,
    outcome: { kind: 'failed', error, retryable, callbacksRan: false },
  };
}

export function lost({ id, name }: Entry, reason: string): EndReport {
  return { kind: 'lost', id, at: Date.now(), reason: `${reason} (pod ${name})` };
}

export function cancelled(entry: Entry): EndReport {
  return failed(entry, { kind: 'cancelled', message: entry.cancelled?.reason ?? 'cancelled' }, false);
}

/** What is to be said of an attempt whose pod has ended without its result. */
export function reportOfPodEnd(entry: Entry, end: PodEnd, logTail: readonly string[]): EndReport {
  if (entry.cancelled !== undefined) return cancelled(entry);
  const error = errorOfEnd(end, logTail);
  if (error !== undefined) return failed(entry, error, true);
  return lost(entry, end.kind === 'success' ? "the pod's worker has left without a result" : end.message);
}
