import type { CommandAnswer, CommandBus, DagCommand } from '@rondo/contracts';
import type { Clock, DagRunRow, LogStore, ReadModels, RunFilter, StreamTruncation } from '@rondo/ports';
import { runStream } from '../scheduler/envelope.ts';
import { checkArchive, writeArchive, type ArchiveParts } from './write-archive.ts';

export interface RunArchiverOptions extends ArchiveParts {
  readonly truncation: StreamTruncation;
  readonly logs: Pick<LogStore, 'read' | 'deleteRun'>;
  readonly readModels: Pick<ReadModels, 'runs'>;
  readonly commands: Pick<CommandBus, 'send'>;
  readonly clock: Clock;
  /** Runs that ended so long ago are archived, in milliseconds; restored ones so long after that. Default: those alone that are asked for. */
  readonly retentionMs?: number;
  /** Whether nobody else can be at it now (I2). */
  readonly isOwner: () => boolean;
  readonly onProblem: (message: string) => void;
  readonly onArchived?: (run: { readonly dagId: string; readonly runId: string; readonly archive: string }) => void;
  /** Runs of a turn. Default 20. */
  readonly perTurn?: number;
  /** Milliseconds between two turns that had nothing to do. Default 10,000. */
  readonly pauseMs?: number;
  /** Lines of a log may come so long after the end of their run, in milliseconds. Default 60,000. */
  readonly settleMs?: number;
}

const ENDED = ['success', 'failed'] as const;
/** In which the rows come to tell what was done; and after which what failed is tried again. */
const [SOON_MS, LATER_MS] = [60_000, 600_000];
const ACTOR = { kind: 'service', name: 'archiver' } as const;

/**
 * Archives runs, in one process of an installation. The DAG decides first that nothing more is decided about the run
 * (`RunArchiveBegun`); then the archive is written and read back, the run's stream is cut but for its last event, to
 * which the next one is chained (I13), naming the archive, its logs are
 * deleted, and the DAG is told. Each step may be done again: whoever comes after a crash finds the run in the read models as
 * being archived, and the archive at the cut.
 */
export class RunArchiver {
  private readonly options: RunArchiverOptions;
  /** Until when runs are left alone: those that were refused, or failed, or are done and not yet so in the rows. */
  private readonly passed = new Map<string, number>();
  private cancel: (() => void) | undefined;
  private running: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(options: RunArchiverOptions) {
    this.options = options;
  }

  start(): void {
    this.running = this.work();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.cancel?.();
    await this.running;
  }

  private async work(): Promise<void> {
    let done = 0;
    try {
      done = await this.turn();
    } catch (error) {
      this.options.onProblem(`runs are not archived just now: ${messageOf(error)}`);
    }
    if (this.stopped) return;
    const { clock, pauseMs = 10_000 } = this.options;
    this.cancel = clock.at(clock.now() + (done > 0 ? 0 : pauseMs), () => this.start());
  }

  /** Answers how many runs were moved on. */
  async turn(): Promise<number> {
    const { clock, settleMs = 60_000, retentionMs } = this.options;
    const now = clock.now();
    for (const [run, until] of this.passed) if (until <= now) this.passed.delete(run);
    const begun = { archive: 'archiving', endedBefore: now - settleMs, orderBy: 'endedAt' } as const;
    let done = await this.each(begun, (run) => this.archive(run));
    if (retentionMs === undefined) return done;
    const due = { state: ENDED, endedBefore: now - retentionMs, sealed: false, orderBy: 'endedAt' } as const;
    done += await this.each({ ...due, archive: null }, (run) => this.begin(run));
    const again = { ...due, archive: 'restored', archiveBefore: now - retentionMs } as const;
    return done + (await this.each(again, (run) => this.begin(run)));
  }

  private async each(filter: RunFilter, work: (run: DagRunRow) => Promise<boolean>): Promise<number> {
    const { readModels, isOwner, perTurn = 20 } = this.options;
    // Those that are passed over may come first: the page must have others too.
    const { items } = await readModels.runs(filter, { offset: 0, limit: Math.min(1_000, perTurn + this.passed.size) });
    let done = 0;
    for (const run of items.filter((each) => !this.passed.has(keyOf(each))).slice(0, perTurn))
      if (!this.stopped && isOwner() && (await work(run))) done++;
    return done;
  }

  private async begin(run: DagRunRow): Promise<boolean> {
    const answer = await this.send(run, { type: 'archiveRun', runId: run.runId });
    this.pass(run, answer.ok ? SOON_MS : LATER_MS);
    return answer.ok;
  }

  private async archive(run: DagRunRow): Promise<boolean> {
    try {
      await this.archiveOne(run);
      this.pass(run, SOON_MS);
      return true;
    } catch (error) {
      this.pass(run, LATER_MS);
      this.options.onProblem(`run '${run.runId}' of DAG '${run.dagId}' is not archived yet: ${messageOf(error)}`);
      return false;
    }
  }

  private pass(run: DagRunRow, ms: number): void {
    this.passed.set(keyOf(run), this.options.clock.now() + ms);
  }

  private async archiveOne(run: DagRunRow): Promise<void> {
    const { truncation, logs, isOwner, onArchived } = this.options;
    const { dagId, runId, startedAt, endedAt, tryNumber, reason } = run;
    const { hash: archive, before, chainHash: hash } = await this.written(run);
    if (!isOwner()) return;
    await truncation.truncate(runStream(dagId, runId), { before, note: archive });
    if (!isOwner()) return;
    await logs.deleteRun(dagId, runId);
    const facts = { runId, archive, before, hash, startedAt, endedAt, tryNumber, reason };
    const answer = await this.send(run, { type: 'finishArchive', ...facts });
    if (answer.ok) onArchived?.({ dagId, runId, archive });
    // The rows tell of what was: it has been finished already.
    else if (answer.code !== 'conflict') throw new Error(answer.message);
  }

  /** The archive at the cut, where somebody has come so far; else it is written now. */
  private async written(run: DagRunRow) {
    const { truncation, store, blobs } = this.options;
    const stream = runStream(run.dagId, run.runId);
    const cut = await truncation.cutOf(stream);
    let last = -1;
    for await (const events of store.readStream(stream, { backwards: true, limit: 1 })) last = events[0]!.revision;
    if (cut !== undefined && cut.before === last) {
      const archive = await checkArchive(blobs, cut.note);
      return { hash: cut.note, before: archive.before, chainHash: archive.hash };
    }
    const made = await writeArchive(this.options, { dagId: run.dagId, runId: run.runId });
    if (made === undefined) throw new Error('its stream has no events to take away');
    return { hash: made.hash, before: made.archive.before, chainHash: made.archive.hash };
  }

  private send({ dagId }: DagRunRow, command: DagCommand): Promise<CommandAnswer> {
    return this.options.commands.send({ dagId, actor: ACTOR, command });
  }
}

/** Of another step of the same run, after another event. */
const keyOf = ({ dagId, runId, archive, archiveAt }: DagRunRow): string => `${dagId}:${runId} ${archive} ${archiveAt}`;
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
