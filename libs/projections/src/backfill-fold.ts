import type { BackfillEvent, DagEvent } from '@rondo/domain';
import { assertNever } from '@rondo/kernel';
import type { BackfillDateRow, BackfillRow, RowSource } from '@rondo/ports';
import type { DecodedEvent } from './decode.ts';

/** The events of a DAG's stream that tell of backfills, or of dates that they take. */
export function backfillOf(event: DagEvent): number | undefined {
  switch (event.type) {
    case 'RunRequested':
    case 'RunReopened':
      return event.data.backfill?.backfillId;
    case 'BackfillCreated':
    case 'BackfillDatesPassed':
    case 'BackfillPaused':
    case 'BackfillResumed':
    case 'BackfillCancelled':
    case 'BackfillCompleted':
      return event.data.backfillId;
    default:
      return undefined;
  }
}

export function isBackfillEvent(event: DagEvent): event is BackfillEvent {
  return event.type.startsWith('Backfill');
}

/** The backfills that a batch speaks of, folded over their rows. */
export class BackfillFold {
  private readonly source: RowSource;
  private rows = new Map<string, BackfillRow>();
  private moved = new Set<string>();
  private dates: BackfillDateRow[] = [];

  constructor(source: RowSource) {
    this.source = source;
  }

  /** Brings in what the batch will ask for. */
  async load(batch: readonly DecodedEvent[]): Promise<void> {
    this.moved = new Set();
    this.dates = [];
    for (const each of batch) {
      if (each.kind !== 'dag' || each.event.type === 'BackfillCreated') continue;
      const backfillId = backfillOf(each.event);
      if (backfillId === undefined || this.rows.has(`${each.dagId} ${backfillId}`)) continue;
      const row = await this.source.backfill(each.dagId, backfillId);
      if (row !== undefined) this.rows.set(`${each.dagId} ${backfillId}`, row);
    }
  }

  /** `at`: when the event occurred, epoch milliseconds. */
  apply(dagId: string, event: DagEvent, at: number): void {
    const backfillId = backfillOf(event);
    if (backfillId === undefined) return;
    const key = `${dagId} ${backfillId}`;
    const row = event.type === 'BackfillCreated' ? created(dagId, event.data) : this.rows.get(key);
    if (row === undefined)
      throw new Error(`backfill ${backfillId} of DAG '${dagId}' is in the history before it was created`);
    const dates = datesOf(dagId, event);
    this.dates.push(...dates);
    this.rows.set(key, moved(row, event, at, dates));
    this.moved.add(key);
  }

  changes(): { readonly backfills: readonly BackfillRow[]; readonly backfillDates: readonly BackfillDateRow[] } {
    const backfills = Array.from(this.moved, (key) => this.rows.get(key)!);
    for (const { dagId, backfillId, endedAt } of backfills)
      if (endedAt !== null) this.rows.delete(`${dagId} ${backfillId}`);
    return { backfills, backfillDates: this.dates };
  }
}

function created(dagId: string, data: Extract<BackfillEvent, { type: 'BackfillCreated' }>['data']): BackfillRow {
  return {
    dagId,
    backfillId: data.backfillId,
    state: 'running',
    ...{ from: data.from, to: data.to, reprocess: data.reprocess, maxActiveRuns: data.maxActiveRuns },
    reverse: data.reverse ?? false,
    runOnLatestVersion: data.runOnLatestVersion ?? false,
    conf: data.conf ?? {},
    only: data.only ?? null,
    dates: data.dates,
    ...{ created: 0, cleared: 0, passed: 0 },
    createdAt: data.at,
    endedAt: null,
  };
}

function moved(row: BackfillRow, event: DagEvent, at: number, dates: readonly BackfillDateRow[]): BackfillRow {
  const count = (action: BackfillDateRow['action']): number => dates.filter((date) => date.action === action).length;
  const next = {
    ...row,
    created: row.created + count('create'),
    cleared: row.cleared + count('clear'),
    passed: row.passed + count('pass'),
  };
  if (!isBackfillEvent(event)) return next;
  switch (event.type) {
    case 'BackfillCreated':
    case 'BackfillDatesPassed':
      return next;
    case 'BackfillPaused':
      return { ...next, state: 'paused' };
    case 'BackfillResumed':
      return { ...next, state: 'running' };
    case 'BackfillCancelled':
      return { ...next, state: 'cancelled', endedAt: at };
    case 'BackfillCompleted':
      return { ...next, state: 'completed', endedAt: at };
    default:
      return assertNever(event, 'event of a backfill');
  }
}

function datesOf(dagId: string, event: DagEvent): readonly BackfillDateRow[] {
  if (event.type === 'BackfillDatesPassed')
    return event.data.dates.map(({ ordinal, logicalDate, reason, runId = null }) => ({
      ...{ dagId, backfillId: event.data.backfillId, ordinal, logicalDate, runId, reason },
      action: 'pass',
    }));
  if ((event.type !== 'RunRequested' && event.type !== 'RunReopened') || event.data.backfill === undefined) return [];
  const { runId, backfill } = event.data;
  const logicalDate = event.type === 'RunRequested' ? event.data.logicalDate : (event.data.logicalDate ?? null);
  const action = event.type === 'RunRequested' ? 'create' : 'clear';
  return [{ dagId, ...backfill, logicalDate, runId, action, reason: null }];
}
