import type { AttemptRef, BundleRef, WaitAnswer, WatchAssignment } from '@rondo/domain';
import type { LogStore, WorkerReport } from '@rondo/ports';
import type { LogFrame } from '../child/frames.ts';
import type { Masker } from '../child/masker.ts';
import { AttemptLog, type LogBacklog } from '../pool/attempt-log.ts';

/** A wait as its worker keeps it: its assignment as the text that a child gets. */
export class Watched {
  readonly id: string;
  readonly attempt: AttemptRef;
  readonly bundle: BundleRef;
  readonly number: number;
  readonly json: string;
  /** It was begun to be poked, and has not ended since. */
  isPoking = false;
  /** One of several that were being poked when their process stopped. */
  isSuspect = false;
  /** How often its process has stopped with it alone to blame. */
  offences = 0;
  #log: AttemptLog | undefined;
  #logged = 0;

  constructor(json: string, number: number) {
    const { id, assignment } = JSON.parse(json) as WatchAssignment;
    this.id = id;
    this.attempt = assignment.attempt;
    this.bundle = assignment.bundle;
    this.number = number;
    this.json = json;
  }

  /** A log is kept only until it is written: thousands wait, and few of them speak. */
  log(line: LogFrame, { masker, ...options }: WatchLogOptions): void {
    if (this.#logged > options.maxBytes) return;
    this.#logged += line.text.length + 64;
    const log = (this.#log ??= new AttemptLog({ ...options, masker, attempt: this.attempt }));
    const { at, level, text } = line;
    log.add({ at, stream: 'log', level, text });
    void log.drained().then(() => {
      if (log.isDrained) this.#log = undefined;
    });
  }

  async logged(): Promise<void> {
    await this.#log?.drained();
  }
}

export interface WatchLogOptions {
  readonly store: LogStore;
  readonly masker: Masker;
  readonly backlog: LogBacklog;
  readonly maxBytes: number;
  readonly onError: (error: unknown) => void;
}

/**
 * The end of a wait. It goes by no outbox: one that is lost with this process leaves a wait that is still in the history,
 * which is stated again after a restart and poked again.
 */
export function waitedReport(id: string, answer: WaitAnswer, masker: Masker | undefined): WorkerReport {
  return { kind: 'waited', id, at: Date.now(), answer: masker === undefined ? answer : masked(answer, masker) };
}

function masked(answer: WaitAnswer, masker: Masker): WaitAnswer {
  if (answer.kind === 'failed') return { ...answer, error: masker.maskDeep(answer.error) };
  return answer.kind === 'skipped' ? { ...answer, reason: masker.mask(answer.reason) } : answer;
}
