import { areNeighbours, tooFarApart } from '@rondo/contracts';
import type {
  AgentHello,
  Assignment,
  Clock,
  GatewayFrame,
  GatewayLine,
  OwnedPartition,
  WorkerHello,
  WorkerSession,
} from '@rondo/ports';
import type { AttemptCalls } from './calls.ts';
import type { Contact } from './contact.ts';
import { Deliveries } from './deliveries.ts';
import { Holdings } from './holdings.ts';
import { Leases } from './leases.ts';
import { Link } from './link.ts';
import { makeOffers } from './offers.ts';

export interface WorkerAgentOptions {
  readonly session: WorkerSession;
  /** One for each gateway. */
  readonly lines: readonly GatewayLine[];
  /** What the session's attempts ask for. */
  readonly calls: AttemptCalls;
  readonly clock: Clock;
  /** Milliseconds that only grow, also while the process stands still: leases are measured by it (I3). */
  readonly monotonic: () => number;
  /** Unique to this process. */
  readonly boot: string;
  readonly release: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Default `local`. */
  readonly executor?: string;
  /** It was made for this one attempt. */
  readonly attempt?: NonNullable<AgentHello['attempt']>;
  /** From 0 to 1. Default `Math.random`. */
  readonly random?: () => number;
  /** How long the session takes to end an attempt. Default 6.5 s; of a short lease at most a quarter. */
  readonly endingMs?: number;
  readonly onNotice?: (text: string) => void;
  /** A gateway has sent the worker away, and nothing is left to do: `leave` is due. */
  readonly onDrained?: () => void;
}

const ENDING_MS = 6_500;
/** How long a worker that leaves waits for its last results to be acknowledged. */
/** A lost journal says nothing of what was handed over after so long: all of it is known to this process. */
const TOLD_MS = 60_000;
const FAREWELL_MS = 10_000;
const LEAST_FAREWELL_MS = 1_000;

interface Waiter {
  readonly isMet: () => boolean;
  readonly resolve: () => void;
}

/**
 * Stands between one worker and the gateways: takes their attempts within its slots, keeps their leases, and brings each
 * report to the owner of its partition until that has acknowledged it.
 */
export class WorkerAgent {
  readonly #options: WorkerAgentOptions;
  readonly #links: readonly Link[];
  readonly #holdings = new Holdings();
  readonly #leases: Leases;
  readonly #deliveries: Deliveries;
  #hello: WorkerHello | undefined;
  #interrupted: ReadonlySet<string> = new Set();
  /** For the first time. */
  #welcomedAt = Infinity;
  #isDraining = false;
  #isToLeave = false;
  #isSettling = false;
  #waiters: Waiter[] = [];

