import type { EventStore, Revision } from './event-store.ts';

/** Where a stream begins, and where what was before it can be found. */
export interface StreamCut {
  /** The first revision that is still there. */
  readonly before: Revision;
  /** At most 200 characters, kept as given. */
  readonly note: string;
}

/**
 * Streams whose beginning is kept elsewhere. The last event of a stream always stays: the next one is chained to it (I13).
 * Revisions go on as if nothing had been taken away; what `readAll` and subscriptions show of it is the store's business.
 */
export interface StreamTruncation {
  /**
   * Takes away the events before a revision. Durable when it resolves. A stream that begins there or later already stays as it
   * is, so that whoever is late changes nothing. Rejects where the last event would go too.
   */
  truncate(stream: string, cut: StreamCut): Promise<void>;
  /** Undefined: nothing was taken away. */
  cutOf(stream: string): Promise<StreamCut | undefined>;
}

export type TruncatingEventStore = EventStore & StreamTruncation;
