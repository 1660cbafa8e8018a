import type { Metrics } from '@rondo/nest-platform/service';
import type { WorkerService } from './worker-service.ts';

/** What a worker is up to. */
export function workerMetrics(metrics: Metrics, worker: Pick<WorkerService, 'status'>, slots: number): void {
  metrics.gauge('rondo_worker_attempts_running', 'Attempts that run here.', () => worker.status().running);
  metrics.gauge('rondo_worker_attempts_limit', 'Attempts that run here at most.', () => slots);
  metrics.gauge(
    'rondo_worker_results_undelivered',
    'Attempts that have ended and whose result no gateway has acknowledged.',
    () => worker.status().undelivered,
  );
  metrics.gauge(
    'rondo_worker_leases',
    'Gateways with a session: this worker holds a lease of each.',
    () => worker.status().gateways.length,
  );
  metrics.gauge('rondo_worker_draining', '1: it takes nothing new.', () => (worker.status().isDraining ? 1 : 0));
  metrics.gauge(
    'rondo_worker_spooled_log_bytes',
    'Lines of logs that no gateway has taken yet.',
    () => worker.status().spooledBytes,
  );
}
