import { Metrics } from '@rondo/nest-platform/service';
import { gatewayMetrics } from './metrics.ts';

const about = { worker: 'w', boot: 'b', release: '1', executor: 'local', queues: ['gpu'], labels: {} };

describe('metrics of a gateway', () => {
  it('tell what waits and what runs by queue, in the text format', async () => {
    const metrics = new Metrics();
    gatewayMetrics(metrics, {
      byQueue: () => new Map([['gpu "a"', { waiting: 3, assigned: 1 }]]),
      status: () => ({
        workers: [{ ...about, isConnected: true, isDraining: false, slots: 4, assigned: 1 }],
        ...{ slots: 4, waiting: 3, assigned: 1, partitions: 32, recovering: 2 },
      }),
    });
    const text = await metrics.text();
    expect(text).toContain('# TYPE rondo_attempts_waiting gauge\nrondo_attempts_waiting{queue="gpu \\"a\\""} 3\n');
    expect(text).toContain('rondo_attempts_assigned{queue="gpu \\"a\\""} 1\n');
    expect(text).toContain('rondo_workers_connected 1\n');
    expect(text).toContain('rondo_pool_partitions_recovering 2\n');
  });
});
