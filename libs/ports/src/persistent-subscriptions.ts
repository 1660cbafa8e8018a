import type { Position, RecordedEvent, Subscription } from './event-store.ts';
import type { Page } from './read-models.ts';

/** What a consumer says of an event: done, to be given again, laid aside for people to look at, or passed over. */
export type Verdict = 'ack' | 'retry' | 'park' | 'skip';

/** What it gives: all, the events of streams whose name begins so, or those of these types. A server filters by one alone. */
type Given =
  | { readonly streamPrefixes?: readonly string[]; readonly eventTypes?: undefined }
  | { readonly streamPrefixes?: undefined; readonly eventTypes: readonly string[] };

export type PersistentSubscription = Given & {
  readonly name: string;
  /** Where it begins when it is made: events after this position. Default `end`. */
  readonly after?: Position | 'end';
  /** An event that has been retried so often is parked. Default 10. */
  readonly maxRetries?: number;
};

export interface ConnectOptions {
  readonly name: string;
  /** Types that are wanted, of every consumer the same: others that it gives are acknowledged unseen. Default: all. */
  readonly eventTypes?: readonly string[];
  /** Events that the consumer has in hand at once. Default 10. */
  readonly atOnce?: number;
  /** `retries`: how often this event was given before. A throw is a `retry`. Events of one stream may come out of order after a retry. */
  readonly onEvent: (event: RecordedEvent, retries: number) => Verdict | Promise<Verdict>;
  /** The subscription is gone, or cannot be used. A store that is away is waited for. */
  readonly onDrop?: (error: Error) => void;
}

/** Which event is laid aside. */
export type ParkedEvent = Pick<RecordedEvent, 'stream' | 'revision' | 'id' | 'type' | 'meta'>;

/**
 * Subscriptions whose place the store remembers, for work that is done once for each event by whichever consumer is free:
 * at least once, each event to one consumer at a time.
 */
export interface PersistentSubscriptions {
  /** Makes it where it is not there; one that is there stays as it is, with its place. */
  create(subscription: PersistentSubscription): Promise<void>;
  connect(options: ConnectOptions): Subscription;
  /** Undefined: there is none. `parked`: how many events are laid aside. */
  info(name: string): Promise<{ readonly parked: number } | undefined>;
  /** The parked events, in the order in which they were laid aside; none of a subscription that is not there. */
  listParked(name: string, page: Page): Promise<readonly ParkedEvent[]>;
  /** Gives all parked events again, with their retries forgotten. */
  replayParked(name: string): Promise<void>;
  /** Forgets its place and what is parked; consumers are dropped. Nothing where there is none. */
  delete(name: string): Promise<void>;
  close(): Promise<void>;
}

export class NoSubscriptionError extends Error {
  override readonly name = 'NoSubscriptionError';
}
