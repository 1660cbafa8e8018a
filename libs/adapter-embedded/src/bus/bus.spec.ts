import { describeMessageBusContract } from '@rondo/testing';
import { embeddedBus, type BusFailure } from './bus.ts';
import { partitionOfKey } from '@rondo/contracts';

describeMessageBusContract('embedded', async () => {
  const bus = embeddedBus({ retryMinMs: 1, retryMaxMs: 4, onError: () => undefined });
  return { bus, dispose: () => bus.close() };
});

describe('embeddedBus', () => {
  it('keeps what is published before the first group for it', async () => {
    const bus = embeddedBus();
    await bus.publish('t', [{ key: 'a', value: 1 }]);
    const got = await new Promise((resolve) => void bus.consume({ topic: 't', group: 'g', onBatch: resolve }));
    expect(got).toMatchObject([{ key: 'a', value: 1, offset: 0 }]);
    await bus.close();
  });

  it('waits longer before each redelivery, and says why', async () => {
    const failures: BusFailure[] = [];
    const bus = embeddedBus({ retryMinMs: 1, retryMaxMs: 3, onError: (failure) => failures.push(failure) });
    await new Promise<void>((resolve, reject) => {
      bus
        .consume({
          topic: 't',
          group: 'g',
          onBatch: () => {
            if (failures.length < 4) throw new Error('down');
            resolve();
          },
        })
        .then(() => bus.publish('t', [{ key: 'a', value: 1 }]))
        .catch(reject);
    });
    expect(failures.map((f) => [f.attempt, f.retryInMs])).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 3],
    ]);
    expect(failures[0]).toMatchObject({ topic: 't', group: 'g', error: new Error('down') });
    await bus.close();
  });

  it('spreads keys over all partitions, always in the same way', () => {
    const seen = new Set(Array.from({ length: 2_000 }, (_, i) => partitionOfKey(`dag_${i}`, 64)));
    expect(seen.size).toBe(64);
    expect([partitionOfKey('', 64), partitionOfKey('monitor_errors', 64), partitionOfKey('ü🚀', 64)])
      .toMatchInlineSnapshot(`
[
  25,
  28,
  18,
]
`);
  });
});
