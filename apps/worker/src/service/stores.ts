import type { MessagePort } from 'node:worker_threads';
import type { WorkerStores } from '../thread/stores.ts';
import { deskOver } from './desk.ts';

/** Called in the worker's thread: neither logs nor bundles are its own, the main thread gets and brings them. */
export function openWorkerStores(options: unknown): WorkerStores {
  const desk = deskOver((options as { readonly port: MessagePort }).port);
  const unread = (): never => {
    throw new Error('a worker reads and deletes no logs');
  };
  return {
    logs: { append: desk.append, read: unread, follow: unread, deleteRun: unread, close: async () => undefined },
    bundles: { materialise: desk.materialise, release: desk.release },
    close: async () => desk.close(),
  };
}
