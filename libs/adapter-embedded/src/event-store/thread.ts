import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { onFailPoint, type FailPoint } from '@rondo/kernel';
import { StoreThread, type StoreThreadOptions } from './store-thread.ts';

export interface EventStoreWorkerData extends StoreThreadOptions {
  /** For crash tests: ends the whole process with SIGKILL when the point is reached for the n-th time. */
  readonly failPoint?: { readonly point: FailPoint; readonly hit: number } | undefined;
}

/** What the thread says once; then its ports are served. */
export type ThreadStart =
  | { readonly ready: true }
  | { readonly ready: false; readonly message: string; readonly retryable: boolean };

export interface ThreadConnection {
  readonly connect: MessagePort;
}

const { failPoint, ...options } = workerData as EventStoreWorkerData;
if (failPoint !== undefined) {
  let left = failPoint.hit;
  onFailPoint((point) => {
    if (point === failPoint.point && --left === 0) process.kill(process.pid, 'SIGKILL');
  });
}

const parent = parentPort;
if (parent === null) throw new Error('this module is the entry of a worker thread');
const opened = StoreThread.open(options, () => parent.close());
if (opened.ok) parent.on('message', ({ connect }: ThreadConnection) => opened.value.connect(connect));
const start: ThreadStart = opened.ok ? { ready: true } : { ready: false, ...opened.error };
parent.postMessage(start);
if (!opened.ok) parent.close();
