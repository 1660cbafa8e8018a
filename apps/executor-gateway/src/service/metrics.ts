import type { Gateway } from '@rondo/application';
import type { Metrics } from '@rondo/nest-platform/service';

/** What autoscaling of workers goes by, and how the gateway stands. All are of this gateway; a sum is over gateways. */
export function gatewayMetrics(metrics: Metrics, gateway: Pick<Gateway, 'byQueue' | 'status'>): void {
  metrics.gauge('rondo_attempts_waiting', 'Attempts that wait for a pool, a limit or a worker.', () =>
    Array.from(gateway.byQueue(), ([queue, { waiting }]) => [{ queue }, waiting]),
  );
  metrics.gauge('rondo_attempts_assigned', 'Attempts that are with workers.', () =>
    Array.from(gateway.byQueue(), ([queue, { assigned }]) => [{ queue }, assigned]),
  );
  const workers = (isConnected: boolean): number =>
    gateway.status().workers.filter((worker) => worker.isConnected === isConnected).length;
  metrics.gauge('rondo_workers_connected', 'Workers with a session.', () => workers(true));
  metrics.gauge('rondo_workers_away', 'Workers without a session whose lease is not over.', () => workers(false));
  metrics.gauge(
    'rondo_worker_slots',
    'Attempts that the workers take at once from this gateway.',
    () => gateway.status().slots,
  );
  metrics.gauge(
    'rondo_pool_partitions',
    'Partitions of pools that this gateway owns.',
    () => gateway.status().partitions,
  );
  metrics.gauge(
    'rondo_pool_partitions_recovering',
    'Of those, the ones whose attempts may not be handed out yet.',
    () => gateway.status().recovering,
  );
}
