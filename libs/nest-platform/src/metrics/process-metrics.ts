import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Metrics } from './metrics.ts';

/** The event loop is looked at so often; milliseconds. */
const RESOLUTION_MS = 20;

/** What every process tells, under the names that dashboards know. */
export function processMetrics(metrics: Metrics, service: string, release: string): void {
  metrics.gauge('rondo_build_info', 'The service and its release.', () => [[{ service, release }, 1]]);
  metrics.total('process_cpu_seconds_total', 'Processor time of the process.', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  metrics.gauge('process_start_time_seconds', 'When the process began, in seconds since 1970.', () =>
    Math.round(performance.timeOrigin / 1_000),
  );
  metrics.gauge('process_resident_memory_bytes', 'Memory of the process.', () => process.memoryUsage.rss());
  metrics.gauge('nodejs_heap_size_used_bytes', 'Memory in use of JavaScript.', () => process.memoryUsage().heapUsed);
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  metrics.gauge(
    'nodejs_eventloop_lag_p99_seconds',
    'How late the event loop was, in one of a hundred looks, since it was last asked.',
    () => {
      const lag = Math.max(0, delay.percentile(99) / 1e9 - RESOLUTION_MS / 1_000);
      delay.reset();
      return Number.isFinite(lag) ? lag : 0;
    },
  );
}
