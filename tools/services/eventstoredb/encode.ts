import { Message } from '@rondo/adapter-eventstoredb';
import type { Position, RecordedEvent, Revision } from '@rondo/ports';

/** `ReadEvent` of `streams.proto` and of `persistent.proto`, which are the same up to how often an event was given. */
function readEvent(event: RecordedEvent, committedAt: number): Message {
  const recorded = new Message()
    .message(1, new Message().text(2, event.id))
    .message(2, new Message().text(3, event.stream))
    .varint(3, event.revision)
    .varint(4, event.position)
    .varint(5, event.position)
    .entry(6, 'type', event.type)
    .entry(6, 'content-type', event.data.startsWith('{') ? 'application/json' : 'application/octet-stream')
    .entry(6, 'created', `${committedAt}0000`)
    .text(7, event.meta)
    .text(8, event.data);
  return new Message().message(1, recorded).varint(3, event.position);
}

/** A `ReadResp` of streams. */
export const readResponse = (event: RecordedEvent, committedAt: number): Buffer =>
  new Message().message(1, readEvent(event, committedAt)).done();

/** A `ReadResp` of persistent subscriptions. */
export const givenResponse = (event: RecordedEvent, committedAt: number, retries: number): Buffer =>
  new Message().message(1, readEvent(event, committedAt).varint(5, retries)).done();

/** A `BatchAppendResp` that says where the last event stands. */
export function writtenResponse(id: string, stream: string, revision: Revision, position: Position): Buffer {
  const place = new Message().varint(1, position).varint(2, position);
  return new Message()
    .message(1, new Message().text(2, id))
    .message(3, new Message().varint(1, revision).message(3, place))
    .message(4, new Message().text(3, stream))
    .done();
}
