import { TOPICS, type AttemptReport, type SchedulerMessage } from '@rondo/contracts';
import type { MessageBus } from '@rondo/ports';

const GATHER_REPORTS = 64;
const GATHER_MS = 1;

export interface OutboxOptions {
  readonly bus: MessageBus;
  /** The workers have plenty to go on with: reports may be gathered. */
  readonly isBusy: () => boolean;
  /** Where a scheduler says that results are durable. Undefined: by a direct call. */
  readonly replyTo?: (report: AttemptReport) => number;
}

/** Reports on their way to the schedulers. */
export class Outbox {
  private readonly options: OutboxOptions;
  private reports: AttemptReport[] = [];
  private flushing = false;
  private gathering: NodeJS.Timeout | undefined;

  constructor(options: OutboxOptions) {
    this.options = options;
  }

  push(report: AttemptReport): void {
    this.reports.push(report);
  }

  /** To one DAG's scheduler. */
  send(message: SchedulerMessage): void {
    void this.options.bus.publish(TOPICS.schedulerInbox, [{ key: message.dagId, value: message }]);
  }

  /**
   * Passes the reports on, one message for each DAG. While the workers have plenty to go on with, a few are gathered first, so
   * that they share a decision and a commit; else they go at the end of this turn.
   */
  flush(): void {
    if (this.reports.length === 0) return;
    if (this.reports.length < GATHER_REPORTS && this.options.isBusy()) {
      this.gathering ??= setTimeout(() => this.passOn(), GATHER_MS);
      return;
    }
    if (this.flushing) return;
    this.flushing = true;
    queueMicrotask(() => this.passOn());
  }

  private passOn(): void {
    clearTimeout(this.gathering);
    this.gathering = undefined;
    this.flushing = false;
    const { bus, replyTo } = this.options;
    const { reports } = this;
    this.reports = [];
    const byDag = new Map<string, AttemptReport[]>();
    for (const report of reports) {
      const { dagId } = report.attempt;
      const key = replyTo === undefined ? dagId : `${replyTo(report)} ${dagId}`;
      const list = byDag.get(key);
      if (list === undefined) byDag.set(key, [report]);
      else list.push(report);
    }
    const messages = Array.from(byDag.values(), (list) => {
      const { dagId } = list[0]!.attempt;
      const value: SchedulerMessage = {
        kind: 'reports',
        dagId,
        reports: list,
        ...(replyTo === undefined ? {} : { replyTo: replyTo(list[0]!) }),
      };
      return { key: dagId, value };
    });
    void bus.publish(TOPICS.schedulerInbox, messages);
  }
}
