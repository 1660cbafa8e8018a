import { NO_STREAM, WrongExpectedVersionError, type EventStoreDBClient } from '@eventstore/db-client';
import type { StreamCut } from '@rondo/ports';
import { asPortError } from './errors.ts';
import type { Heads } from './heads.ts';

/** Beside `$tb` in the metadata of a stream. */
const NOTE = 'rondoArchive';

/**
 * Truncates with `$tb`, which leaves the name, the revisions and the last event: neither a deletion, after which nothing tells how
 * the stream ended, nor a tombstone, which takes the name for ever. A scavenge of the server gives the room back.
 */
export class Truncation {
  private readonly client: EventStoreDBClient;
  private readonly heads: Heads;

  constructor(client: EventStoreDBClient, heads: Heads) {
    this.client = client;
    this.heads = heads;
  }

  async truncate(stream: string, { before, note }: StreamCut): Promise<void> {
    try {
      const { revision } = await this.heads.read(stream);
      if (before > revision)
        throw new RangeError(`'${stream}' ends at revision ${revision}: it cannot begin at ${before}`);
      for (;;) {
        const { metadata = {}, metastreamRevision } = await this.client.getStreamMetadata(stream);
        if (cutIn(metadata)?.before !== undefined && cutIn(metadata)!.before >= before) return;
        try {
          await this.client.setStreamMetadata(
            stream,
            { ...metadata, truncateBefore: before, [NOTE]: note },
            { expectedRevision: metastreamRevision ?? NO_STREAM },
          );
          return;
        } catch (error) {
          // Somebody else has just set them: what they say now is looked at.
          if (!(error instanceof WrongExpectedVersionError)) throw error;
        }
      }
    } catch (error) {
      throw asPortError(error);
    }
  }

  async cutOf(stream: string): Promise<StreamCut | undefined> {
    try {
      const { metadata } = await this.client.getStreamMetadata(stream);
      return metadata === undefined ? undefined : cutIn(metadata);
    } catch (error) {
      throw asPortError(error);
    }
  }
}

function cutIn(metadata: { readonly truncateBefore?: unknown; readonly [NOTE]?: unknown }): StreamCut | undefined {
  const { truncateBefore, [NOTE]: note } = metadata;
  return typeof truncateBefore === 'number' && typeof note === 'string' ? { before: truncateBefore, note } : undefined;
}
