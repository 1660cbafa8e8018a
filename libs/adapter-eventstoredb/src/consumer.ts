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

/** One consumer of a group of the server. It comes back by itself when the server was away. */
export class Consumer {
  readonly #client: EventStoreDBClient;
  readonly #options: ConnectOptions;
  readonly #busy = new Set<Promise<void>>();
  #subscription: PersistentSubscriptionToAll | undefined;
  #retry: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(client: EventStoreDBClient, options: ConnectOptions) {
    this.#client = client;
    this.#options = options;
    this.#open();
  }

  /** What is in hand goes back to the server at once; the promise waits for the handlers. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    await this.#subscription?.unsubscribe().catch(() => undefined);
    await Promise.allSettled(this.#busy);
  }

  #open(): void {
    const { name, atOnce = 10 } = this.#options;
    const subscription = this.#client.subscribeToPersistentSubscriptionToAll(name, { bufferSize: atOnce });
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
    try {
      if (verdict === 'ack') await subscription.ack(resolved);
      else await subscription.nack(verdict, reason, resolved);
    } catch {
      // The connection is gone: the server gives the event again.
    }
  }
}

const nameOf = ({ streamId, type }: { readonly streamId: string; readonly type: string }) => ({
  stream: streamId,
  type,
});
