import type { LogStore, WorkerReport } from '@rondo/ports';
import type { LogFrame } from '../child/frames.ts';
import type { Masker } from '../child/masker.ts';
import type { Outbox } from '../outbox/outbox.ts';
import { AttemptLog, LogBacklog } from './attempt-log.ts';
import { reportOfEnd, reportUnderEnding, type ChildEnd } from './outcomes.ts';
import type { Running } from './running.ts';

/** How long a report waits for the end of its attempt's output. */
const OUTPUT_MS = 1_000;

export interface DeliveryOptions {
  readonly outbox: Outbox;
  readonly logs: LogStore;
  readonly maxLogBytes: number;
  readonly onReport: (id: string, report: string) => void;
  readonly onNotice: (text: string) => void;
}

/** The way of reports and output out of the pool: masked, into the journal and the log store, then on. */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #held = new Set<Promise<void>>();
  readonly backlog = new LogBacklog();

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  /** What a child has reported. Staged in the journal: the caller commits. `isMarked`: it has printed. */
  finished(running: Running, masker: Masker, json: string, isMarked: boolean): void {
    const { ending } = running;
    if (ending === undefined && masker.isEmpty) return this.#send(running, json, isMarked);
    const report = JSON.parse(json) as WorkerReport;
    const ended = ending === undefined ? report : reportUnderEnding(running, ending, report);
    this.#send(running, JSON.stringify(maskReport(ended, masker)), isMarked);
  }

  /** The child has ended instead. Staged in the journal: the caller commits. */
  ended(running: Running, masker: Masker, end: ChildEnd): void {
    const report = reportOfEnd(running, end);
    const text = noteOf(report);
    if (text !== undefined)
      this.#logOf(running, masker)?.add({ at: report.at, stream: 'system', level: 'error', text });
    this.#send(running, JSON.stringify(maskReport(report, masker)), false);
  }

  /** Work that was never begun. */
  refused(report: WorkerReport): void {
    const json = JSON.stringify(report);
    if (report.kind !== 'callback') this.#options.outbox.finish(report.id, json);
    this.#options.onReport(report.id, json);
  }

  log(running: Running, masker: Masker, { at, level, text }: LogFrame): void {
    this.#logOf(running, masker)?.add({ at, stream: 'log', level, text });
  }

  output(running: Running, masker: Masker, stream: 'stdout' | 'stderr', text: string, cutBytes: number): void {
    const log = this.#logOf(running, masker);
    if (log === undefined) this.#options.onNotice(`${running.work.id}: ${masker.mask(text)}`);
    else log.add({ at: Date.now(), stream, text }, cutBytes);
  }

  note(running: Running, masker: Masker, text: string): void {
    this.#logOf(running, masker)?.add({ at: Date.now(), stream: 'system', level: 'warn', text });
  }

  /** When no report waits for a log any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#held);
  }

  /** The report leaves once the log is whole; an attempt that wrote nothing waits for nothing. */
  #send(running: Running, report: string, isMarked: boolean): void {
    const { id, kind, isSealed } = running.work;
    const { outbox, onReport } = this.#options;
    // A callback whose end is not known is run again: its report is nothing to keep.
    if (kind === 'attempt') outbox.finish(id, report, isSealed);
    if (!isMarked && (running.log === undefined || running.log.isDrained)) return onReport(id, report);
    const wait = async (): Promise<void> => {
      if (isMarked) await running.marks(OUTPUT_MS);
      await running.log?.drained();
      onReport(id, report);
    };
    const held = wait();
    this.#held.add(held);
    void held.finally(() => this.#held.delete(held));
  }

  /** A callback of a DAG has no log of its own. */
  #logOf(running: Running, masker: Masker): AttemptLog | undefined {
    const { attempt, id } = running.work;
    if (attempt === undefined || running.log !== undefined) return running.log;
    const { logs: store, maxLogBytes: maxBytes, onNotice } = this.#options;
    const onError = (error: unknown): void => onNotice(`the log of ${id} could not be stored: ${String(error)}`);
    return (running.log = new AttemptLog({ store, attempt, masker, backlog: this.backlog, maxBytes, onError }));
  }
}

/** XComs stay as they are: the tasks downstream need them, and who returns a secret has made it one. */
function maskReport(report: WorkerReport, masker: Masker): WorkerReport {
  if (masker.isEmpty) return report;
  if (report.kind === 'callback')
    return report.error === undefined ? report : { ...report, error: masker.maskDeep(report.error) };
  if (report.kind !== 'finished') return report;
  const { outcome, rendered } = report;
  const shown = { ...report, ...(rendered === undefined ? {} : { rendered: masker.maskDeep(rendered) }) };
  if (outcome.kind === 'failed') return { ...shown, outcome: { ...outcome, error: masker.maskDeep(outcome.error) } };
  if (outcome.kind === 'skipped') return { ...shown, outcome: { ...outcome, reason: masker.mask(outcome.reason) } };
  return shown;
}

function noteOf(report: WorkerReport): string | undefined {
  if (report.kind === 'lost') return `The attempt was given up: ${report.reason}`;
  return report.kind === 'finished' && report.outcome.kind === 'failed'
    ? `The attempt was ended: ${report.outcome.error.message}`
    : undefined;
}