  constructor(options: WorkerAgentOptions) {
    this.#options = options;
    const { clock, monotonic, calls, session, random = Math.random } = options;
    const holdings = this.#holdings;
    this.#deliveries = new Deliveries({ holdings, session, calls, monotonic, open: () => this.#open() });
    this.#leases = new Leases({
      clock,
      monotonic,
      session,
      holdings,
      endingMs: options.endingMs ?? ENDING_MS,
      onEnds: (contact) => this.#deliveries.leave(contact),
      onNotice: (text) => this.#notice(text),
    });
    const events = {
      onOpen: (contact: Contact) => this.#greet(contact),
      onFrame: (contact: Contact, frame: GatewayFrame) => this.#onFrame(contact, frame),
      onClose: (contact: Contact, reason: string) => this.#onClose(contact, reason),
      onNotice: (text: string) => this.#notice(text),
    };
    this.#links = options.lines.map((line) => new Link({ line, clock, monotonic, random, events }));
    calls.route((attempt) => this.#deliveries.reach(this.#holdings.held.get(attempt)?.partition));
  }

  /** Begins the session, then connects. Resolves when the worker is there, with or without gateways. */
  async start(): Promise<void> {
    await this.#options.session.start({
      onHello: (hello) => {
        this.#hello = hello;
        this.#interrupted = new Set(hello.interrupted);
      },
      onReports: (reports) => {
        this.#deliveries.onReports(reports);
        this.#changed();
      },
    });
    for (const link of this.#links) link.start();
  }

  status(): {
    readonly gateways: readonly string[];
    /** Of the lines to them. */
    readonly addresses: readonly string[];
    readonly running: number;
    readonly undelivered: number;
    readonly isDraining: boolean;
  } {
    const { held, ended } = this.#holdings;
    const open = this.#open();
    const gateways = open.map(({ gateway }) => gateway);
    const addresses = open.map(({ address }) => address);
    return { gateways, addresses, running: held.size, undelivered: ended.size, isDraining: this.#isDraining };
  }

  /** Takes nothing new from here on. */
  drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    for (const contact of this.#open()) contact.send({ kind: 'draining' });
    this.#changed();
  }

  /**
   * Drains, lets attempts end within the grace, gives up the rest, delivers results and leaves. What is not delivered stays in
   * the worker's journal. `hurry`: cuts all waiting short. The lines stay open: they are their owner's to close.
   */
  async leave(graceMs: number, hurry: AbortSignal = new AbortController().signal): Promise<void> {
    this.drain();
    const { held, ended } = this.#holdings;
    await this.#until(() => held.size === 0, graceMs, hurry);
    this.#options.session.cancel([...held.keys()], 'the worker was stopped while the attempt was running', 'lost');
    await this.#until(() => held.size === 0, this.#options.endingMs ?? ENDING_MS, hurry);
    const farewellMs = Math.min(FAREWELL_MS, Math.max(LEAST_FAREWELL_MS, graceMs));
    await this.#until(() => ended.size === 0, farewellMs, hurry);
    if (held.size + ended.size === 0) for (const contact of this.#open()) contact.send({ kind: 'leaving' });
    await this.#options.session.stop(0);
    for (const link of this.#links) link.stop('the worker leaves');
    this.#leases.stop();
  }

  #greet(contact: Contact): void {
    const { boot, release, labels = {}, executor = 'local', attempt } = this.#options;
    const { worker, slots, queues } = this.#hello!;
    const isTold = this.#options.monotonic() - this.#welcomedAt >= TOLD_MS;
    const journalIntact = this.#hello!.journalIntact || isTold;
    const interrupted = [...this.#interrupted];
    const who = { worker, boot, release, slots, queues, labels, executor };
    const made = attempt === undefined ? {} : { attempt };
    const hello: AgentHello = { ...who, interrupted, journalIntact, draining: this.#isDraining, ...made };
    contact.send({ kind: 'hello', hello });
    contact.beat(this.#options.monotonic());
  }

  #onFrame(contact: Contact, frame: GatewayFrame): void {
    if (!contact.isWelcome && frame.kind !== 'welcome')
      return contact.channel.close(`the first frame was '${frame.kind}', not 'welcome'`);
    const { session, calls } = this.#options;
    switch (frame.kind) {
      case 'welcome':
        return this.#onWelcome(contact, frame);
      case 'generations':
        return this.#onGenerations(contact, frame.owned);
      case 'assign':
        return this.#onAssign(contact, frame, frame.assignments);
      case 'watch':
        this.#deliveries.asked(contact, frame.watches);
        return session.watch(frame.watches);
      case 'unwatch':
        this.#deliveries.unasked(frame.ids);
        return session.unwatch(frame.ids);
      case 'callbacks':
        this.#deliveries.asked(contact, frame.callbacks);
        return session.runCallbacks(frame.callbacks);
      case 'cancel':
        return session.cancel(frame.ids, frame.reason);
      case 'acknowledge':
        return this.#onAcknowledge(frame.ids);
      case 'beaten':
        return this.#onBeaten(contact, frame);
      case 'parse':
        return void session.parse(frame.request).then((result) => contact.send({ kind: 'parsed', result }));
      case 'answer':
        return calls.onAnswer(frame);
      case 'demand':
        contact.waiting = frame.waiting;
        return this.#changed();
      case 'drain':
        this.#isToLeave = true;
        if (this.#isDraining) contact.send({ kind: 'draining' });
        this.drain();
        return this.#changed();
      default:
        // A gateway of a later release may say more.
        frame satisfies never;
        return this.#notice(`a frame of gateway '${contact.gateway}' is not known: ${JSON.stringify(frame)}`);
    }
  }

  #onWelcome(contact: Contact, { gateway, release, leaseMs }: Extract<GatewayFrame, { kind: 'welcome' }>): void {
    if (!areNeighbours(this.#options.release, release)) {
      const refusal = tooFarApart(this.#options.release, release);
      this.#notice(`gateway '${gateway}' (${contact.address}) is refused: ${refusal}`);
      return contact.channel.close(refusal);
    }
    contact.isWelcome = true;
    contact.gateway = gateway;
    this.#welcomedAt = Math.min(this.#welcomedAt, this.#options.monotonic());
    for (const link of this.#links) if (link.contact === contact) link.welcomed();
    this.#leases.begin(contact, leaseMs);
    this.#deliveries.deliver();
    this.#options.calls.reroute();
    this.#changed();
  }

  #onClose(contact: Contact, reason: string): void {
    if (contact.isWelcome)
      this.#notice(`the session with gateway '${contact.gateway}' (${contact.address}) has ended: ${reason}`);
    this.#deliveries.deliver();
    this.#options.calls.reroute();
    this.#changed();
  }

  /** I2: the claims tell a new owner what its predecessor had handed out; ends that it has not seen follow. */
  #onGenerations(contact: Contact, owned: readonly OwnedPartition[]): void {
    const now = this.#options.monotonic();
    const accepted = owned.filter((one) => this.#holdings.own(one, contact));
    for (const { partition, generation } of owned)
      if (generation < this.#holdings.generationOf(partition))
        contact.send({ kind: 'refused', ids: [], partition, generation });
    if (accepted.length === 0) return;
    contact.send({ kind: 'claims', claims: this.#holdings.claimsOf(accepted) });
    const partitions = new Set(accepted.map(({ partition }) => partition));
    const begun = [...this.#holdings.held.values()].filter(({ partition }) => partitions.has(partition));
    contact.report(begun.flatMap(({ started }) => started ?? []));
    this.#deliveries.deliver(partitions);
    contact.claimed([...partitions], now);
    this.#leases.arm();
  }

  #onAssign(contact: Contact, { partition, generation }: OwnedPartition, assignments: readonly Assignment[]): void {
    if (generation < this.#holdings.generationOf(partition))
      return contact.send({ kind: 'refused', ids: assignments.map(({ id }) => id), partition, generation });
    // The process stood still meanwhile: the gateway has given these attempts up, or is about to.
    if (!this.#leases.isLive(contact)) return contact.channel.close('the lease was over when an assignment was read');
    this.#holdings.own({ partition, generation }, contact);
    const { held, ended } = this.#holdings;
    const fresh: Assignment[] = [];
    for (const assignment of assignments) {
      const { id, onLostContact } = assignment;
      if (held.has(id) || this.#holdings.isOver(id)) continue;
      if (ended.has(id)) continue;
      const isLeased = onLostContact !== 'continue';
      held.set(id, { id, partition, contact, isLeased, started: undefined, isEnding: false });
      fresh.push(assignment);
    }
    const leased = fresh.filter(({ onLostContact }) => onLostContact !== 'continue');
    const free = fresh.filter(({ onLostContact }) => onLostContact === 'continue');
    if (leased.length > 0) this.#options.session.assign(leased, contact.key);
    if (free.length > 0) this.#options.session.assign(free);
    if (fresh.length < assignments.length) this.#deliveries.deliver(new Set([partition]));
    this.#changed();
  }

  #onBeaten(contact: Contact, { n, owned }: Extract<GatewayFrame, { kind: 'beaten' }>): void {
    if (owned !== undefined) this.#part(contact, new Set(owned));
    // A claim may have come to one that owns the partition no more.
    const isOwner = (partition: number): boolean =>
      this.#holdings.isOwner(contact, partition) && owned?.includes(partition) !== false;
    const claimed = new Set(contact.beaten(n).filter((partition) => isOwner(partition)));
    const taken = [...this.#holdings.held.values()].filter(
      (one) => one.contact !== contact && claimed.has(one.partition),
    );
    for (const one of taken) one.contact = contact;
    this.#leases.renew(contact);
    const leased = taken.filter(({ isLeased }) => isLeased).map(({ id }) => id);
    if (leased.length > 0) this.#options.session.relet?.(leased, contact.key);
    this.#deliveries.deliver();
    this.#changed();
  }

  /** I3: the gateway is not the owner of these any more, and whoever is counts from when it was. */
  #part(contact: Contact, owned: ReadonlySet<number>): void {
    const left = [...this.#holdings.held.values()].filter(
      (held) => held.contact === contact && held.isLeased && !owned.has(held.partition),
    );
    if (left.length === 0) return;
    const lease = contact.part(contact.vouchedAt);
    for (const held of left) held.contact = lease;
    this.#leases.begin(lease, contact.leaseMs);
    this.#options.session.relet?.(
      left.map(({ id }) => id),
      lease.key,
    );
  }

  #onAcknowledge(ids: readonly string[]): void {
    this.#holdings.acknowledge(ids);
    if (this.#interrupted.size > 0) this.#interrupted = this.#interrupted.difference(new Set(ids));
    this.#options.session.acknowledge(ids);
    this.#changed();
  }

  #open(): Contact[] {
    return this.#links.flatMap(({ contact }) => (contact?.isOpen === true ? [contact] : []));
  }

  /** What is offered follows from what has changed in this turn. */
  #changed(): void {
    if (this.#isSettling) return;
    this.#isSettling = true;
    queueMicrotask(() => {
      this.#isSettling = false;
      const slots = this.#isDraining ? 0 : (this.#hello?.slots ?? 0);
      makeOffers(slots, this.#open(), this.#holdings.held.values(), this.#options.monotonic());
      this.#leases.arm();
      for (const waiter of this.#waiters.filter(({ isMet }) => isMet())) waiter.resolve();
      const { held, ended } = this.#holdings;
      if (!this.#isToLeave || held.size > 0 || ended.size > 0) return;
      this.#isToLeave = false;
      this.#options.onDrained?.();
    });
  }

  /** Until the condition is met, or the time is over, or all waiting is cut short. */
  async #until(isMet: () => boolean, ms: number, hurry: AbortSignal): Promise<void> {
    if (isMet() || hurry.aborted) return;
    const { clock } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter = { isMet, resolve };
    this.#waiters.push(waiter);
    const cancel = clock.at(clock.now() + ms, resolve);
    hurry.addEventListener('abort', () => resolve(), { once: true });
    await promise;
    cancel();
    this.#waiters = this.#waiters.filter((one) => one !== waiter);
  }

  #notice(text: string): void {
    this.#options.onNotice?.(text);
  }
}
