import { assertNever } from '@rondo/kernel';
import type { WorkerReport, WorkerSession } from '@rondo/ports';
import type { AttemptCalls } from './calls.ts';
import type { Contact } from './contact.ts';
import type { Ended, Holdings } from './holdings.ts';

export interface DeliveriesOptions {
  readonly holdings: Holdings;
  readonly session: WorkerSession;
  readonly calls: AttemptCalls;
  readonly monotonic: () => number;
  /** Gateways that can be reached. */
  readonly open: () => readonly Contact[];
}

/** The way of reports to the gateways: ends until they are acknowledged, what is said once to whoever is there. */
export class Deliveries {
  readonly #options: DeliveriesOptions;
  /** Who has sent a watch or a callback. */
  readonly #askers = new Map<string, Contact>();
  #unsaid: WorkerReport[] = [];

  constructor(options: DeliveriesOptions) {
    this.#options = options;
  }

  asked(contact: Contact, works: readonly { readonly id: string }[]): void {
    for (const { id } of works) this.#askers.set(id, contact);
  }

  unasked(ids: readonly string[]): void {
    for (const id of ids) this.#askers.delete(id);
  }

  /** A gateway is gone for good: whoever still wants its watches states them again. */
  leave(contact: Contact): void {
    const ids = [...this.#askers].filter(([, asker]) => asker === contact).map(([id]) => id);
    this.unasked(ids);
    if (ids.length > 0) this.#options.session.unwatch(ids);
  }

  /** The owner of the partition, or any gateway that is there. */
  reach(partition: number | undefined): Contact | undefined {
    return this.#options.holdings.ownerOf(partition) ?? this.#options.open()[0];
  }

  onReports(reports: readonly WorkerReport[]): void {
    const byContact = Map.groupBy(reports, (report) => this.#route(report));
    for (const [contact, own] of byContact) contact?.report(own);
  }

  /**
   * Sends the ends that have not reached whom they should, or have had no answer for a lease. `claimed`: those of these
   * partitions, and those of which no partition is known, whoever they have been sent to.
   */
  deliver(claimed: ReadonlySet<number> = new Set()): void {
    const now = this.#options.monotonic();
    const reports = new Map<Contact, WorkerReport[]>();
    const send = (contact: Contact, own: readonly WorkerReport[]): void =>
      void reports.set(contact, [...(reports.get(contact) ?? []), ...own]);
    const [anyone] = this.#options.open();
    if (anyone === undefined) return;
    if (this.#unsaid.length > 0) send(anyone, this.#unsaid.splice(0));
    for (const ended of this.#options.holdings.ended.values()) {
      const contact = this.#place(ended) ?? anyone;
      const isClaimed = claimed.size > 0 && (ended.partition === undefined || claimed.has(ended.partition));
      if (!isClaimed && contact === ended.sentOn && now - ended.sentAt < contact.leaseMs) continue;
      ended.sentOn = contact;
      ended.sentAt = now;
      send(contact, [ended.report]);
    }
    for (const [contact, own] of reports) contact.report(own);
  }

  /** Whom a report goes to now, and what it changes. */
  #route(report: WorkerReport): Contact | undefined {
    const { holdings, calls } = this.#options;
    const { id } = report;
    switch (report.kind) {
      case 'started': {
        const held = holdings.held.get(id);
        if (held !== undefined) held.started = report;
        return holdings.ownerOf(held?.partition);
      }
      case 'finished':
      case 'lost':
        calls.forget(id);
        return this.#onEnded(report);
      case 'callback':
      case 'waited':
        calls.forget(id);
        return this.#say(report);
      default:
        assertNever(report, 'report of a worker');
    }
  }

  #onEnded(report: WorkerReport): Contact | undefined {
    const { holdings, session, monotonic } = this.#options;
    if (holdings.isOver(report.id)) {
      session.acknowledge([report.id]);
      return undefined;
    }
    const ended = holdings.end(report);
    ended.sentOn = this.#place(ended);
    ended.sentAt = monotonic();
    return ended.sentOn;
  }

  /** A report that is said once goes to who has asked, or whoever is there. */
  #say(report: WorkerReport): Contact | undefined {
    const asker = this.#askers.get(report.id);
    this.#askers.delete(report.id);
    const contact = asker?.isOpen === true ? asker : this.reach(undefined);
    if (contact === undefined) this.#unsaid.push(report);
    return contact;
  }

  /** Where an end goes: to the owner of its partition; while that is away to another, which passes it on. */
  #place(ended: Ended): Contact | undefined {
    const sentOn = ended.sentOn?.isOpen === true ? ended.sentOn : undefined;
    return this.#options.holdings.ownerOf(ended.partition) ?? sentOn ?? this.reach(undefined);
  }
}
