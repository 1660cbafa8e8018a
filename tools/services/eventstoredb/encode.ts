import type { RecordedEvent } from '@rondo/ports';

/** Protobuf's wire types. */
const [VARINT, BYTES] = [0, 2];

/** Writes one protobuf message into a buffer that grows: the generated classes take ten times as long, for every event and reader. */
class Message {
  #bytes = Buffer.allocUnsafe(256);
  #length = 0;

  varint(field: number, value: number): this {
    this.#reserve(20);
    this.#number(field * 8 + VARINT);
    this.#number(value);
    return this;
  }

  text(field: number, text: string): this {
    // Whether a text is ASCII only is not known: three bytes for each UTF-16 unit are enough.
    this.#reserve(text.length * 3 + 20);
    const length = Buffer.byteLength(text);
    this.#number(field * 8 + BYTES);
    this.#number(length);
    this.#length += this.#bytes.write(text, this.#length);
    return this;
  }

  message(field: number, bytes: Buffer): this {
    this.#reserve(bytes.length + 20);
    this.#number(field * 8 + BYTES);
    this.#number(bytes.length);
    this.#length += bytes.copy(this.#bytes, this.#length);
    return this;
  }

  entry(field: number, key: string, value: string): this {
    return this.message(field, new Message().text(1, key).text(2, value).done());
  }

  done(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #number(value: number): void {
    let rest = value;
    for (; rest > 127; rest = Math.floor(rest / 128)) this.#bytes[this.#length++] = (rest % 128) + 128;
    this.#bytes[this.#length++] = rest;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe((this.#length + more) * 2);
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/** `ReadEvent` of `streams.proto` and of `persistent.proto`, which are the same up to how often an event was given. */
function readEvent(event: RecordedEvent, committedAt: number): Message {
  const recorded = new Message()
    .message(1, new Message().text(2, event.id).done())
    .message(2, new Message().text(3, event.stream).done())
    .varint(3, event.revision)
    .varint(4, event.position)
    .varint(5, event.position)
    .entry(6, 'type', event.type)
    .entry(6, 'content-type', isPlainJson(event.data) ? 'application/json' : 'application/octet-stream')
    .entry(6, 'created', `${committedAt}0000`)
    .text(7, event.meta)
    .text(8, event.data)
    .done();
  return new Message().message(1, recorded).varint(3, event.position);
}

/** A `ReadResp` of streams. */
export const readResponse = (event: RecordedEvent, committedAt: number): Buffer =>
  new Message().message(1, readEvent(event, committedAt).done()).done();

/** A `ReadResp` of persistent subscriptions. */
export const givenResponse = (event: RecordedEvent, committedAt: number, retries: number): Buffer =>
  new Message().message(1, readEvent(event, committedAt).varint(5, retries).done()).done();

/** The client sends as JSON what it would write the same way again. */
function isPlainJson(text: string): boolean {
  const value: unknown = JSON.parse(text);
  return typeof value === 'object' && value !== null && JSON.stringify(value) === text;
}
