import {
  DEFAULT_PARTITIONS,
  keyOfPartition,
  TOPICS,
  type PartitionOwner,
  type ReadyMessage,
  type ReadyOrder,
} from '@rondo/contracts';
import { PARTITIONS_STREAM, type PartitionsTaken } from '@rondo/domain';
import type { Clock, DeliveredMessage, EventStore, Ids, MessageBus, OwnedPartition, WorkerClaim } from '@rondo/ports';
import { envelope, traceOf } from '../scheduler/envelope.ts';
import type { Attempts, Owners } from './attempts.ts';
import { Generations, type TakeOvers } from './generations.ts';
import type { Link } from './links.ts';
import { Recovery } from './recovery.ts';

const RETRY_MS = 500;
const LOOK_MS = 1_000;

export interface OwnershipOptions {
  readonly bus: MessageBus;
  readonly store: EventStore;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly gateway: string;
  readonly monotonic: () => number;
  readonly leaseMs: number;
  /** Partitions of the inbox. Default 64. */
  readonly shards?: number;
  /** Whether nobody else can have the partition now. */
  readonly isOwner: (partition: number) => boolean;
  /** Workers that may have attempts of whoever was the owner before. */
  readonly toBeHeard: () => Promise<readonly string[]>;
  /** Every worker is to be told. */
  readonly onGenerations: (owned: readonly OwnedPartition[]) => void;
  /** To be done with a message of a partition that is owned. */
  readonly onMessage: (message: ReadyMessage, partition: number) => void;
  /** Attempts may be handed out that could not before. */
  readonly onReady: () => void;
  readonly onProblem?: ((message: string) => void) | undefined;
}

const TAKE_OVERS: TakeOvers = {
  stream: PARTITIONS_STREAM,
  of: (data) => (JSON.parse(data) as PartitionsTaken['data']).partitions,
};

/** A partition that the bus has given to this gateway. */
interface Held {
  readonly partition: number;
  /** Undefined: its generation is being written. */
  owner: PartitionOwner | undefined;
  /** Undefined: attempts of it may be handed out. */
  recovery: Recovery | undefined;
  /** The schedulers have been asked, so the workers may be. */
  isAsked: boolean;
  /** Of the last message: one that comes again is dropped. */
  offset: number;
  /** Somebody else may have had it meanwhile: what is known of it is worth nothing. */
  isDoubtful: boolean;
  /** The last message of each shard. */
  readonly last: Map<number, { readonly epoch: number; readonly seq: number }>;
  /** Claimed attempts that no scheduler has stated. */
  readonly unstated: Map<string, Link>;
}

/**
 * I2: which partitions this gateway owns, in which generation, and what has to be known before it admits anything of them. The
 * generation is the revision of an event, so that each owner's is higher than those before.
 */
export class Ownership implements Owners {
  private readonly options: OwnershipOptions;
  private readonly attempts: Attempts;
  private readonly generations: Generations;
  private readonly held = new Map<number, Held>();
  private readonly epochs = new Map<number, number>();
  private readonly partitions = new Map<string, number>();
  private readonly keys = new Map<number, string>();
  private cancelTimer: (() => void) | undefined;
  private closed = false;

  constructor(options: OwnershipOptions, attempts: Attempts) {
    this.options = options;
    this.attempts = attempts;
    const { store, clock } = options;
    this.generations = new Generations(store, clock, TAKE_OVERS, (partition) => this.outdo(partition));
  }

  start(): Promise<void> {
    return this.generations.start();
  }

  get home(): number {
    return this.held.keys().next().value ?? 0;
  }

  /** Partitions whose attempts may not be handed out yet. */
  get recovering(): number {
    let count = 0;
    for (const { recovery } of this.held.values()) if (recovery !== undefined) count++;
    return count;
  }

  get size(): number {
    return this.held.size;
  }

  partitionOf(pool: string): number {
    const known = this.partitions.get(pool);
    if (known !== undefined) return known;
    const partition = this.options.bus.partitionOf(TOPICS.tasksReady, pool);
    this.partitions.set(pool, partition);
    return partition;
  }

  ownerOf(partition: number): PartitionOwner | undefined {
    const held = this.held.get(partition);
    return held !== undefined && held.recovery === undefined && this.isMine(held) ? held.owner : undefined;
  }

