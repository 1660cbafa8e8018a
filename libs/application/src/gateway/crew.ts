import { assertNever } from '@rondo/kernel';
import type { AgentHello, AttemptServices, Clock, EventStore, OwnedPartition } from '@rondo/ports';
import { serveAttemptCall } from '../attempt-calls.ts';
import type { Attempts } from './attempts.ts';
import { Leases } from './leases.ts';
import type { Link, Links, OtherFrame } from './links.ts';
import type { Ownership } from './ownership.ts';
import { Roster } from './roster.ts';

const DEMAND_MS = 100;
/** No worker has so many slots. */
const MOST_DEMAND = 1_000;

export interface CrewOptions {
  readonly store: EventStore;
  readonly clock: Clock;
  readonly gateway: string;
  readonly release: string;
  readonly monotonic: () => number;
  readonly leaseMs: number;
  readonly links: Links;
  readonly attempts: Attempts;
  readonly ownership: () => Ownership;
  /** What attempts may ask for while they run. */
  readonly services?: AttemptServices | undefined;
  /** What the worker has is known: it takes orders. */
  readonly onReady: (link: Link) => void;
  /** Its attempts are lost or another's, and it is forgotten. */
  readonly onGone: (link: Link) => void;
}

/** The rules of sessions where there are several gateways: who is welcome, whose claims are wanted, whose lease is over. */
export class Crew {
  private readonly options: CrewOptions;
  private readonly roster: Roster;
  private readonly leases: Leases;
  private isTelling = false;
  private closed = false;

  constructor(options: CrewOptions) {
    this.options = options;
    const { store, clock, gateway, leaseMs, monotonic, links } = options;
    this.leases = new Leases({ clock, monotonic, leaseMs, onOver: (link) => this.onOver(link) });
    this.roster = new Roster({
      ...{ store, clock, gateway, leaseMs },
      onDraining: (worker, boot) => {
        const link = links.get(worker);
        // One that is not welcome yet is told when it is.
        if (link?.hello.boot === boot && link.isWelcome) link.send({ kind: 'drain' });
      },
      onLeft: (worker, boot, isDone) => this.onLeft(worker, boot, isDone),
    });
  }

  start(): Promise<void> {
    return this.roster.start();
  }

  async stop(): Promise<void> {
    this.closed = true;
    this.leases.stop();
    await this.roster.stop();
  }

  toBeHeard(): Promise<readonly string[]> {
    return this.roster.toBeHeard();
  }

  onHello(link: Link, before: AgentHello | undefined): void {
    link.isAnew = before !== undefined && before.boot !== link.hello.boot;
    this.leases.hear(link);
    void this.welcome(link).catch(() => undefined);
  }

  onFrame(link: Link, frame: OtherFrame): void {
    switch (frame.kind) {
      case 'claims':
        this.options.ownership().onClaims(link, frame.claims);
        this.hear(link, frame.claims);
        return;
      // What it refuses it does not claim: it is another's.
      case 'refused':
        this.options.ownership().onRefused(frame);
        this.hear(link, [frame]);
        return;
      case 'beat':
        this.leases.hear(link);
        link.beat = frame.n;
        this.answerBeat(link);
        return;
      case 'leaving':
        void this.roster.leave(link.hello, 'it has left', true).catch(() => undefined);
        return;
      case 'call':
        void this.serve(link, frame);
        return;
      // Whoever has asked is told.
      case 'parsed':
        return;
      default:
        assertNever(frame, 'frame of a worker');
    }
  }

  /** They are another's: nobody need say what it has of them. */
  release(partitions: readonly number[]): void {
    for (const link of this.options.links) {
      for (const partition of partitions) link.unclaimed.delete(partition);
      this.settle(link);
    }
  }

  /** Every worker is told whose partitions these are now, and says what it has of them. */
  tell(owned: readonly OwnedPartition[]): void {
    if (owned.length === 0) return;
    for (const link of this.options.links) {
      if (!link.isWelcome) continue;
      if (!link.isReady) for (const { partition, generation } of owned) link.unclaimed.set(partition, generation);
      link.send({ kind: 'generations', owned });
    }
  }

