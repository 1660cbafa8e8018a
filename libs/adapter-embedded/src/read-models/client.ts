import { THREAD_LIMITS } from '@rondo/kernel';
import { Worker, type MessagePort } from 'node:worker_threads';
import { assertNever } from '@rondo/kernel';
import { StoreUnavailableError, type Position, type ReadModels } from '@rondo/ports';
import { PositionWaiters, type QueryName, type ReadModelStatus } from '@rondo/read-models';
import type { FromThread, ReadModelsWorkerData, ToThread } from './messages.ts';

export interface ReadModelsOptions {
  /** The data folder: `reads.db` is made in it, and can be deleted while nobody has it open. */
  readonly folder: string;
  /** Folder of the blob store, where the definitions of versions are. */
  readonly blobs: string;
  /** From `EmbeddedEventStore.connect()`; handed over to the thread. */
  readonly events: MessagePort;
  /** URL of the module that projects: a `ProjectionModule`. */
  readonly projection: string;
}

export interface EmbeddedReadModels extends ReadModels {
  /** How the projection is doing, as last heard. */
  status(): ReadModelStatus;
  /** Drops every row and folds the whole history again. Resolves when that has begun: `settled` tells when it is done. */
  rebuild(): Promise<void>;
}

/** Opens the read models in a thread of their own (I9). Resolves when queries are answered; rows may still be catching up. */
export async function openReadModels(options: ReadModelsOptions): Promise<EmbeddedReadModels> {
  const workerData: ReadModelsWorkerData = options;
  const worker = new Worker(new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url), {
    workerData,
    name: 'read-models',
    execArgv: [],
    resourceLimits: THREAD_LIMITS,
    transferList: [options.events],
  });
  const thread = new ReadModelThread(worker);
  await thread.ready;
  const query =
    (name: QueryName) =>
    (...args: readonly unknown[]): Promise<never> =>
      thread.call({ k: 'query', name, args }) as Promise<never>;
  return {
    dags: query('dags'),
    dag: query('dag'),
    dagVersions: query('dagVersions'),
    runs: query('runs'),
    run: query('run'),
    dagRevisions: query('dagRevisions'),
    taskInstances: query('taskInstances'),
    taskInstance: query('taskInstance'),
    tries: query('tries'),
    xcoms: query('xcoms'),
    priorXCom: query('priorXCom'),
    previousSuccess: query('previousSuccess'),
    xcomsUnder: query('xcomsUnder'),
    renderedFields: query('renderedFields'),
    backfills: query('backfills'),
    backfill: query('backfill'),
    backfillDates: query('backfillDates'),
    assets: query('assets'),
    asset: query('asset'),
    assetAliases: query('assetAliases'),
    assetLinks: query('assetLinks'),
    assetEvents: query('assetEvents'),
    queuedAssets: query('queuedAssets'),
    importErrors: query('importErrors'),
    variables: query('variables'),
    variable: query('variable'),
    connections: query('connections'),
    connection: query('connection'),
    approvals: query('approvals'),
    pools: query('pools'),
    pool: query('pool'),
    position: () => Promise.resolve(thread.status.position),
    settled: (position, timeoutMs) => thread.settled(position, timeoutMs),
    status: () => thread.status,
    rebuild: async () => {
      await thread.call({ k: 'rebuild' });
    },
    close: () => thread.close(),
  };
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

class ReadModelThread {
  status: ReadModelStatus = { state: 'running', position: 0, busyMs: 0 };
  readonly ready: Promise<void>;
  private readonly worker: Worker;
  private readonly waiting = new Map<number, Waiting>();
  private readonly waiters = new PositionWaiters();
  private readonly exited: Promise<void>;
  private lastId = 0;
  private gone: Error | undefined;

  constructor(worker: Worker) {
    this.worker = worker;
    this.exited = new Promise((resolve) => worker.once('exit', () => resolve()));
    this.ready = new Promise((resolve, reject) => {
      worker.on('message', (message: FromThread) => {
        if (message.k === 'ready') resolve();
        this.receive(message);
      });
      worker.once('error', (error: unknown) => {
        const fault = new StoreUnavailableError(`the read models' thread ended: ${String(error)}`, {
          retryable: false,
          cause: error,
        });
        reject(fault);
        this.fail(fault);
      });
    });
  }

  call(call: ToThread['call']): Promise<unknown> {
    if (this.gone !== undefined) return Promise.reject(this.gone);
    return new Promise((resolve, reject) => {
      const id = ++this.lastId;
      this.waiting.set(id, { resolve, reject });
      const message: ToThread = { id, call };
      this.worker.postMessage(message);
    });
  }

  settled(position: Position, timeoutMs = 10_000): Promise<void> {
    if (this.gone !== undefined) return Promise.reject(this.gone);
    return this.waiters.wait(position, timeoutMs, this.status);
  }

  async close(): Promise<void> {
    if (this.gone !== undefined) return this.exited;
    const closed = this.call({ k: 'close' });
    this.gone = new StoreUnavailableError('the read models are closed', { retryable: false });
    await closed;
    this.fail(this.gone);
    await this.exited;
  }

  private receive(message: FromThread): void {
    switch (message.k) {
      case 'ready':
      case 'status':
        this.status = message.status;
        return this.waiters.reached(message.status);
      case 'answer':
        return this.take(message.id)?.resolve(message.value);
      case 'failed':
        return this.take(message.id)?.reject(new StoreUnavailableError(message.message, { retryable: true }));
      default:
        assertNever(message, 'message of the read models');
    }
  }

  private take(id: number): Waiting | undefined {
    const found = this.waiting.get(id);
    this.waiting.delete(id);
    return found;
  }

  private fail(error: Error): void {
    this.gone = error;
    for (const waiting of this.waiting.values()) waiting.reject(error);
    this.waiting.clear();
    this.waiters.fail(error);
  }
}
