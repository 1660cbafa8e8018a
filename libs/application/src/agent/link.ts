import type { Clock, GatewayChannel, GatewayFrame, GatewayLine } from '@rondo/ports';
import { Contact } from './contact.ts';

export interface LinkEvents {
  /** A session has begun: the hello is due. */
  onOpen(contact: Contact): void;
  onFrame(contact: Contact, frame: GatewayFrame): void;
  onClose(contact: Contact, reason: string): void;
  onNotice(text: string): void;
}

export interface LinkOptions {
  readonly line: GatewayLine;
  readonly clock: Clock;
  readonly monotonic: () => number;
  /** From 0 to 1: spreads those who try again. */
  readonly random: () => number;
  readonly events: LinkEvents;
}

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 10_000;
/** How long a gateway may take to welcome a worker. */
const WELCOME_MS = 10_000;

/** Keeps a session with one gateway: connects, and again when it closes, with pauses that grow and are spread. */
export class Link {
  contact: Contact | undefined;
  readonly #options: LinkOptions;
  #cancelTimer: () => void = () => undefined;
  #failures = 0;
  #count = 0;
  #isStopped = false;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  start(): void {
    const { line } = this.#options;
    line.connect().then(
      (channel) => (this.#isStopped ? channel.close('the worker leaves') : this.#onChannel(channel)),
      (error: unknown) => {
        if (this.#failures === 0)
          this.#options.events.onNotice(`gateway ${line.address} cannot be reached: ${String(error)}`);
        this.#retry();
      },
    );
  }

  stop(reason: string): void {
    this.#isStopped = true;
    this.#cancelTimer();
    this.contact?.channel.close(reason);
  }

  /** The gateway has answered: the pauses begin anew. */
  welcomed(): void {
    this.#failures = 0;
    this.#cancelTimer();
  }

  #onChannel(channel: GatewayChannel): void {
    const { line, monotonic, events } = this.#options;
    const contact = new Contact(`${line.address}#${++this.#count}`, line.address, channel, monotonic());
    this.contact = contact;
    this.#after(WELCOME_MS, () => {
      if (!contact.isWelcome) channel.close(`gateway ${line.address} has not welcomed the worker`);
    });
    channel.listen({
      onFrame: (frame) => {
        if (!contact.isClosed) events.onFrame(contact, frame);
      },
      onClose: (reason) => {
        if (contact.isClosed) return;
        contact.isClosed = true;
        this.contact = undefined;
        events.onClose(contact, reason);
        this.#retry();
      },
    });
    if (!contact.isClosed) events.onOpen(contact);
  }

  #retry(): void {
    this.#cancelTimer();
    if (this.#isStopped) return;
    const pause = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures++);
    this.#after(pause * (0.5 + this.#options.random() / 2), () => this.start());
  }

  #after(ms: number, callback: () => void): void {
    const { clock } = this.#options;
    this.#cancelTimer();
    this.#cancelTimer = clock.at(clock.now() + ms, callback);
  }
}
