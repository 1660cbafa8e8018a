import { createRequire } from 'node:module';

interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests: (this: RequestQueue) => void;
}

/**
 * The client (2.2.4) sets a timer of a millisecond for each of its connections, again and again, to look for requests that wait:
 * some percent of a core where a process has a few. It is to set one while a request waits, as it says itself.
 * Throws where the client is another one: then this has to be looked at again.
 */
export function calmRequestQueues(): void {
  const name = 'kafkajs/src/network/requestQueue';
  const { prototype } = createRequire(import.meta.url)(name) as { readonly prototype: RequestQueue };
  if (calmed.has(prototype)) return;
  const schedule = prototype.scheduleCheckPendingRequests;
  if (typeof schedule !== 'function') throw new Error(`${name} is not that of kafkajs 2.2.4`);
  calmed.add(prototype);
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) schedule.call(this);
  };
}

const calmed = new WeakSet();
