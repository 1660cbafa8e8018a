import type { RecordedEvent as WireEvent } from '@eventstore/db-client';
import type { NewEvent, RecordedEvent } from '@rondo/ports';

/** Data and metadata of one event as the server counts them: with its id and type. */
export const sizeOf = ({ type, data }: NewEvent, meta: string): number =>
  Buffer.byteLength(data) + Buffer.byteLength(meta) + Buffer.byteLength(type) + 16;

/** As the official client gives it: what was written as JSON is written anew. */
export function fromWire(event: WireEvent): RecordedEvent {
  return {
    position: positionOf(event),
    stream: event.streamId,
    revision: Number(event.revision),
    id: event.id,
    type: event.type,
    data: textOf(event.data),
    meta: event.metadata === undefined ? '{}' : textOf(event.metadata),
  };
}

const textOf = (value: unknown): string =>
  value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : JSON.stringify(value);

/** The commit position, which is the event's own: a server before 22.6 does not tell it, and cannot be used. */
function positionOf({ position, streamId, revision }: WireEvent): number {
  const commit = position?.commit;
  if (commit === undefined || commit > BigInt(Number.MAX_SAFE_INTEGER))
    throw new Error(
      `event ${revision} of '${streamId}' came without a usable position (${commit ?? 'none'}): a server of version 22.6 or later is needed`,
    );
  return Number(commit);
}

export const placeOf = (position: number) => ({ commit: BigInt(position), prepare: BigInt(position) });
