import type { Gateway } from '@rondo/application';

/** Prometheus' text format. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

/** What autoscaling of workers goes by, and how the gateway stands. All are gauges of this gateway; a sum is over gateways. */
export function metricsText(gateway: Pick<Gateway, 'byQueue' | 'status'>): string {
  const { workers, slots, partitions, recovering } = gateway.status();
  const queues = [...gateway.byQueue()];
  const connected = workers.filter(({ isConnected }) => isConnected).length;
  return [
    gauge(
      'rondo_attempts_waiting',
      'Attempts that wait for a pool, a limit or a worker.',
      queues.map(([queue, { waiting }]) => [{ queue }, waiting]),
    ),
    gauge(
      'rondo_attempts_assigned',
      'Attempts that are with workers.',
      queues.map(([queue, { assigned }]) => [{ queue }, assigned]),
    ),
    gauge('rondo_workers_connected', 'Workers with a session.', [[{}, connected]]),
    gauge('rondo_worker_slots', 'Attempts that the workers take at once from this gateway.', [[{}, slots]]),
    gauge('rondo_pool_partitions', 'Partitions of pools that this gateway owns.', [[{}, partitions]]),
    gauge('rondo_pool_partitions_recovering', 'Of those, the ones whose attempts may not be handed out yet.', [
      [{}, recovering],
    ]),
  ].join('');
}

function gauge(name: string, help: string, samples: readonly Sample[]): string {
  const lines = samples.map(([labels, value]) => `${name}${labelsText(labels)} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines.join('')}`;
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

const escaped = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
