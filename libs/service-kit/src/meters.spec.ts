import { Metrics } from '@rondo/nest-platform/service';
import { StoreUnavailableError, type NewEvent } from '@rondo/ports';
import { memoryEventStore } from '@rondo/testing';
import { meterAppends, meterReadModels } from './meters.ts';

const event = (n: number): NewEvent => ({
  id: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
  type: 'Happened',
  data: '{}',
  meta: '{}',
});

const tell = async (metrics: Metrics): Promise<readonly string[]> => (await metrics.text()).split('\n');

describe('metrics of appends', () => {
  it('count the events that were written, and the conflict that ends a chain', async () => {
    const [metrics, store] = [new Metrics(), memoryEventStore()];
    meterAppends(metrics, store);
    const to = (stream: string, expected: 'noStream' | 7, ...events: NewEvent[]) => ({ stream, expected, events });
    await store.append([to('a', 'noStream', event(1), event(2)), to('b', 7, event(3)), to('c', 'noStream', event(4))]);
    const lines = await tell(metrics);
    expect(lines).toContain('rondo_events_appended_total 2');
    expect(lines).toContain('rondo_append_conflicts_total 1');
    expect(lines).toContain('rondo_append_failures_total 0');
    expect(lines).toContain('rondo_append_seconds_count 1');
    expect((await store.listStreams('')).map(({ stream }) => stream)).toEqual(['a']);
  });

  it('count what the store did not answer, and pass it on', async () => {
    const metrics = new Metrics();
    const store = { append: () => Promise.reject(new StoreUnavailableError('away', { retryable: true })) };
    meterAppends(metrics, store);
    await expect(store.append()).rejects.toThrow('away');
    expect(await tell(metrics)).toContain('rondo_append_failures_total 1');
  });
});

it('metrics of read models tell what they are behind, and their position when the store is away', async () => {
  const metrics = new Metrics();
  let isAway = false;
  const head = async (): Promise<number> => {
    if (isAway) throw new StoreUnavailableError('away', { retryable: true });
    return 30;
  };
  meterReadModels(metrics, { status: () => ({ position: 12 }) }, { head });
  expect(await tell(metrics)).toEqual(
    expect.arrayContaining(['rondo_read_models_lag 18', 'rondo_history_position 30']),
  );
  isAway = true;
  const lines = await tell(metrics);
  expect(lines).toContain('rondo_read_models_position 12');
  expect(lines.join()).not.toContain('rondo_read_models_lag');
});
