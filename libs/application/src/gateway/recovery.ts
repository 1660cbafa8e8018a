import type { PartitionOwner, ReadyMessage, ReadyOrder } from '@rondo/contracts';
import type { WorkerClaim } from '@rondo/ports';
import type { Link } from './links.ts';

/**
 * What a new owner of a partition gathers before it admits anything of it (I2): what the schedulers say is open, and what the
 * workers say they have.
 */
export class Recovery {
  /** Open attempts, as they were stated to this owner. */
  readonly stated = new Map<string, ReadyOrder>();
  readonly claimed = new Map<string, Link>();
  /** Attempts that have ended with an earlier process of their worker, whoever had handed them out. */
  readonly interrupted = new Set<string>();
  /** What speaks of attempts and came meanwhile, in order. */
  readonly later: ReadyMessage[] = [];
  /** Shards that have not restated. */
  readonly shards: Set<number>;
  /** Workers that have not claimed; undefined: it is not known who there is. */
  private workers: Set<string> | undefined;
  private isLeaseOver = false;
  private hasLostJournal = false;

  constructor(shards: number) {
    this.shards = new Set(Array.from({ length: shards }, (_, shard) => shard));
  }

  get isDone(): boolean {
    return this.shards.size === 0 && (this.isLeaseOver || this.workers?.size === 0);
  }

  /** A worker may have begun what it has not claimed: it is away, or does not know it any more. */
  get isUncertain(): boolean {
    return this.hasLostJournal || this.missing.length > 0;
  }

  get missing(): readonly string[] {
    return this.workers === undefined ? [] : [...this.workers];
  }

  await(workers: Iterable<string>): void {
    this.workers = new Set(workers);
  }

  /** Whoever has not claimed by now has ended what it had (I3). */
  endLease(): void {
    this.isLeaseOver = true;
  }

  /** The worker had nothing, or has nothing any more. */
  excuse(worker: string): void {
    this.workers?.delete(worker);
  }

  claim(link: Link, { running, ended }: WorkerClaim): void {
    for (const id of [...running, ...ended]) this.claimed.set(id, link);
    for (const id of link.hello.interrupted) this.interrupted.add(id);
    if (!link.hello.journalIntact) this.hasLostJournal = true;
    this.excuse(link.name);
  }

  /** The lease of the worker is over. */
  lose(link: Link): void {
    for (const [id, holder] of this.claimed) if (holder === link) this.claimed.delete(id);
  }

  /**
   * An order counts when it was stated to this owner, or came after its shard had stated all: what was sent before, and was not
   * stated again, is open no more.
   */
  order(order: ReadyMessage & ReadyOrder, { generation }: PartitionOwner): void {
    if (order.restated?.generation === generation) this.stated.set(order.assignment.id, order);
    // Stated to an owner before this one, it comes late.
    else if (order.restated?.generation !== undefined) return;
    else if (order.from !== undefined && !this.shards.has(order.from.shard)) this.later.push(order);
  }

  durable(ids: readonly string[]): void {
    for (const id of ids) {
      this.stated.delete(id);
      this.claimed.delete(id);
    }
  }
}