  /** What the workers are told, or asked again when they connect. */
  owned(): readonly OwnedPartition[] {
    return [...this.held.values()].flatMap(({ owner, isAsked }) => (owner !== undefined && isAsked ? [owner] : []));
  }

  /** Partitions that nobody else can have now. */
  vouched(): readonly number[] {
    return [...this.held.values()].flatMap((held) => (this.isMine(held) ? [held.partition] : []));
  }

  /** The bus has given these to this gateway. */
  take(partitions: readonly number[]): void {
    const { shards = DEFAULT_PARTITIONS } = this.options;
    const taken = partitions.map((partition): Held => {
      this.attempts.drop(partition);
      const recovery = new Recovery(shards);
      const held: Held = {
        ...{ partition, owner: undefined, recovery, isAsked: false, offset: -1, isDoubtful: false },
        last: new Map(),
        unstated: new Map(),
      };
      this.held.set(partition, held);
      return held;
    });
    if (this.cancelTimer === undefined) this.watch();
    void this.takeOver(taken);
  }

  /** They are another's now. */
  release(partitions: readonly number[]): void {
    for (const partition of partitions) {
      this.held.delete(partition);
      this.attempts.drop(partition);
    }
  }

  async stop(): Promise<void> {
    this.closed = true;
    this.cancelTimer?.();
    await this.generations.stop();
  }

  onMessages(messages: readonly DeliveredMessage<ReadyMessage>[]): void {
    for (const { value, partition, offset } of messages) {
      const held = this.held.get(partition);
      if (held === undefined || offset <= held.offset || this.isStale(value, held)) continue;
      held.offset = offset;
      if (value.kind === 'restated') this.onRestated(held, value);
      else if (held.recovery === undefined) this.apply(value, held);
      else this.gather(value, held, held.recovery);
    }
  }

  onClaims(link: Link, claims: readonly WorkerClaim[]): void {
    for (const claim of claims) {
      const held = this.held.get(claim.partition);
      if (held?.owner?.generation !== claim.generation) continue;
      if (held.recovery === undefined) this.onReturn(held, link, claim);
      else {
        held.recovery.claim(link, claim);
        this.complete(held);
      }
    }
  }

  /** The worker has gone, and what it had with it. */
  onGone(link: Link): void {
    for (const { recovery, unstated } of this.held.values()) {
      recovery?.lose(link);
      for (const [id, holder] of unstated) if (holder === link) unstated.delete(id);
    }
  }

  /** Nobody need wait for the worker. */
  excuse(worker: string): void {
    for (const held of this.held.values()) {
      held.recovery?.excuse(worker);
      this.complete(held);
    }
  }

  /** A worker knows of a later owner: either this one is not it any more, or it has to become it again. */
  onRefused({ partition, generation }: PartitionOwner): void {
    const held = this.held.get(partition);
    if (held?.owner?.generation === generation) this.retake(held);
  }

  /** What is known of it is worth nothing. Where the group gives it back only later, it is taken then. */
  private retake(held: Held): void {
    held.isDoubtful = true;
    if (!this.options.isOwner(held.partition)) return;
    this.release([held.partition]);
    this.take([held.partition]);
  }

  /** Schedulers and workers go by the highest generation: whoever has the partition must have it. */
  private outdo(partition: number): void {
    const held = this.held.get(partition);
    if (held?.owner !== undefined && held.owner.generation < this.generations.of(partition)) this.retake(held);
  }

  private async takeOver(taken: readonly Held[]): Promise<void> {
    const { toBeHeard, monotonic, onGenerations } = this.options;
    const still = (): Held[] => taken.filter((held) => this.held.get(held.partition) === held && this.isMine(held));
    const generation = await this.write(still);
    if (generation === undefined) return;
    for (const held of still()) held.owner = { partition: held.partition, generation };
    for (const { partition } of still()) this.outdo(partition);
    const begin = monotonic();
    const workers = await this.persist(toBeHeard);
    // A worker that hears of this owner, and lives under its lease from there on, cannot be lost by one before (I3): its word
    // would come to the schedulers after this.
    await this.persist(() => this.ask(still()));
    for (const held of still()) {
      held.isAsked = true;
      held.recovery?.await(workers ?? []);
    }
    onGenerations(still().flatMap(({ owner }) => owner ?? []));
    this.waitLease(still, begin);
    for (const held of still()) this.complete(held);
  }

