import {
  binaryEvent,
  jsonEvent,
  NO_STREAM,
  type EventData,
  type RecordedEvent as WireEvent,
} from '@eventstore/db-client';
import type { NewEvent, RecordedEvent } from '@rondo/ports';

/** Data and metadata of one event as the server counts them: with its id and type. */
export const sizeOf = ({ type, data }: NewEvent, meta: string): number =>
  Buffer.byteLength(data) + Buffer.byteLength(meta) + Buffer.byteLength(type) + 16;

/** As JSON where the client would write the very same bytes, so that people can read it in the server's own UI; else as bytes. */
export function toWire({ id, type, data }: NewEvent, meta: string): EventData {
  const metadata = Buffer.from(meta);
  const parsed: unknown = JSON.parse(data);
  if (typeof parsed === 'object' && parsed !== null && JSON.stringify(parsed) === data)
    return jsonEvent({ id, type, data: parsed as Record<string, unknown>, metadata: new Uint8Array(metadata) });
  return binaryEvent({ id, type, data: new Uint8Array(Buffer.from(data)), metadata: new Uint8Array(metadata) });
}

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

export const textOf = (value: unknown): string =>
  value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : JSON.stringify(value);

/** The commit position, which is the event's own: a server before 22.6 does not tell it, and cannot be used. */
export function positionOf({ position, streamId, revision }: WireEvent): number {
  const commit = position?.commit;
  if (commit === undefined || commit > BigInt(Number.MAX_SAFE_INTEGER))
    throw new Error(
      `event ${revision} of '${streamId}' came without a usable position (${commit ?? 'none'}): a server of version 22.6 or later is needed`,
    );
  return Number(commit);
}

export const placeOf = (position: number) => ({ commit: BigInt(position), prepare: BigInt(position) });

export const revisionOf = (expected: number): bigint | typeof NO_STREAM =>
  expected < 0 ? NO_STREAM : BigInt(expected);
