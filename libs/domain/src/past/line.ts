import type { RunType } from '../dag/events.ts';
import type { RunSummary } from './summary.ts';

/** Closing summaries that a DAG keeps in memory: those of the runs that were closed last. */
export const SUMMARIES_KEPT = 1_000;

/** A run with a logical date: one that has a previous run, and may be one. */
export interface DatedRun {
  readonly runId: string;
  readonly date: number;
  runType: RunType;
  /** Its place in the backfill that it is a run of, from 1. */
  ordinal?: number;
  /** The tasks that it consists of, where it is not all of its DAG's. */
  only?: ReadonlySet<string> | undefined;
  ignoresPast: boolean;
  /** How its tasks ended; undefined while it is open, and where nothing was recorded or kept. */
  summary: RunSummary | undefined;
}

/** The runs of a DAG by logical date. A run is found in logarithmic time, its neighbours in constant time. */
export class RunLine {
  private readonly runs: DatedRun[] = [];
  private readonly byId = new Map<string, DatedRun>();
  private readonly summarised = new Set<string>();

  add(run: DatedRun): void {
    this.runs.splice(this.placeOf(run.date), 0, run);
    this.byId.set(run.runId, run);
  }

  find(runId: string): DatedRun | undefined {
    return this.byId.get(runId);
  }

  ignorePast(runId: string): void {
    const run = this.byId.get(runId);
    if (run !== undefined) run.ignoresPast = true;
  }

  /** It is a run of a backfill from now on. */
  join(runId: string, ordinal: number): void {
    const run = this.byId.get(runId);
    if (run === undefined) return;
    run.runType = 'backfill';
    run.ordinal = ordinal;
  }

  /** It has not started, and will consist of these tasks; undefined: of all. */
  consist(runId: string, only: readonly string[] | undefined): void {
    const run = this.byId.get(runId);
    if (run !== undefined) run.only = only === undefined ? undefined : new Set(only);
  }

  /** Keeps what the next run needs to know; undefined forgets it. */
  summarise(runId: string, summary: RunSummary | undefined): void {
    const run = this.byId.get(runId);
    if (run === undefined) return;
    run.summary = summary;
    this.summarised.delete(runId);
    if (summary === undefined) return;
    this.summarised.add(runId);
    if (this.summarised.size <= SUMMARIES_KEPT) return;
    const [oldest] = this.summarised;
    this.summarised.delete(oldest!);
    this.byId.get(oldest!)!.summary = undefined;
  }

  /** With catch-up the last run before it that was not made by hand, else the last run before it. One without the task is none. */
  previousOf(runId: string, catchup: boolean, taskId?: string): DatedRun | undefined {
    const has = ({ only }: DatedRun): boolean => only === undefined || taskId === undefined || only.has(taskId);
    return this.before(runId, (run) => (!catchup || run.runType !== 'manual') && has(run));
  }

  /** Every run that is the previous one for some task. */
  allPreviousOf(runId: string, catchup: boolean): DatedRun[] {
    const found: DatedRun[] = [];
    this.before(runId, (run) => {
      if (catchup && run.runType === 'manual') return false;
      found.push(run);
      return run.only === undefined;
    });
    return found;
  }

  /** The last run before it for which `wanted` holds. */
  before(runId: string, wanted: (run: DatedRun) => boolean): DatedRun | undefined {
    const run = this.byId.get(runId);
    if (run === undefined) return undefined;
    for (let at = this.placeOf(run.date) - 1; at >= 0; at--) if (wanted(this.runs[at]!)) return this.runs[at];
    return undefined;
  }

  /** The runs for which it is the previous one of some task, or would be were it not made by hand. */
  followersOf(runId: string, catchup: boolean): DatedRun[] {
    const run = this.byId.get(runId);
    if (run === undefined) return [];
    const followers: DatedRun[] = [];
    for (let at = this.placeOf(run.date) + 1; at < this.runs.length; at++) {
      const next = this.runs[at]!;
      followers.push(next);
      if ((!catchup || next.runType !== 'manual') && next.only === undefined) break;
    }
    return followers;
  }

  /** How many runs lie before the date. */
  private placeOf(date: number): number {
    let low = 0;
    let high = this.runs.length;
    // Nearly every run comes after all others.
    if (high === 0 || this.runs[high - 1]!.date < date) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.runs[middle]!.date < date) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
