import { mkdirSync } from 'node:fs';
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import { THREAD_LIMITS, type FailPoint } from '@rondo/kernel';
import { StoreUnavailableError, type EventStore, type RunKeys } from '@rondo/ports';
import { threadFile } from '../thread-file.ts';
import { EventStoreClient } from './client.ts';
import type { EventStoreWorkerData, ThreadConnection, ThreadStart } from './thread.ts';

export interface EmbeddedEventStoreOptions {
  /** The data folder; made if it is not there. Whoever opens it holds its lock: see `openDataFolder`. */
  readonly folder: string;
  /** How long a write waits for another process's lock on the database, in milliseconds. Default 2,000. */
  readonly busyTimeoutMs?: number;
  /** A bound on the database, in pages of 4,096 bytes. Default none. */
  readonly maxPages?: number;
  /** How often a new head is signed, in milliseconds. Default 5,000. */
  readonly anchorMs?: number;
  /** For crash tests: the thread ends the whole process with SIGKILL when the point is reached for the n-th time. */
  readonly failPoint?: { readonly point: FailPoint; readonly hit: number };
}

export interface EmbeddedEventStore extends EventStore {
  /** A port to hand to another thread, which makes a store of it with `eventStoreClient`. */
  connect(): MessagePort;
  /** The keys of sealed runs, in a database of the folder of their own (I14). It is closed with the store. */
  readonly runKeys: RunKeys;
  /** Signs the head of the history now (I13). */
  seal(): Promise<void>;
}

class Embedded extends EventStoreClient implements EmbeddedEventStore {
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  #closing: Promise<void> | undefined;

  constructor(worker: Worker, port: MessagePort) {
    super(port);
    this.#worker = worker;
    this.#exited = new Promise((resolve) => worker.once('exit', () => resolve()));
    worker.on('error', (error: unknown) => {
      this.fail(
        new StoreUnavailableError(`the event store's thread ended: ${String(error)}`, {
          retryable: false,
          cause: error,
        }),
      );
    });
  }

  readonly runKeys: RunKeys = {
    create: (id, key) => this.query({ q: 'createRunKey', id, key }),
    get: (id) => this.query({ q: 'getRunKey', id }),
    delete: (id) => this.query({ q: 'deleteRunKey', id }),
    finish: (id) => this.query({ q: 'finishRunKey', id }),
    unfinished: (ids) => this.query({ q: 'unfinishedRunKeys', ids }),
    close: () => Promise.resolve(),
  };

  connect(): MessagePort {
    return connectTo(this.#worker);
  }

  async seal(): Promise<void> {
    await this.query({ q: 'seal' });
  }

  /** Waits for the appends that were called, signs the head and ends the thread, and with it every other client. */
  override close(): Promise<void> {
    this.#closing ??= this.#shutdown();
    return this.#closing;
  }

  async #shutdown(): Promise<void> {
    this.flush();
    try {
      await this.query({ q: 'shutdown' });
    } finally {
      this.fail(new StoreUnavailableError('the event store is closed', { retryable: false }));
      await this.#exited;
    }
  }
}

function connectTo(worker: Worker): MessagePort {
  const { port1, port2 } = new MessageChannel();
  const message: ThreadConnection = { connect: port2 };
  worker.postMessage(message, [port2]);
  return port1;
}

/** Opens the history of a data folder in a thread of its own. Rejects with StoreUnavailableError when that cannot be. */
export async function openEmbeddedEventStore(options: EmbeddedEventStoreOptions): Promise<EmbeddedEventStore> {
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  const workerData: EventStoreWorkerData = {
    folder: options.folder,
    busyTimeoutMs: options.busyTimeoutMs ?? 2_000,
    maxPages: options.maxPages ?? 0,
    anchorMs: options.anchorMs ?? 5_000,
    failPoint: options.failPoint,
  };
  const worker = new Worker(threadFile('thread', import.meta.url), {
    workerData,
    name: 'event-store',
    execArgv: [],
    resourceLimits: THREAD_LIMITS,
  });
  const start = await new Promise<ThreadStart>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  if (!start.ready) throw new StoreUnavailableError(start.message, { retryable: start.retryable });
  worker.removeAllListeners('error');
  return new Embedded(worker, connectTo(worker));
}
