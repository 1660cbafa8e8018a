import type { Channel } from '@rondo/ports';
import { Incoming, Outgoing, type Envelope } from './frames.ts';

/** The stream of either side: as grpc-js has it, as far as it is used here. */
export interface Wire {
  write(envelope: Envelope): boolean;
  end(): void;
  on(event: 'data', listener: (envelope: Envelope) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'drain' | 'end' | 'cancelled', listener: () => void): unknown;
}

export interface WireChannelOptions<In extends { readonly kind: string }> {
  readonly peer: string;
  readonly known: Readonly<Record<In['kind'], true>>;
  /** Ends the call at once. */
  readonly hangUp: () => void;
  /** Says why the frame may not come from this peer. */
  readonly refuse?: (frame: In) => string | undefined;
  readonly onNotice: (text: string) => void;
  /** Bytes that may wait for the wire. Default 64 MiB. */
  readonly mostWaiting?: number;
}

/** What may wait for a wire that is full. The other side can be told of all of it anew, by another session. */
const MOST_WAITING = 64 * 1024 * 1024;
/** How long the other side has to take what was sent before a close. Milliseconds. */
const LINGER_MS = 5_000;

/**
 * A channel over one call. What is sent in one turn of the loop goes into one message; while the wire is full it waits
 * here, in order, up to a bound: a session whose other side takes less than it is sent ends. A close is a message of its own, after everything that was sent before it.
 */
export class WireChannel<
  In extends { readonly kind: string },
  Out extends { readonly kind: string },
> implements Channel<In, Out> {
  readonly peer: string;
  private readonly wire: Wire;
  private readonly options: WireChannelOptions<In>;
  private readonly outgoing = new Outgoing();
  private readonly incoming: Incoming<In>;
  private readonly unknown = new Set<string>();
  /** Heard before anybody listened. */
  private readonly early: ((events: Listener<In>) => void)[] = [];
  private events: Listener<In> | undefined;
  private state: 'open' | 'closing' | 'ended' = 'open';
  private closing = '';
  private full = false;
  private scheduled = false;
  private told = false;
  private linger: NodeJS.Timeout | undefined;

  constructor(wire: Wire, options: WireChannelOptions<In>) {
    this.wire = wire;
    this.options = options;
    this.peer = options.peer;
    this.incoming = new Incoming(options.known);
    wire.on('data', (envelope) => this.receive(envelope));
    wire.on('drain', () => {
      this.full = false;
      this.flush();
    });
    wire.on('end', () => this.lost('the other side ended the session without a word'));
    wire.on('cancelled', () => this.lost('the connection is gone'));
    wire.on('error', (error) => this.lost(error.message));
  }

  send(frame: Out): void {
    if (this.state !== 'open') return;
    this.outgoing.push(frame);
    if (this.full && this.outgoing.bytes > (this.options.mostWaiting ?? MOST_WAITING)) return this.overrun();
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.flush();
    });
  }

  close(reason: string): void {
    if (this.state !== 'open') return;
    this.state = 'closing';
    this.closing = reason;
    this.linger = setTimeout(() => this.options.hangUp(), LINGER_MS).unref();
    this.flush();
    queueMicrotask(() => this.tellClosed(reason));
  }

  listen(events: Listener<In>): void {
    if (this.events !== undefined) throw new Error('listen is called once');
    queueMicrotask(() => {
      this.events = events;
      for (let next = this.early.shift(); next !== undefined; next = this.early.shift()) next(events);
    });
  }

  private flush(): void {
    if (this.state === 'ended') return;
    while (!this.full && !this.outgoing.empty) this.full = !this.wire.write({ frames: this.outgoing.take() });
    if (this.state !== 'closing' || !this.outgoing.empty) return;
    this.state = 'ended';
    this.wire.write({ frames: [], close: { reason: this.closing } });
    this.wire.end();
  }

  /** At once: a word of goodbye would have to wait behind all the rest. */
  private overrun(): void {
    const { hangUp, onNotice } = this.options;
    const reason = `${this.peer} does not take what it is sent: ${this.outgoing.bytes} bytes wait`;
    this.state = 'ended';
    this.outgoing.clear();
    hangUp();
    onNotice(reason);
    queueMicrotask(() => this.tellClosed(reason));
  }

  private receive({ frames, close }: Envelope): void {
    for (const piece of frames) {
      if (this.state !== 'open') return;
      const received = this.incoming.take(piece);
      switch (received.kind) {
        case 'frame':
          this.accept(received.frame);
          break;
        case 'broken':
          return this.close(received.why);
        case 'unknown':
          this.passOver(received.name);
          break;
        case 'piece':
          break;
      }
    }
    if (close === null || close === undefined) return;
    this.lost(close.reason);
  }

  private accept(frame: In): void {
    const refusal = this.options.refuse?.(frame);
    if (refusal !== undefined) return this.close(refusal);
    this.tell((events) => events.onFrame(frame));
  }

  private passOver(kind: string): void {
    if (this.unknown.has(kind) || this.unknown.size === 100) return;
    this.unknown.add(kind);
    this.options.onNotice(`${this.peer} sends frames of a kind that is not known here, passed over: '${kind}'`);
  }

  /** The session is over, by the other side's word or without one. */
  private lost(reason: string): void {
    clearTimeout(this.linger);
    if (this.state !== 'ended') {
      const wasOpen = this.state === 'open';
      this.state = 'ended';
      this.outgoing.clear();
      this.wire.end();
      if (!wasOpen) return;
    }
    this.tellClosed(reason);
  }

  private tellClosed(reason: string): void {
    if (this.told) return;
    this.told = true;
    this.tell((events) => events.onClose(reason));
  }

  private tell(what: (events: Listener<In>) => void): void {
    if (this.events === undefined) this.early.push(what);
    else what(this.events);
  }
}

type Listener<In> = Parameters<Channel<In, never>['listen']>[0];