  private async write(still: () => readonly Held[]): Promise<number | undefined> {
    const partitions = still().map(({ partition }) => partition);
    if (partitions.length === 0) return undefined;
    const { store, clock, gateway, ids } = this.options;
    const at = clock.now();
    const event: PartitionsTaken = { type: 'PartitionsTaken', data: { gateway, partitions, at } };
    const cause = { causationId: 'assignment', actor: `service:${gateway}` };
    const recorded = envelope(event, traceOf(PARTITIONS_STREAM, ''), cause, at, ids);
    const outcomes = await this.persist(async () =>
      still().length === 0 ? [] : store.append([{ stream: PARTITIONS_STREAM, expected: 'any', events: [recorded] }]),
    );
    const outcome = outcomes?.[0];
    // From 1: a worker that knows of no owner knows generation 0.
    return outcome?.ok === true ? outcome.revision + 1 : undefined;
  }

  private isMine(held: Held): boolean {
    const isOwner = this.options.isOwner(held.partition);
    if (!isOwner) held.isDoubtful = true;
    return isOwner && !held.isDoubtful;
  }

  /** A group may give a partition back to a member that was away without telling it that it had lost it. */
  private watch(): void {
    const { clock, isOwner } = this.options;
    this.cancelTimer = clock.at(clock.now() + LOOK_MS, () => {
      if (this.closed) return;
      this.watch();
      const back = [...this.held.values()].filter((held) => !this.isMine(held) && isOwner(held.partition));
      const partitions = back.map(({ partition }) => partition);
      if (partitions.length === 0) return;
      this.release(partitions);
      this.take(partitions);
    });
  }

  /** Asks every shard, or those that have not answered, to state its open attempts of the partitions. */
  private async ask(asked: readonly Held[]): Promise<void> {
    const owners = new Map<number, PartitionOwner[]>();
    for (const { owner, recovery } of asked) {
      if (owner === undefined || recovery === undefined) continue;
      for (const shard of recovery.shards) owners.set(shard, [...(owners.get(shard) ?? []), owner]);
    }
    const messages = Array.from(owners, ([shard, owned]) => ({
      key: this.keyOf(shard),
      value: { kind: 'restate', dagId: '', owned } as const,
    }));
    if (messages.length > 0) await this.options.bus.publish(TOPICS.schedulerInbox, messages);
  }

  private keyOf(shard: number): string {
    const { bus } = this.options;
    const key = this.keys.get(shard) ?? keyOfPartition(shard, (each) => bus.partitionOf(TOPICS.schedulerInbox, each));
    this.keys.set(shard, key);
    return key;
  }

  /** Asks again meanwhile, and waits for no worker beyond a lease. */
  private waitLease(still: () => readonly Held[], begin: number): void {
    const { clock, monotonic, leaseMs, onProblem } = this.options;
    const look = (): void => {
      const waiting = still().filter(({ recovery }) => recovery !== undefined);
      if (waiting.length === 0 || this.closed) return;
      if (monotonic() - begin >= leaseMs)
        for (const held of waiting) {
          const missing = held.recovery?.missing ?? [];
          if (missing.length > 0) onProblem?.(`workers have not answered within the lease: ${missing.join(', ')}`);
          held.recovery?.endLease();
          this.complete(held);
        }
      void this.ask(waiting).catch(() => undefined);
      clock.at(clock.now() + leaseMs / 3, look);
    };
    clock.at(clock.now() + leaseMs / 3, look);
  }

  private isStale({ from }: ReadyMessage, held: Held): boolean {
    if (from === undefined) return false;
    const { shard, epoch, seq } = from;
    const known = this.epochs.get(shard) ?? 0;
    if (epoch > known) this.epochs.set(shard, epoch);
    if (epoch < known || seq === undefined) return epoch < known;
    const last = held.last.get(shard);
    if (last?.epoch === epoch && seq <= last.seq) return true;
    held.last.set(shard, { epoch, seq });
    return false;
  }

  private onRestated(held: Held, { shard, generation }: Extract<ReadyMessage, { kind: 'restated' }>): void {
    if (held.owner?.generation !== generation) return;
    held.recovery?.shards.delete(shard);
    this.complete(held);
  }

