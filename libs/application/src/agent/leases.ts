import type { Clock, WorkerSession } from '@rondo/ports';
import { formatDuration } from '@rondo/kernel';
import type { Contact } from './contact.ts';
import type { Held, Holdings } from './holdings.ts';

export interface LeasesOptions {
  readonly clock: Clock;
  readonly monotonic: () => number;
  readonly session: WorkerSession;
  readonly holdings: Holdings;
  readonly endingMs: number;
  /** The lease of a gateway is about to end: what it asked for beside attempts goes too. */
  readonly onEnds: (contact: Contact) => void;
  readonly onNotice: (text: string) => void;
}

/** A lease that was renewed so recently is not renewed again: at most so much, and a thirtieth of it. */
const RENEW_MS = 1_000;
/** What does not end by itself is dead so long before the lease is over, or a twentieth of it. */
const DEAD_BEFORE_MS = 250;

/**
 * I3: beats each third of a lease, and ends attempts before the lease that they run under is over. It runs from when the last
 * beat that was answered was sent, by a clock that goes on while the process stands still.
 */
export class Leases {
  readonly #options: LeasesOptions;
  /** Those that beat, and those that are closed and have attempts or watches. */
  readonly #contacts = new Set<Contact>();
  #cancelTimer: () => void = () => undefined;
  #isStopped = false;

  constructor(options: LeasesOptions) {
    this.#options = options;
  }

  begin(contact: Contact, leaseMs: number): void {
    contact.leaseMs = leaseMs;
    contact.beatAt = this.#options.monotonic() + leaseMs / 3;
    this.#contacts.add(contact);
    this.renew(contact);
    this.arm();
  }

  /** The lease has been extended: the session is told, so that it and what guards it know. */
  renew(contact: Contact): void {
    const { vouchedAt, leaseMs, key } = contact;
    if (vouchedAt - contact.renewedAt < Math.min(RENEW_MS, leaseMs / 30)) return;
    contact.renewedAt = vouchedAt;
    const until = contact.leaseEnds - Math.min(DEAD_BEFORE_MS, leaseMs / 20);
    this.#options.session.renew?.([{ lease: key, until }]);
  }

  /** Whether an attempt may still begin under it. */
  isLive(contact: Contact): boolean {
    return this.#options.monotonic() < this.#endingAt(contact);
  }

  /** Sets the timer to what is due next. */
  arm(): void {
    this.#cancelTimer();
    if (this.#isStopped) return;
    let next = Infinity;
    for (const contact of this.#contacts) {
      if (contact.isOpen) next = Math.min(next, contact.beatAt, contact.leaseEnds);
      if (this.#endsLater(contact).length > 0 || !contact.isOpen) next = Math.min(next, this.#endingAt(contact));
    }
    if (next === Infinity) return;
    const { clock, monotonic } = this.#options;
    this.#cancelTimer = clock.at(clock.now() + Math.max(0, next - monotonic()), () => this.#tick());
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer();
  }

  #tick(): void {
    const now = this.#options.monotonic();
    for (const contact of this.#contacts) {
      if (this.#endingAt(contact) <= now) this.#end(contact, now);
      if (contact.isOpen && contact.leaseEnds <= now)
        contact.channel.close(
          `gateway '${contact.gateway}' has answered nothing for ${formatDuration(contact.leaseMs)}`,
        );
      else if (contact.isOpen && contact.beatAt <= now) contact.beat(now);
    }
    this.arm();
  }

  #end(contact: Contact, now: number): void {
    const { session, onEnds, onNotice } = this.#options;
    const ending = this.#endsLater(contact);
    if (ending.length > 0) {
      const since = formatDuration(Math.round(now - contact.vouchedAt));
      const reason = `the worker has heard nothing of gateway '${contact.gateway}' for ${since}: its lease ends`;
      onNotice(`${reason}, with ${ending.length} attempts`);
      for (const held of ending) held.isEnding = true;
      session.cancel(
        ending.map(({ id }) => id),
        reason,
        'lost',
      );
    }
    // While it is open it may be answered yet, and the gateway would wait for the answers of what was dropped.
    if (!contact.isOpen || contact.leaseEnds <= now) onEnds(contact);
    if (contact.isClosed) this.#contacts.delete(contact);
  }

  #endsLater(contact: Contact): Held[] {
    return [...this.#options.holdings.held.values()].filter(
      (held) => held.contact === contact && held.isLeased && !held.isEnding,
    );
  }

  #endingAt(contact: Contact): number {
    return contact.leaseEnds - Math.min(this.#options.endingMs, contact.leaseMs / 4);
  }
}
