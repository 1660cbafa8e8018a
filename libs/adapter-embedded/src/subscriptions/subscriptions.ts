import { join } from 'node:path';
import {
  NoSubscriptionError,
  type ConnectOptions,
  type Page,
  type ParkedEvent,
  type PersistentSubscription,
  type PersistentSubscriptions,
  type RecordedEvent,
  type Subscription,
} from '@rondo/ports';
import { SubscriptionGroup, type Consumer, type FollowedHistory } from './group.ts';
import { SubscriptionTable } from './table.ts';

export interface EmbeddedSubscriptionsOptions {
  /** The data folder: the place of each subscription is kept in its `subscriptions.db`. */
  readonly folder: string;
  readonly events: FollowedHistory;
}

/** Persistent subscriptions to a history of this process. */
export function embeddedSubscriptions({ folder, events }: EmbeddedSubscriptionsOptions): EmbeddedSubscriptions {
  return new EmbeddedSubscriptions(events, new SubscriptionTable(join(folder, 'subscriptions.db')));
}

export class EmbeddedSubscriptions implements PersistentSubscriptions {
  readonly #events: FollowedHistory;
  readonly #table: SubscriptionTable;
  readonly #groups = new Map<string, SubscriptionGroup>();

  constructor(events: FollowedHistory, table: SubscriptionTable) {
    this.#events = events;
    this.#table = table;
  }

  async create(subscription: PersistentSubscription): Promise<void> {
    const { after = 'end' } = subscription;
    this.#table.add(subscription, after === 'end' ? await this.#events.head() : after);
  }

  connect({ name, eventTypes, atOnce = 10, onEvent, onDrop }: ConnectOptions): Subscription {
    const group = this.group(name);
    if (group === undefined) {
      queueMicrotask(() => onDrop?.(new NoSubscriptionError(`there is no subscription '${name}'`)));
      return { stop: async () => undefined };
    }
    const busy = new Set<Promise<void>>();
    const handle = async (event: RecordedEvent, retries: number): Promise<void> => {
      try {
        const isWanted = eventTypes?.includes(event.type) ?? true;
        group.settle(consumer, event.id, isWanted ? await onEvent(event, retries) : 'ack');
      } catch (error) {
        group.settle(consumer, event.id, 'retry', String(error));
      }
    };
    const consumer: Consumer = {
      atOnce,
      give: (event, retries) => {
        const work = handle(event, retries);
        busy.add(work);
        void work.finally(() => busy.delete(work));
      },
      dropped: () => onDrop?.(new NoSubscriptionError(`the subscription '${name}' is gone`)),
    };
    group.join(consumer);
    return {
      stop: async () => {
        group.leave(consumer);
        await Promise.allSettled(busy);
      },
    };
  }

  async info(name: string): Promise<{ readonly parked: number } | undefined> {
    return this.#table.find(name) === undefined ? undefined : { parked: this.#table.countParked(name) };
  }

  async listParked(name: string, page: Page): Promise<readonly ParkedEvent[]> {
    const events: ParkedEvent[] = [];
    for (const position of this.#table.parked(name, page))
      for await (const read of this.#events.readAll(position - 1, { upTo: position }))
        for (const { stream, revision, id, type, meta } of read) events.push({ stream, revision, id, type, meta });
    return events;
  }

  async replayParked(name: string): Promise<void> {
    const group = this.group(name);
    if (group === undefined) throw new NoSubscriptionError(`there is no subscription '${name}'`);
    await group.replayParked();
  }

  async delete(name: string): Promise<void> {
    this.#groups.get(name)?.drop();
    this.#groups.delete(name);
    this.#table.remove(name);
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#groups.values(), (group) => group.stop()));
    this.#groups.clear();
    this.#table.close();
  }

  /** The subscription at work; undefined: there is none. */
  group(name: string): SubscriptionGroup | undefined {
    const known = this.#groups.get(name);
    if (known !== undefined) return known;
    const row = this.#table.find(name);
    if (row === undefined) return undefined;
    const group = new SubscriptionGroup(this.#events, this.#table, row);
    this.#groups.set(name, group);
    return group;
  }
}
