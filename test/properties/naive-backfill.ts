/**
 * What a backfill of a daily DAG has to do, told from its history event by event. It knows nothing of the code: dates are
 * whole days, and every count is taken anew from what the events said.
 */
export interface Written {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const DAY = 86_400_000;

interface NaiveRun {
  readonly id: string;
  readonly date: number | null;
  stand: 'queued' | 'active' | 'success' | 'failed';
  backfill: number | undefined;
  ordinal: number;
  /** Somebody cleared it, rather than a backfill. */
  cleared: boolean;
}

interface NaiveBackfill {
  readonly dates: readonly number[];
  readonly reprocess: string;
  readonly limit: number;
  paused: boolean;
  over: false | 'completed' | 'cancelled';
  taken: number;
}

export class NaiveBackfills {
  readonly runs = new Map<string, NaiveRun>();
  readonly backfills = new Map<number, NaiveBackfill>();
  private dagPaused = false;
  private readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  see({ type, data }: Written): void {
    const id = data['runId'] as string;
    const ref = data['backfill'] as { backfillId: number; ordinal: number } | undefined;
    switch (type) {
      case 'DagPaused':
      case 'DagUnpaused':
        this.dagPaused = type === 'DagPaused';
        return;
      case 'RunRequested': {
        const date = data['logicalDate'] as number | null;
        expect(this.runs.has(id)).toBe(false);
        if (ref !== undefined) {
          expect(data['runType']).toBe('backfill');
          this.take(ref.backfillId, ref.ordinal, date!);
          expect(this.at(date!)).toBeUndefined();
        }
        this.runs.set(id, {
          ...{ id, date, stand: 'queued', backfill: ref?.backfillId, ordinal: ref?.ordinal ?? 0, cleared: false },
        });
        return;
      }
      case 'RunReopened': {
        const run = this.runs.get(id)!;
        expect(['success', 'failed']).toContain(run.stand);
        if (ref !== undefined) {
          this.take(ref.backfillId, ref.ordinal, run.date!);
          const { reprocess } = this.backfills.get(ref.backfillId)!;
          expect(reprocess === 'completed' || (reprocess === 'failed' && run.stand === 'failed')).toBe(true);
          [run.backfill, run.ordinal] = [ref.backfillId, ref.ordinal];
        }
        run.cleared = ref === undefined;
        run.stand = 'queued';
        return;
      }
      case 'RunAdmitted':
        this.admit(this.runs.get(id)!);
        return;
      case 'RunClosed':
        this.runs.get(id)!.stand = data['state'] as 'success' | 'failed';
        return;
      default:
        this.seeBackfill(type, data);
    }
  }

  private seeBackfill(type: string, data: Written['data']): void {
    const backfillId = data['backfillId'] as number;
    const backfill = this.backfills.get(backfillId)!;
    switch (type) {
      case 'BackfillCreated':
        expect(this.open).toBeUndefined();
        this.backfills.set(backfillId, create(data));
        return;
      case 'BackfillDatesPassed':
        for (const { ordinal, logicalDate, reason } of data['dates'] as {
          ordinal: number;
          logicalDate: number;
          reason: string;
        }[]) {
          this.take(backfillId, ordinal, logicalDate);
          const there = this.at(logicalDate)!;
          const isOver = there.stand === 'success' || there.stand === 'failed';
          expect(reason).toBe(isOver ? 'already exists' : 'in flight');
          if (isOver) expect(backfill.reprocess === 'none' || there.stand === 'success').toBe(true);
          if (isOver) expect(backfill.reprocess).not.toBe('completed');
        }
        return;
      case 'BackfillPaused':
      case 'BackfillResumed':
        backfill.paused = type === 'BackfillPaused';
        return;
      case 'BackfillCancelled':
        [backfill.over, backfill.paused] = ['cancelled', false];
        return;
      case 'BackfillCompleted':
        expect(backfill.taken).toBe(backfill.dates.length);
        expect(this.of(backfillId, 'queued', 'active')).toEqual([]);
        [backfill.over, backfill.paused] = ['completed', false];
        return;
      default:
    }
  }

  /** The next date of its range, and no other. */
  private take(backfillId: number, ordinal: number, date: number): void {
    const backfill = this.backfills.get(backfillId)!;
    expect(backfill.over).toBe(false);
    expect(backfill.paused).toBe(false);
    expect(ordinal).toBe(backfill.taken + 1);
    expect(date).toBe(backfill.dates[backfill.taken]);
    backfill.taken++;
  }

  private admit(run: NaiveRun): void {
    expect(run.stand).toBe('queued');
    expect(this.dagPaused).toBe(false);
    const beside = [...this.runs.values()].filter((each) => each.backfill === run.backfill);
    const active = beside.filter((each) => each.stand === 'active').length;
    if (run.backfill === undefined) expect(active).toBeLessThan(this.limit);
    else {
      const backfill = this.backfills.get(run.backfill)!;
      expect(backfill.paused).toBe(false);
      expect(backfill.over === 'cancelled' && !run.cleared).toBe(false);
      expect(active).toBeLessThan(backfill.limit);
      for (const each of beside) if (each.stand === 'queued') expect(run.ordinal).toBeLessThanOrEqual(each.ordinal);
    }
    run.stand = 'active';
  }

  /** With nothing left to decide: no run waits that could be active, no date that could be taken. */
  checkQuiet(): void {
    const { open } = this;
    if (open !== undefined) {
      const waiting = this.of(open[0], 'queued').length;
      if (!open[1].paused) expect(open[1].taken === open[1].dates.length || waiting > 0).toBe(true);
      expect(open[1].taken === open[1].dates.length && this.of(open[0], 'queued', 'active').length === 0).toBe(false);
    }
    for (const [id, { over }] of this.backfills)
      if (over === 'cancelled') expect(this.of(id, 'queued').filter((run) => !run.cleared)).toEqual([]);
    if (this.dagPaused) return;
    for (const [id, { paused, limit }] of this.backfills)
      if (!paused) expect(this.of(id, 'queued').length === 0 || this.of(id, 'active').length === limit).toBe(true);
    const others = [...this.runs.values()].filter((run) => run.backfill === undefined);
    const active = others.filter((run) => run.stand === 'active').length;
    expect(active === this.limit || others.every((run) => run.stand !== 'queued')).toBe(true);
  }

  get open(): [number, NaiveBackfill] | undefined {
    return [...this.backfills].find(([, { over }]) => over === false);
  }

  private of(backfillId: number, ...stands: readonly NaiveRun['stand'][]): NaiveRun[] {
    return [...this.runs.values()].filter((run) => run.backfill === backfillId && stands.includes(run.stand));
  }

  private at(date: number): NaiveRun | undefined {
    for (const run of this.runs.values()) if (run.date === date) return run;
    return undefined;
  }
}

/** Midnights from the first bound to the last of which the day was over. */
function create(data: Written['data']): NaiveBackfill {
  const { from, to, at, reverse, reprocess, maxActiveRuns } = data as {
    from: number;
    to: number;
    at: number;
    reverse?: boolean;
    reprocess: string;
    maxActiveRuns: number;
  };
  const dates: number[] = [];
  for (let date = Math.ceil(from / DAY) * DAY; date <= to && date + DAY < at; date += DAY) dates.push(date);
  if (reverse === true) dates.reverse();
  expect(data['dates']).toBe(dates.length);
  return { dates, reprocess, limit: maxActiveRuns, paused: false, over: false, taken: 0 };
}
