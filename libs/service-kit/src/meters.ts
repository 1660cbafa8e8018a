import type { KafkaBus } from '@rondo/adapter-kafka';
import type { Metrics } from '@rondo/nest-platform/service';
import type { AppendOutcome, AppendRequest, EventStore } from '@rondo/ports';

/** Counts and times what this process appends to the history. */
export function meterAppends(metrics: Metrics, store: Pick<EventStore, 'append'>): void {
  const appended = metrics.counter('rondo_events_appended_total', 'Events that this process has appended.');
  const conflicts = metrics.counter(
    'rondo_append_conflicts_total',
    'Appends that were refused because another process had written to the stream.',
  );
  const failures = metrics.counter('rondo_append_failures_total', 'Appends that the event store did not answer.');
  const took = metrics.seconds('rondo_append_seconds', 'How long a chain of appends takes until it is durable.');
  const append = store.append.bind(store);
  store.append = async (chain: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> => {
    const begin = performance.now();
    try {
      const outcomes = await append(chain);
      took((performance.now() - begin) / 1_000);
      for (const [at, { ok }] of outcomes.entries())
        if (ok) appended(chain[at]!.events.length);
        else conflicts();
      return outcomes;
    } catch (error) {
      failures();
      throw error;
    }
  };
}

export function meterBus(metrics: Metrics, bus: Pick<KafkaBus, 'lag'>): void {
  metrics.gauge(
    'rondo_consumer_lag_messages',
    'Messages of the partitions of this process that are not committed as handled.',
    async () => (await bus.lag()).map(({ topic, group, messages }) => [{ topic, group }, messages]),
  );
}

/** Positions are those of the event store: its own count, of events or of bytes. */
export function meterReadModels(
  metrics: Metrics,
  models: { status(): { readonly position: number } },
  store: Pick<EventStore, 'head'>,
): void {
  const position = (): number => models.status().position;
  metrics.gauge('rondo_read_models_position', 'Up to which position of the history the read models are.', position);
  metrics.gauge('rondo_history_position', 'The position of the last event of the history.', () => store.head());
  metrics.gauge(
    'rondo_read_models_lag',
    'What the read models are behind the history, in positions; 0: nothing is missing.',
    async () => Math.max(0, (await store.head()) - position()),
  );
}