  /** So that workers can divide their slots among gateways. */
  tellDemand(): void {
    if (this.isTelling) return;
    this.isTelling = true;
    const { clock, links, attempts } = this.options;
    clock.at(clock.now() + DEMAND_MS, () => {
      this.isTelling = false;
      if (this.closed) return;
      for (const link of links) {
        const waiting = links.isMixed ? this.demandFor(link) : Math.min(attempts.size, MOST_DEMAND);
        if (!link.isReady || waiting === link.demand) continue;
        link.demand = waiting;
        link.send({ kind: 'demand', waiting });
      }
    });
  }

  private demandFor(link: Link): number {
    let count = 0;
    for (const order of this.options.attempts.orders())
      if (link.takes(order) && ++count >= MOST_DEMAND) return MOST_DEMAND;
    return count;
  }

  /** I2: whoever takes over has to know of the worker before it is handed anything. */
  private async welcome(link: Link): Promise<void> {
    const { channel, hello } = link;
    await this.roster.join(hello, () => link.channel === channel);
    if (link.channel !== channel || channel === undefined) return;
    const { gateway, release, leaseMs, ownership } = this.options;
    link.isWelcome = true;
    link.send({ kind: 'welcome', gateway, release, leaseMs });
    const owned = ownership().owned();
    for (const { partition, generation } of owned) link.unclaimed.set(partition, generation);
    if (owned.length > 0) link.send({ kind: 'generations', owned });
    this.answerBeat(link);
    if (this.roster.isDraining(hello)) link.send({ kind: 'drain' });
    this.settle(link);
  }

  /** It has answered for these, in the generation that it was told last. */
  private hear(link: Link, owned: readonly OwnedPartition[]): void {
    for (const { partition, generation } of owned)
      if (generation >= (link.unclaimed.get(partition) ?? Infinity)) link.unclaimed.delete(partition);
    this.settle(link);
  }

  private settle(link: Link): void {
    if (link.isReady || !link.isWelcome || link.unclaimed.size > 0) return;
    link.isReady = true;
    link.isAnew = false;
    this.options.onReady(link);
  }

  private answerBeat(link: Link): void {
    if (!link.isWelcome || link.beat === undefined) return;
    link.send({ kind: 'beaten', n: link.beat, owned: this.options.ownership().vouched() });
    link.beat = undefined;
  }

  /** I3: nobody is to be told lost by one that does not own it any more. */
  private onOver(link: Link): void {
    const { attempts, ownership, links, onGone } = this.options;
    const owners = ownership();
    for (const id of [...link.attempts]) {
      const owner = owners.ownerOf(owners.partitionOf(attempts.orderOf(id)!.pool));
      if (owner !== undefined) attempts.lose(id, 'nothing was heard of its worker for the lease', undefined, owner);
    }
    link.channel?.close('nothing was heard of the worker for the lease');
    links.forget(link);
    owners.onGone(link);
    onGone(link);
    void this.roster.leave(link.hello, 'nothing was heard of it for the lease', false).catch(() => undefined);
  }

  /** Another gateway has given the worker up, or the worker itself has gone. */
  private onLeft(worker: string, boot: string, isDone: boolean): void {
    const link = this.options.links.get(worker);
    const isSame = link?.hello.boot === boot;
    if (isDone) this.options.ownership().excuse(worker);
    if (!isSame) return;
    if (isDone && !link.isOpen && link.attempts.size === 0) {
      this.leases.forget(link);
      this.options.links.forget(link);
      this.options.ownership().onGone(link);
      this.options.onGone(link);
    } else if (!isDone && link.isOpen) void this.roster.join(link.hello, () => link.isOpen).catch(() => undefined);
  }

  private async serve(link: Link, { n, attempt, method, args }: Extract<OtherFrame, { kind: 'call' }>): Promise<void> {
    const { services } = this.options;
    const { channel } = link;
    try {
      if (services === undefined) throw new Error('this gateway has no services for attempts');
      const value = await serveAttemptCall(services, attempt, method, args);
      channel?.send({ kind: 'answer', n, ...(value === undefined ? {} : { value }) });
    } catch (error) {
      channel?.send({ kind: 'answer', n, error: error instanceof Error ? error.message : String(error) });
    }
  }
}
