import { assertNever } from '@rondo/kernel';
import type { DagState, OpenRun } from '../dag/state.ts';
import type { BackfillCreatedData, BackfillEvent, BackfillRef } from './events.ts';

export type BackfillStand = 'running' | 'paused' | 'completed' | 'cancelled';

/** One backfill of a DAG, folded in place. */
export interface BackfillState {
  readonly spec: BackfillCreatedData;
  stand: BackfillStand;
  /** Dates that have got a run or been passed over, in its order. */
  taken: number;
  /** Its runs that wait, and those that are admitted. */
  readonly queued: Set<string>;
  readonly active: Set<string>;
}

/** The backfills of a DAG. Of a DAG's open runs those of backfills are counted apart from the others. */
export class Backfills {
  readonly all = new Map<number, BackfillState>();
  /** The one that is not over: a DAG has one at a time. */
  current: BackfillState | undefined;
  queuedRuns = 0;
  activeRuns = 0;

  get(backfillId: number): BackfillState | undefined {
    return this.all.get(backfillId);
  }

  /** A run of a backfill waits, starts, or (undefined) is closed. */
  place(run: Pick<OpenRun, 'runId' | 'backfill'>, to: 'queued' | 'active' | undefined): void {
    const backfill = run.backfill === undefined ? undefined : this.all.get(run.backfill.backfillId);
    if (backfill === undefined) return;
    if (backfill.queued.delete(run.runId)) this.queuedRuns--;
    if (backfill.active.delete(run.runId)) this.activeRuns--;
    if (to === 'queued') this.queuedRuns += add(backfill.queued, run.runId);
    if (to === 'active') this.activeRuns += add(backfill.active, run.runId);
  }

  /** The date has its run. */
  take({ backfillId, ordinal }: BackfillRef): void {
    const backfill = this.all.get(backfillId);
    if (backfill !== undefined && ordinal > backfill.taken) backfill.taken = ordinal;
  }
}

function add(set: Set<string>, runId: string): number {
  set.add(runId);
  return 1;
}

export function evolveBackfill(dag: DagState, event: BackfillEvent): void {
  const { backfills } = dag;
  if (event.type === 'BackfillCreated') {
    const made: BackfillState = {
      spec: event.data,
      stand: 'running',
      taken: 0,
      queued: new Set(),
      active: new Set(),
    };
    backfills.all.set(event.data.backfillId, made);
    backfills.current = made;
    return;
  }
  const backfill = backfills.all.get(event.data.backfillId);
  if (backfill === undefined)
    throw new Error(`DAG '${dag.dagId}' has no backfill ${event.data.backfillId}, of which ${event.type} speaks`);
  switch (event.type) {
    case 'BackfillDatesPassed':
      for (const { ordinal } of event.data.dates) backfills.take({ backfillId: backfill.spec.backfillId, ordinal });
      return;
    case 'BackfillPaused':
      backfill.stand = 'paused';
      return;
    case 'BackfillResumed':
      backfill.stand = 'running';
      return;
    case 'BackfillCancelled':
    case 'BackfillCompleted':
      backfill.stand = event.type === 'BackfillCancelled' ? 'cancelled' : 'completed';
      if (backfills.current === backfill) backfills.current = undefined;
      return;
    default:
      assertNever(event, 'event of a backfill');
  }
}
