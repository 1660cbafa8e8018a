import { ALERTS_SUBSCRIPTION } from '@rondo/contracts';
import type { PersistentSubscriptions, RecordedEvent, Subscription, Verdict } from '@rondo/ports';
import { ALERTING_TYPES, alertOf, type Alert } from './alert.ts';

const AT_ONCE = 100;

export interface AlertsOptions {
  readonly subscriptions: PersistentSubscriptions;
  /** Tells people. What it throws at is tried again, and laid aside when that is of no use. */
  readonly tell: (alert: Alert) => void | Promise<void>;
  readonly onProblem: (message: string, event: RecordedEvent, error: unknown) => void;
  readonly onDrop: (error: Error) => void;
  /** Default 10. */
  readonly maxRetries?: number;
}

/** Tells what happens to runs and tasks, each at least once, whichever process is free. Its place is kept by the store. */
export class Alerts {
  private readonly options: AlertsOptions;
  private subscription: Subscription | undefined;
  private told = 0;

  constructor(options: AlertsOptions) {
    this.options = options;
  }

  /** Begins, the first time, with what happens from now on. */
  async start(): Promise<void> {
    const { subscriptions, onDrop, maxRetries = 10 } = this.options;
    await subscriptions.create({ name: ALERTS_SUBSCRIPTION, eventTypes: ALERTING_TYPES, after: 'end', maxRetries });
    this.subscription = subscriptions.connect({
      name: ALERTS_SUBSCRIPTION,
      // One that an earlier release made gives everything of the runs.
      eventTypes: ALERTING_TYPES,
      atOnce: AT_ONCE,
      onEvent: (event, retries) => this.onEvent(event, retries),
      onDrop,
    });
  }

  async stop(): Promise<void> {
    await this.subscription?.stop();
  }

  async stand(): Promise<{ readonly told: number; readonly parked: number }> {
    const info = await this.options.subscriptions.info(ALERTS_SUBSCRIPTION);
    return { told: this.told, parked: info?.parked ?? 0 };
  }

  /** Tells again what was laid aside. */
  replayParked(): Promise<void> {
    return this.options.subscriptions.replayParked(ALERTS_SUBSCRIPTION);
  }

  private async onEvent(event: RecordedEvent, retries: number): Promise<Verdict> {
    let alert: Alert | undefined;
    try {
      alert = alertOf(event);
    } catch (error) {
      // It will not be easier to read next time.
      this.options.onProblem('an event cannot be read: it is laid aside', event, error);
      return 'park';
    }
    if (alert === undefined) return 'skip';
    try {
      await this.options.tell(alert);
      this.told++;
      return 'ack';
    } catch (error) {
      this.options.onProblem(`an alert was not told, ${retries + 1} times now`, event, error);
      return 'retry';
    }
  }
}
