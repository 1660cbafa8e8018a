import { eventHash, prevOf } from '@rondo/contracts';
import type { EventStore, RecordedEvent } from '@rondo/ports';

/** Ends of an attempt: of each attempt there is one at most (I1). */
const ENDS = new Set(['TaskSucceeded', 'TaskFailed', 'TaskLost', 'TaskRetryScheduled', 'TaskSkipped', 'TaskDeferred']);

export interface HistoryCheck {
  readonly events: number;
  readonly byType: Readonly<Record<string, number>>;
  /** What must not be. */
  readonly faults: readonly string[];
}

/** Reads the whole history: each stream without a gap and chained by hash (I13), no attempt decided twice, no success undone. */
export async function checkHistory(store: EventStore): Promise<HistoryCheck> {
  const faults: string[] = [];
  const byType: Record<string, number> = {};
  const heads = new Map<string, { readonly revision: number; readonly hash: string }>();
  const ends = new Map<string, string>();
  const succeeded = new Set<string>();
  const ids = new Set<string>();
  let events = 0;
  for await (const page of store.readAll(0))
    for (const event of page) {
      events++;
      byType[event.type] = (byType[event.type] ?? 0) + 1;
      if (ids.has(event.id)) faults.push(`${event.stream}@${event.revision}: event ${event.id} is there twice`);
      ids.add(event.id);
      faults.push(...chainFaults(event, heads));
      if (event.stream.startsWith('dagRun-')) faults.push(...decisionFaults(event, ends, succeeded));
    }
  return { events, byType, faults };
}

function chainFaults(
  { stream, revision, id, type, data, meta }: RecordedEvent,
  heads: Map<string, { readonly revision: number; readonly hash: string }>,
): string[] {
  const head = heads.get(stream);
  heads.set(stream, { revision, hash: eventHash(stream, revision, id, type, data, meta) });
  if (revision !== (head?.revision ?? -1) + 1) return [`${stream}: ${revision} follows ${head?.revision ?? 'nothing'}`];
  return prevOf(meta) === (head?.hash ?? '') ? [] : [`${stream}@${revision}: the chain is broken`];
}

interface Key {
  readonly taskId?: string;
  readonly mapIndex?: readonly number[];
  readonly tryNumber?: number;
  readonly leg?: number;
}

function decisionFaults(event: RecordedEvent, ends: Map<string, string>, succeeded: Set<string>): string[] {
  const { taskId, mapIndex, tryNumber, leg } = JSON.parse(event.data) as Key;
  if (taskId === undefined || mapIndex === undefined || tryNumber === undefined) return [];
  const instance = `${event.stream} ${taskId}[${mapIndex.join('.')}]`;
  const attempt = `${instance} ${tryNumber}.${leg}`;
  const faults: string[] = [];
  if (event.type === 'TaskStarted' && succeeded.has(instance)) faults.push(`${attempt} started after its success`);
  if (!ENDS.has(event.type)) return faults;
  const other = ends.get(attempt);
  if (other !== undefined && event.type !== 'TaskRetryScheduled')
    faults.push(`${attempt}: ${other}, then ${event.type}`);
  if (event.type !== 'TaskRetryScheduled') ends.set(attempt, event.type);
  if (event.type === 'TaskSucceeded') succeeded.add(instance);
  return faults;
}
