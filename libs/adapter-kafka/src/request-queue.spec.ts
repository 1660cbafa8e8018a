import { createRequire } from 'node:module';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { calmRequestQueues } from './request-queue.ts';

interface Queue {
  readonly pending: unknown[];
  readonly scheduleCheckPendingRequests: () => void;
  destroy(): void;
}
type QueueClass = new (options: object) => Queue;

const silent = { debug: () => undefined };

function aQueue(): Queue {
  calmRequestQueues();
  const RequestQueue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as QueueClass;
  return new RequestQueue({
    maxInFlightRequests: 1,
    requestTimeout: 1_000,
    clientId: 'test',
    broker: 'b',
    logger: silent,
  });
}

afterEach(() => void jest.useRealTimers());

describe("the client's queue of requests", () => {
  it('sets no timer while nothing waits', () => {
    jest.useFakeTimers();
    aQueue().scheduleCheckPendingRequests();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('looks again while something waits', () => {
    jest.useFakeTimers();
    const queue = aQueue();
    queue.pending.push({});
    queue.scheduleCheckPendingRequests();
    expect(jest.getTimerCount()).toBe(1);
    queue.destroy();
  });

  it('is changed once, however often it is asked for', () => {
    const queue = aQueue();
    const { scheduleCheckPendingRequests } = queue;
    calmRequestQueues();
    expect(queue.scheduleCheckPendingRequests).toBe(scheduleCheckPendingRequests);
  });
});
