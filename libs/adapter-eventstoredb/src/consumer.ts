import {
  PersistentSubscriptionDoesNotExistError,
  PersistentSubscriptionDroppedError,
  type EventStoreDBClient,
  type PersistentSubscriptionToAll,
  type PersistentSubscriptionToAllResolvedEvent,
} from '@eventstore/db-client';
import { NoSubscriptionError, StoreUnavailableError, type ConnectOptions, type Verdict } from '@rondo/ports';
import { asPortError } from './errors.ts';
import { wants } from './filter.ts';
import { fromWire } from './wire.ts';

const PAUSE_MS = 500;
/** What is done is told to the server together, so much later at most; sooner when it is half of what may be in hand. */
const TELL_MS = 50;

/** One consumer of a group of the server. It comes back by itself when the server was away. */
export class Consumer {
  readonly #client: EventStoreDBClient;
  readonly #options: ConnectOptions;
  readonly #busy = new Set<Promise<void>>();
  readonly #atOnce: number;
  #subscription: PersistentSubscriptionToAll | undefined;
  #done: PersistentSubscriptionToAllResolvedEvent[] = [];
  #telling: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(client: EventStoreDBClient, options: ConnectOptions) {
    this.#client = client;
    this.#options = options;
    this.#atOnce = options.atOnce ?? 10;
    this.#open();
  }

  /** What is in hand goes back to the server at once; the promise waits for the handlers. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    await this.#tell();
    await this.#subscription?.unsubscribe().catch(() => undefined);
    await Promise.allSettled(this.#busy);
  }

  #open(): void {
    const subscription = this.#client.subscribeToPersistentSubscriptionToAll(this.#options.name, {
      bufferSize: this.#atOnce,
    });
    this.#subscription = subscription;
    subscription.on('data', (resolved) => {
      const work = this.#handle(subscription, resolved);
      this.#busy.add(work);
      void work.finally(() => this.#busy.delete(work));
    });
    subscription.on('error', (error) => this.#ended(subscription, error));
    subscription.on('end', () => this.#ended(subscription));
    subscription.on('close', () => this.#ended(subscription));
  }

  #ended(subscription: PersistentSubscriptionToAll, error?: unknown): void {
    if (this.#stopped || this.#subscription !== subscription) return;
    this.#subscription = undefined;
    // The server gives it again.
    this.#done = [];
    const { name, onDrop } = this.#options;
    if (error instanceof PersistentSubscriptionDoesNotExistError) {
      this.#stopped = true;
      onDrop?.(new NoSubscriptionError(`there is no subscription '${name}'`, { cause: error }));
      return;
    }
    const isDropped = error === undefined || error instanceof PersistentSubscriptionDroppedError;
    const known = asPortError(error);
    if (!isDropped && !(known instanceof StoreUnavailableError)) {
      this.#stopped = true;
      onDrop?.(known as Error);
      return;
    }
    // One that was deleted is found out when it is asked for again.
    this.#retry = setTimeout(() => this.#open(), PAUSE_MS);
  }

  async #handle(
    subscription: PersistentSubscriptionToAll,
    resolved: PersistentSubscriptionToAllResolvedEvent,
  ): Promise<void> {
    const { event, retryCount } = resolved;
    const { eventTypes, onEvent } = this.#options;
    let [verdict, reason]: [Verdict, string] = ['ack', ''];
    if (event !== undefined && wants(eventTypes === undefined ? {} : { eventTypes })(nameOf(event)))
      try {
        verdict = await onEvent(fromWire(event), retryCount);
      } catch (error) {
        [verdict, reason] = ['retry', String(error)];
      }
    if (this.#subscription !== subscription || this.#stopped) return;
    if (verdict === 'ack') return this.#isDone(resolved);
    // The connection is gone: the server gives the event again.
    await subscription.nack(verdict, reason, resolved).catch(() => undefined);
  }

  async #isDone(event: PersistentSubscriptionToAllResolvedEvent): Promise<void> {
    this.#done.push(event);
    if (this.#done.length >= this.#atOnce / 2) await this.#tell();
    else this.#telling ??= setTimeout(() => void this.#tell(), TELL_MS);
  }

  async #tell(): Promise<void> {
    clearTimeout(this.#telling);
    this.#telling = undefined;
    const done = this.#done.splice(0);
    if (done.length > 0) await this.#subscription?.ack(...done).catch(() => undefined);
  }
}

const nameOf = ({ streamId, type }: { readonly streamId: string; readonly type: string }) => ({
  stream: streamId,
  type,
});
