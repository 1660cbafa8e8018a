/** A frame on the wire, or a piece of one. */
export interface WireFrame {
  readonly kind: string;
  readonly payload: Uint8Array;
  readonly more?: boolean;
}

export interface Envelope {
  readonly frames: readonly WireFrame[];
  readonly close?: { readonly reason: string } | null;
}

/** A frame of more travels in pieces; as much goes into one message. */
const PIECE = 1024 * 1024;
const MAX_FRAMES = 1_000;
/** A frame that does not end by here is broken. */
const MAX_FRAME = 512 * 1024 * 1024;

/** What waits to be sent, in order. */
export class Outgoing {
  private pieces: WireFrame[] = [];
  private head = 0;
  /** Of what waits. */
  bytes = 0;

  get empty(): boolean {
    return this.head === this.pieces.length;
  }

  push(frame: { readonly kind: string }): void {
    const { kind } = frame;
    const payload = Buffer.from(JSON.stringify(frame));
    this.bytes += payload.length;
    for (let from = 0; ; from += PIECE) {
      const more = from + PIECE < payload.length;
      this.pieces.push({ kind, payload: payload.subarray(from, from + PIECE), more });
      if (!more) return;
    }
  }

  /** The next message's worth. */
  take(): WireFrame[] {
    let end = this.head;
    for (let size = 0; end < this.pieces.length && end - this.head < MAX_FRAMES; end++) {
      size += this.pieces[end]!.payload.length;
      if (size > PIECE && end > this.head) break;
    }
    const taken = this.pieces.slice(this.head, end);
    for (const { payload } of taken) this.bytes -= payload.length;
    this.head = end;
    if (this.empty) this.clear();
    else if (this.head > 10_000) {
      this.pieces = this.pieces.slice(this.head);
      this.head = 0;
    }
    return taken;
  }

  clear(): void {
    this.pieces = [];
    this.head = 0;
    this.bytes = 0;
  }
}

export type Received<Frame> =
  | { readonly kind: 'frame'; readonly frame: Frame }
  /** More pieces are needed. */
  | { readonly kind: 'piece' }
  | { readonly kind: 'unknown'; readonly name: string }
  | { readonly kind: 'broken'; readonly why: string };

/** Puts frames together from what arrives. */
export class Incoming<Frame extends { readonly kind: string }> {
  private readonly known: Readonly<Record<Frame['kind'], true>>;
  private pieces: Uint8Array[] = [];
  private size = 0;

  constructor(known: Readonly<Record<Frame['kind'], true>>) {
    this.known = known;
  }

  take({ kind, payload, more }: WireFrame): Received<Frame> {
    this.pieces.push(payload);
    this.size += payload.length;
    if (this.size > MAX_FRAME) return { kind: 'broken', why: `frame '${kind}' has more than ${MAX_FRAME} bytes` };
    if (more === true) return { kind: 'piece' };
    const bytes = this.pieces.length === 1 ? payload : Buffer.concat(this.pieces);
    this.pieces = [];
    this.size = 0;
    if (!Object.hasOwn(this.known, kind)) return { kind: 'unknown', name: kind };
    return this.parse(kind, bytes);
  }

  private parse(kind: string, bytes: Uint8Array): Received<Frame> {
    const broken = (why: string): Received<Frame> => ({ kind: 'broken', why: `frame '${kind}' is broken: ${why}` });
    try {
      const frame = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()) as Frame;
      if (typeof frame !== 'object' || frame === null) return broken('it is not an object');
      return frame.kind === kind ? { kind: 'frame', frame } : broken(`it says that it is '${frame.kind}'`);
    } catch (error) {
      return broken((error as Error).message);
    }
  }
}
