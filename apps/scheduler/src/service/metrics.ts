import type { Scheduler } from '@rondo/application';
import type { Metrics } from '@rondo/nest-platform/service';

/** What a scheduler has done, and what is in its way. */
export function schedulerMetrics(
  metrics: Metrics,
  scheduler: Pick<Scheduler, 'meter' | 'shardCount' | 'quarantine'>,
): void {
  const { meter } = scheduler;
  metrics.gauge('rondo_scheduler_shards', 'Shards of DAGs that this scheduler owns.', () => scheduler.shardCount ?? 0);
  metrics.total('rondo_scheduler_decisions_total', 'Times that one DAG was decided about.', () => meter.turns);
  metrics.total('rondo_scheduler_batches_total', 'Batches of messages that were handled.', () => meter.batches);
  metrics.total('rondo_scheduler_events_total', 'Events that were decided on.', () => meter.events);
  metrics.total('rondo_scheduler_seconds_total', 'Time that deciding, appending and telling others took.', () => [
    [{ part: 'decide' }, meter.decideMs / 1_000],
    [{ part: 'append' }, meter.appendMs / 1_000],
    [{ part: 'dispatch' }, meter.dispatchMs / 1_000],
  ]);
  metrics.gauge(
    'rondo_scheduler_runs_quarantined',
    'Runs whose decision kept failing: they wait for a person.',
    () => scheduler.quarantine().size,
  );
}
