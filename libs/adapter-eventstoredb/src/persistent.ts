import {
  END,
  EventStoreDBClient,
  eventTypeFilter,
  PersistentSubscriptionDoesNotExistError,
  PersistentSubscriptionExistsError,
  persistentSubscriptionToAllSettingsFromDefaults,
  START,
  StreamNotFoundError,
  streamNameFilter,
} from '@eventstore/db-client';
import {
  NoSubscriptionError,
  type ConnectOptions,
  type Page,
  type ParkedEvent,
  type PersistentSubscription,
  type PersistentSubscriptions,
  type Subscription,
} from '@rondo/ports';
import { Consumer } from './consumer.ts';
import { asPortError } from './errors.ts';
import { reading } from './reading.ts';
import { placeOf, textOf } from './wire.ts';

export interface EventStoreDbSubscriptionsOptions {
  /** As for `eventStoreDb`; the user must be allowed to make persistent subscriptions to `$all`. */
  readonly connectionString: string;
  /** Milliseconds that a consumer has for one event before the server gives it to another. Default 60,000. */
  readonly timeoutMs?: number;
}

const MAX_RETRIES = 10;

/** Where the server keeps links to what is parked; it is cut off when that is replayed. */
const parkedStream = (name: string): string => `$persistentsubscription-$all::${name}-parked`;

/** Persistent subscriptions to `$all` of the server, version 21.10 or later, named as its groups are. */
export function eventStoreDbSubscriptions(options: EventStoreDbSubscriptionsOptions): PersistentSubscriptions {
  return new EventStoreDbSubscriptions(options);
}

class EventStoreDbSubscriptions implements PersistentSubscriptions {
  readonly #client: EventStoreDBClient;
  readonly #timeoutMs: number;
  readonly #consumers = new Set<Consumer>();

  constructor({ connectionString, timeoutMs = 60_000 }: EventStoreDbSubscriptionsOptions) {
    this.#client = EventStoreDBClient.connectionString(connectionString);
    this.#timeoutMs = timeoutMs;
  }

  async create({
    name,
    streamPrefixes,
    eventTypes,
    after = 'end',
    maxRetries = MAX_RETRIES,
  }: PersistentSubscription): Promise<void> {
    const startFrom = after === 'end' ? END : after === 0 ? START : placeOf(after);
    const settings = persistentSubscriptionToAllSettingsFromDefaults({
      startFrom,
      maxRetryCount: maxRetries,
      messageTimeout: this.#timeoutMs,
      checkPointLowerBound: 1,
      checkPointAfter: 500,
    });
    const options =
      eventTypes !== undefined
        ? { filter: eventTypeFilter({ prefixes: [...eventTypes] }) }
        : streamPrefixes !== undefined
          ? { filter: streamNameFilter({ prefixes: [...streamPrefixes] }) }
          : {};
    try {
      await this.#client.createPersistentSubscriptionToAll(name, settings, options);
    } catch (error) {
      if (!(error instanceof PersistentSubscriptionExistsError)) throw asPortError(error);
    }
  }

  connect(options: ConnectOptions): Subscription {
    const consumer = new Consumer(this.#client, options);
    this.#consumers.add(consumer);
    return {
      stop: async () => {
        this.#consumers.delete(consumer);
        await consumer.stop();
      },
    };
  }

  async info(name: string): Promise<{ readonly parked: number } | undefined> {
    try {
      const { stats } = await this.#client.getPersistentSubscriptionToAllInfo(name);
      return { parked: Number(stats.parkedMessageCount) };
    } catch (error) {
      if (error instanceof PersistentSubscriptionDoesNotExistError) return undefined;
      throw asPortError(error);
    }
  }

  async listParked(name: string, { offset, limit }: Page): Promise<readonly ParkedEvent[]> {
    const events: ParkedEvent[] = [];
    try {
      const options = { resolveLinkTos: true, maxCount: offset + limit };
      for await (const { event } of reading(this.#client.readStream(parkedStream(name), options)))
        // Undefined: the event itself is gone.
        if (event !== undefined)
          events.push({
            ...{ stream: event.streamId, revision: Number(event.revision), id: event.id, type: event.type },
            meta: event.metadata === undefined ? '{}' : textOf(event.metadata),
          });
    } catch (error) {
      if (!(error instanceof StreamNotFoundError)) throw asPortError(error);
    }
    return events.slice(offset);
  }

  async replayParked(name: string): Promise<void> {
    try {
      await this.#client.replayParkedMessagesToAll(name);
    } catch (error) {
      if (error instanceof PersistentSubscriptionDoesNotExistError)
        throw new NoSubscriptionError(`there is no subscription '${name}'`, { cause: error });
      throw asPortError(error);
    }
  }

  async delete(name: string): Promise<void> {
    try {
      await this.#client.deletePersistentSubscriptionToAll(name);
    } catch (error) {
      if (!(error instanceof PersistentSubscriptionDoesNotExistError)) throw asPortError(error);
    }
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#consumers, (consumer) => consumer.stop()));
    await Promise.race([this.#client.dispose(), new Promise((resolve) => void setTimeout(resolve, 1_000).unref())]);
  }
}
