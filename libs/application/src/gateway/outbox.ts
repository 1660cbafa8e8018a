import { TOPICS, type AttemptReport, type SchedulerMessage } from '@rondo/contracts';
import type { BusMessage, Clock, MessageBus } from '@rondo/ports';

const GATHER_REPORTS = 64;
const GATHER_MS = 1;
const RETRY_MS = 500;

export interface OutboxOptions {
  readonly bus: MessageBus;
  readonly clock: Clock;
  /** The workers have plenty to go on with: reports may be gathered. */
  readonly isBusy: () => boolean;
}

interface Outgoing {
  readonly report: AttemptReport;
  readonly replyTo: number | undefined;
}

/** Reports on their way to the schedulers. */
export class Outbox {
  private readonly options: OutboxOptions;
  private reports: Outgoing[] = [];
  private flushing = false;
  private cancelGathering: (() => void) | undefined;
  private closed = false;

  constructor(options: OutboxOptions) {
    this.options = options;
  }

  /** `replyTo`: the partition where the scheduler says that it is durable. */
  push(report: AttemptReport, replyTo?: number): void {
    this.reports.push({ report, replyTo });
  }

  /** To one DAG's scheduler. */
  send(message: SchedulerMessage): void {
    this.publish([{ key: message.dagId, value: message }]);
  }

  /** What cannot be published from here on is dropped. */
  close(): void {
    this.closed = true;
  }

  /**
   * Passes the reports on, one message for each DAG. While the workers have plenty to go on with, a few are gathered first, so
   * that they share a decision and a commit; else they go at the end of this turn.
   */
  flush(): void {
    if (this.reports.length === 0) return;
    if (this.reports.length < GATHER_REPORTS && this.options.isBusy()) {
      const { clock } = this.options;
      this.cancelGathering ??= clock.at(clock.now() + GATHER_MS, () => this.passOn());
      return;
    }
    if (this.flushing) return;
    this.flushing = true;
    queueMicrotask(() => this.passOn());
  }

  private passOn(): void {
    this.cancelGathering?.();
    this.cancelGathering = undefined;
    this.flushing = false;
    const { reports } = this;
    this.reports = [];
    const groups = new Map<string, { readonly replyTo: number | undefined; readonly list: AttemptReport[] }>();
    for (const { report, replyTo } of reports) {
      const { dagId } = report.attempt;
      const key = replyTo === undefined ? dagId : `${dagId} ${replyTo}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { replyTo, list: [report] });
      else group.list.push(report);
    }
    this.publish(
      Array.from(groups.values(), ({ replyTo, list }) => {
        const { dagId } = list[0]!.attempt;
        const answered = replyTo === undefined ? {} : { replyTo };
        return { key: dagId, value: { kind: 'reports', dagId, reports: list, ...answered } satisfies SchedulerMessage };
      }),
    );
  }

  /** A broker that is away is tried again: nobody else knows of what was lost or withdrawn. */
  private publish(messages: readonly BusMessage<SchedulerMessage>[]): void {
    const { bus, clock } = this.options;
    bus.publish(TOPICS.schedulerInbox, messages).catch(() => {
      if (!this.closed) clock.at(clock.now() + RETRY_MS, () => this.publish(messages));
    });
  }
}