  private gather(message: ReadyMessage, held: Held, recovery: Recovery): void {
    switch (message.kind) {
      case 'order':
        if (held.owner !== undefined) recovery.order(message, held.owner);
        return;
      case 'cancel':
      case 'withdraw':
      case 'reorder':
        recovery.later.push(message);
        return;
      case 'durable':
        recovery.durable(message.ids);
        this.apply(message, held);
        return;
      // These take no slot, or say who holds one.
      case 'deferred':
      case 'undeferred':
      case 'callback':
      case 'watch':
      case 'unwatch':
      case 'ask':
      case 'restated':
        this.apply(message, held);
    }
  }

  private apply(message: ReadyMessage, held: Held): void {
    // Stated to an owner before this one, it comes late.
    const stated = message.kind === 'order' ? message.restated?.generation : undefined;
    if (stated !== undefined && stated !== held.owner?.generation) return;
    const holder = message.kind === 'order' ? held.unstated.get(message.assignment.id) : undefined;
    if (message.kind !== 'order' || holder === undefined) return this.options.onMessage(message, held.partition);
    held.unstated.delete(message.assignment.id);
    if (!this.attempts.isKnown(message.assignment.id)) this.adopt(message, holder);
  }

  /** The worker was away, and says what it has of a partition that goes on. */
  private onReturn(held: Held, link: Link, { running, ended }: WorkerClaim): void {
    const { attempts } = this;
    const claimed = new Set([...running, ...ended]);
    const isOf = (id: string): boolean => this.partitionOf(attempts.orderOf(id)!.pool) === held.partition;
    const unclaimed = [...link.attempts].filter((id) => !claimed.has(id) && isOf(id));
    if (!link.isAnew) attempts.assignAgain(link, unclaimed);
    else for (const id of unclaimed) attempts.lose(id, 'the worker has begun anew', link, held.owner);
    for (const id of claimed) {
      if (link.attempts.has(id) || attempts.isOver(id)) continue;
      const holder = attempts.assigned.get(id)?.link;
      const order = attempts.orderOf(id);
      if (holder?.name === link.name) attempts.giveBack(id, link);
      else if (holder !== undefined) link.send({ kind: 'cancel', ids: [id], reason: 'another worker has it' });
      else if (order !== undefined && running.includes(id)) this.adopt(order, link);
      else if (order === undefined) held.unstated.set(id, link);
    }
  }

  /** An executor of attempts alone may have a place for one that has not begun, and not know what to run in it. */
  private adopt(order: ReadyOrder, holder: Link): void {
    this.attempts.adopt(order, holder);
    if (holder.hello.attemptsOnly === true && order.restated?.acknowledged !== true)
      this.attempts.assignAgain(holder, [order.assignment.id]);
  }

  private complete(held: Held): void {
    const { recovery, owner } = held;
    if (recovery?.isDone !== true || owner === undefined) return;
    held.recovery = undefined;
    const { attempts } = this;
    for (const [id, order] of recovery.stated) {
      const holder = recovery.claimed.get(id);
      recovery.claimed.delete(id);
      if (attempts.isKnown(id)) continue;
      if (holder !== undefined) this.adopt(order, holder);
      else if (order.restated?.acknowledged === true || recovery.interrupted.has(id))
        attempts.lose(id, 'no worker has it any more', undefined, owner);
      else if (recovery.isUncertain) attempts.renew(order, 'a worker that may have had it is gone', owner);
      else attempts.push(order);
    }
    for (const [id, holder] of recovery.claimed) if (!attempts.isKnown(id)) held.unstated.set(id, holder);
    for (const message of recovery.later) this.apply(message, held);
    this.options.onReady();
  }

  /** Tries again until it is done, or the gateway stops. */
  private async persist<T>(run: () => Promise<T>): Promise<T | undefined> {
    const { clock, onProblem } = this.options;
    for (let said = ''; !this.closed;) {
      try {
        return await run();
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        if (message !== said) onProblem?.(`a take-over waits: ${message}`);
        said = message;
        await new Promise<void>((resolve) => void clock.at(clock.now() + RETRY_MS, resolve));
      }
    }
    return undefined;
  }
}
