import type {
  EventStore,
  PersistentSubscriptions,
  RecordedEvent,
  Subscription,
  TraceSink,
  Verdict,
} from '@rondo/ports';
import { runStream } from '../scheduler/envelope.ts';
import { traceOfRun } from './run-trace.ts';

export interface RunTracerOptions {
  readonly store: Pick<EventStore, 'readStream'>;
  readonly subscriptions: PersistentSubscriptions;
  readonly sink: TraceSink;
  readonly onProblem: (message: string) => void;
  readonly onDrop: (error: Error) => void;
  /** Milliseconds before a trace that was not taken is sent again. Default 5,000. */
  readonly pauseMs?: number;
}

const NAME = 'rondo-traces';
const TYPES = ['RunClosed'];
const AT_ONCE = 4;
/** With the pause about half a day; then it is laid aside. */
const MAX_RETRIES = 10_000;

/**
 * Sends the trace of each run when the run is closed, whole, made from its events: whoever decided or ran it, and however often
 * that was another process. At least once, by whichever process is free; the store keeps the place.
 */
export class RunTracer {
  private readonly options: RunTracerOptions;
  private subscription: Subscription | undefined;
  private sent = 0;

  constructor(options: RunTracerOptions) {
    this.options = options;
  }

  /** Begins, the first time, with runs that end from now on. */
  async start(): Promise<void> {
    const { subscriptions, onDrop } = this.options;
    await subscriptions.create({ name: NAME, eventTypes: TYPES, after: 'end', maxRetries: MAX_RETRIES });
    this.subscription = subscriptions.connect({
      ...{ name: NAME, eventTypes: TYPES, atOnce: AT_ONCE, onDrop },
      onEvent: (event) => this.onClosed(event),
    });
  }

  async stop(): Promise<void> {
    await this.subscription?.stop();
    await this.options.sink.close();
  }

  /** Traces that this process has sent. */
  get count(): number {
    return this.sent;
  }

  private async onClosed({ stream, data }: RecordedEvent): Promise<Verdict> {
    const { store, sink, onProblem, pauseMs = 5_000 } = this.options;
    const dagId = stream.slice('dag-'.length);
    const { runId } = JSON.parse(data) as { readonly runId: string };
    try {
      const events: RecordedEvent[] = [];
      for await (const page of store.readStream(runStream(dagId, runId))) events.push(...page);
      const spans = traceOfRun(dagId, runId, events);
      // It never started, or has come back since: then it is closed again.
      if (spans === undefined) return 'skip';
      await sink.export(spans);
      this.sent++;
      return 'ack';
    } catch (error) {
      onProblem(`the trace of run '${runId}' of DAG '${dagId}' was not sent yet: ${String(error)}`);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      return 'retry';
    }
  }
}
