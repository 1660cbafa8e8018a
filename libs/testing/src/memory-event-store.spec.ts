import { describeEventStoreContract } from './contract/event-store.ts';
import { describeTruncationContract } from './contract/truncation.ts';
import { memoryEventStore } from './memory-event-store.ts';

describeEventStoreContract('memory', async () => {
  const store = memoryEventStore();
  return { store, dispose: () => store.close() };
});

describeTruncationContract('memory', async () => {
  const store = memoryEventStore();
  return { store, dispose: () => store.close() };
});

describe('memoryEventStore', () => {
  it('fails an append that the test refuses, and writes nothing', async () => {
    let refuse = true;
    const store = memoryEventStore({
      beforeAppend: () => {
        if (refuse) throw new Error('disk full');
      },
    });
    const chain = [
      { stream: 'a', expected: 'noStream', events: [{ id: '1', type: 'E', data: '{}', meta: '{}' }] },
    ] as const;
    await expect(store.append(chain)).rejects.toThrow('disk full');
    expect(store.events).toEqual([]);
    refuse = false;
    expect((await store.append(chain))[0]?.ok).toBe(true);
  });
});
