/** Protobuf's wire types. */
const [VARINT, FIXED64, BYTES, FIXED32] = [0, 1, 2, 5];
const EMPTY = Buffer.alloc(0);

/**
 * Writes one protobuf message. The classes that the official client was generated with take ten times as long, which counts
 * where it is done for every event.
 */
export class Message {
  #bytes = Buffer.allocUnsafe(256);
  #length = 0;

  varint(field: number, value: number): this {
    this.#reserve(20);
    this.#number(field * 8 + VARINT);
    this.#number(value);
    return this;
  }

  text(field: number, text: string): this {
    // Three bytes are enough for each UTF-16 unit.
    this.#reserve(text.length * 3 + 20);
    this.#number(field * 8 + BYTES);
    this.#number(Buffer.byteLength(text));
    this.#length += this.#bytes.write(text, this.#length);
    return this;
  }

  message(field: number, inner?: Message): this {
    const bytes = inner?.done() ?? EMPTY;
    this.#reserve(bytes.length + 20);
    this.#number(field * 8 + BYTES);
    this.#number(bytes.length);
    this.#length += bytes.copy(this.#bytes, this.#length);
    return this;
  }

  /** One entry of a map of texts. */
  entry(field: number, key: string, value: string): this {
    return this.message(field, new Message().text(1, key).text(2, value));
  }

  done(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #number(value: number): void {
    let rest = value;
    // Beyond 31 bits the operators on bits do not go.
    for (; rest > 0x7fffffff; rest = Math.floor(rest / 128)) this.#bytes[this.#length++] = (rest % 128) + 128;
    for (; rest > 127; rest >>= 7) this.#bytes[this.#length++] = (rest & 127) | 128;
    this.#bytes[this.#length++] = rest;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe((this.#length + more) * 2);
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/** The fields of one protobuf message, one after the other: `while (fields.next()) switch (fields.field)`. */
export class Fields {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;
  #from = 0;
  field = 0;
  /** Of a number. One over 2^53 is not exact. */
  value = 0;

  constructor(bytes: Buffer, from = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = from;
    this.#end = end;
  }

  next(): boolean {
    if (this.#at >= this.#end) return false;
    const key = this.#number();
    this.field = Math.floor(key / 8);
    this.#from = this.#at;
    const type = key % 8;
    if (type === VARINT) this.value = this.#number();
    else if (type === BYTES) {
      const length = this.#number();
      this.#from = this.#at;
      this.#at += length;
    } else if (type === FIXED64) this.#at += 8;
    else if (type === FIXED32) this.#at += 4;
    else throw new Error(`a message of the server has a field ${this.field} of the unknown type ${type}`);
    return true;
  }

  get text(): string {
    return this.#bytes.toString('utf8', this.#from, this.#at);
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(this.#from, this.#at);
  }

  get inner(): Fields {
    return new Fields(this.#bytes, this.#from, this.#at);
  }

  /** All 64 bits of a number. */
  get bits(): bigint {
    let bits = 0n;
    for (let at = this.#from, shift = 0n; at < this.#at; at++, shift += 7n)
      bits |= BigInt(this.#bytes[at]! & 127) << shift;
    return BigInt.asUintN(64, bits);
  }

  #number(): number {
    let [value, scale] = [0, 1];
    for (;;) {
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
  }
}
