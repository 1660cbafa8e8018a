import { BACKWARDS, END, StreamNotFoundError, type EventStoreDBClient } from '@eventstore/db-client';
import { eventHash } from '@rondo/contracts';
import type { RecordedEvent } from '@rondo/ports';
import { reading } from './reading.ts';
import { fromWire } from './wire.ts';

/** Where a stream ends: revision -1 for one that does not exist. `hash` is what its next event carries (I13). */
export interface Head {
  readonly revision: number;
  readonly hash: string;
}

export const EMPTY: Head = { revision: -1, hash: '' };
const MOST = 50_000;

export const hashOf = ({ stream, revision, id, type, data, meta }: RecordedEvent): string =>
  eventHash(stream, revision, id, type, data, meta);

/** Heads of the streams that were written lately; any other is read. Whether one is right is found out by the append. */
export class Heads {
  private readonly client: EventStoreDBClient;
  private readonly known = new Map<string, Head>();

  constructor(client: EventStoreDBClient) {
    this.client = client;
  }

  peek(stream: string): Head | undefined {
    return this.known.get(stream);
  }

  set(stream: string, head: Head): void {
    this.known.delete(stream);
    this.known.set(stream, head);
    if (this.known.size > MOST) this.known.delete(this.known.keys().next().value!);
  }

  forget(stream: string): void {
    this.known.delete(stream);
  }

  /** As the leader knows it (I11). */
  async read(stream: string): Promise<Head> {
    try {
      const options = { direction: BACKWARDS, fromRevision: END, maxCount: 1, requiresLeader: true } as const;
      for await (const { event } of reading(this.client.readStream(stream, options))) {
        if (event === undefined) continue;
        const last = fromWire(event);
        const head = { revision: last.revision, hash: hashOf(last) };
        this.set(stream, head);
        return head;
      }
    } catch (error) {
      if (!(error instanceof StreamNotFoundError)) throw error;
    }
    return EMPTY;
  }
}
