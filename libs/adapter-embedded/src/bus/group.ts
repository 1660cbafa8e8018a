import type { ConsumeOptions, Consumer, DeliveredMessage } from '@rondo/ports';
import { Member, type RetryRules } from './member.ts';

type Message = DeliveredMessage<unknown>;

/**
 * The consumers that share a topic's partitions. A change of members stops them all: what is being handled is settled
 * before its partition has another owner, so that two members never work on one partition.
 */
export class ConsumerGroup {
  readonly #rules: RetryRules;
  readonly #owners: (Member | undefined)[];
  #members: Member[] = [];
  /** Messages without an owner: no member yet, or a change is under way. */
  #parked: Message[] = [];
  #changing: Promise<void> = Promise.resolve();

  constructor(rules: RetryRules & { readonly partitions: number }) {
    this.#rules = rules;
    this.#owners = Array.from({ length: rules.partitions }, () => undefined);
  }

  push(message: Message): void {
    const owner = this.#owners[message.partition];
    if (owner === undefined) this.#parked.push(message);
    else owner.push(message);
  }

  async join(options: ConsumeOptions<unknown>): Promise<Consumer> {
    const member = new Member(options, this.#rules);
    await this.#change(() => this.#members.push(member));
    let closed: Promise<void> | undefined;
    return {
      close: () => {
        closed ??= this.#change(() => {
          this.#members = this.#members.filter((other) => other !== member);
        }, member);
        return closed;
      },
      isOwner: (partition) => closed === undefined && member.partitions.includes(partition),
    };
  }

  async close(): Promise<void> {
    const leaving = this.#members;
    await this.#change(
      () => {
        this.#members = [];
      },
      ...leaving,
    );
  }

  #change(apply: () => void, ...leaving: readonly Member[]): Promise<void> {
    const next = this.#changing.then(() => this.#rebalance(apply, leaving));
    this.#changing = next.catch(() => undefined);
    return next;
  }

  async #rebalance(apply: () => void, leaving: readonly Member[]): Promise<void> {
    const before = this.#members;
    this.#owners.fill(undefined);
    await Promise.all(before.map((member) => member.pause()));
    const waiting = before.flatMap((member) => member.takeAll());
    apply();
    const shares = share(this.#owners.length, this.#members);
    try {
      for (const member of new Set([...before, ...leaving])) {
        const kept = shares.get(member) ?? [];
        const lost = member.partitions.filter((partition) => !kept.includes(partition));
        if (lost.length > 0) await member.options.onRevoked?.(lost);
      }
      for (const [member, partitions] of shares) {
        const gained = partitions.filter((partition) => !member.partitions.includes(partition));
        member.partitions = partitions;
        if (gained.length > 0) await member.options.onAssigned?.(gained);
      }
    } finally {
      this.#resume(shares, waiting);
    }
  }

  #resume(shares: ReadonlyMap<Member, readonly number[]>, waiting: readonly Message[]): void {
    for (const [member, partitions] of shares) {
      for (const partition of partitions) this.#owners[partition] = member;
    }
    const parked = this.#parked;
    this.#parked = [];
    for (const message of waiting) this.push(message);
    for (const message of parked) this.push(message);
    for (const member of this.#members) member.resume();
  }
}

/** Partitions for each member, as even as can be; a member keeps of its own what is its share. */
function share(partitions: number, members: readonly Member[]): Map<Member, number[]> {
  const sizeOf = (index: number): number =>
    Math.floor(partitions / members.length) + (index < partitions % members.length ? 1 : 0);
  const shares = new Map(members.map((member, index) => [member, member.partitions.slice(0, sizeOf(index))]));
  const taken = new Set([...shares.values()].flat());
  const free = Array.from({ length: partitions }, (_, partition) => partition).filter(
    (partition) => !taken.has(partition),
  );
  for (const [index, own] of [...shares.values()].entries()) own.push(...free.splice(0, sizeOf(index) - own.length));
  return shares;
}
