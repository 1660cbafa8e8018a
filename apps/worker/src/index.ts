export { startWorkerThread } from './session.ts';
export type { WorkerOptions } from './options.ts';
export type { PoolLimits } from './pool/limits.ts';
export type { OpenWorkerStores, WorkerStores } from './thread/stores.ts';
export { WORKER_SESSION, WorkerModule } from './worker.module.ts';
