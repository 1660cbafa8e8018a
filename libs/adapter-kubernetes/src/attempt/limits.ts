import type { Settings } from '../options.ts';
import type { EndReport, Entry } from './entry.ts';
import { cancelled, failed, lost } from './reports.ts';

/** How long after its grace a pod that is being deleted may be about, before its node is taken for gone. */
const TERMINATION_SPARE_MS = 60_000;

export interface Due {
  readonly report: EndReport;
  readonly andDelete: boolean;
}

/** What is to be said of an attempt because some time is over; undefined: nothing. Milliseconds, `now` monotonic. */
export function dueOf(entry: Entry, settings: Settings, leaseMs: number, now: number): Due | undefined {
  const { pod, stuck, mayHaveBegun, heardAt } = entry;
  if (pod === undefined || entry.isConcluding) return undefined;
  const isSilent = now - heardAt >= leaseMs;
  if (entry.unseen !== undefined) {
    // I3: what nobody sees any more may still run, until its worker's lease is over.
    if (mayHaveBegun && !isSilent) return undefined;
    return { report: ended(entry, entry.unseen), andDelete: false };
  }
  const { deletionTimestamp } = pod.metadata;
  if (deletionTimestamp !== undefined) {
    const isOverdue = Date.now() - Date.parse(deletionTimestamp) >= TERMINATION_SPARE_MS;
    const isOut = mayHaveBegun ? isOverdue && isSilent : !entry.isRunning;
    return isOut
      ? { report: ended(entry, 'its pod was deleted, and its node says nothing'), andDelete: false }
      : undefined;
  }
  if (entry.cancelled !== undefined) return undefined;
  const isLate = !entry.isRunning && now - entry.since >= settings.startLimitMs;
  if (isLate || stuck?.isFinal === true) {
    const type = stuck?.reason ?? 'NotStarted';
    const message = stuck?.message ?? `the pod has not started: ${pod.status?.phase ?? 'Pending'}`;
    return { report: failed(entry, { kind: 'exit', type, message }, true), andDelete: true };
  }
  if (entry.isRunning && now - heardAt >= Math.max(settings.silenceMs, leaseMs))
    return { report: lost(entry, 'nothing was heard of its pod'), andDelete: true };
  if (entry.assignment === undefined && !mayHaveBegun && now - entry.since >= settings.orphanMs)
    return { report: lost(entry, 'nobody wants it begun'), andDelete: true };
  return undefined;
}

function ended(entry: Entry, reason: string): EndReport {
  return entry.cancelled === undefined ? lost(entry, reason) : cancelled(entry);
}
