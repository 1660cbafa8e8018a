import {
  Admission,
  DEFAULT_POOL,
  instanceId,
  parseAttemptId,
  type Demand,
  type Pool,
  type PoolLoad,
} from '@rondo/domain';
import type { AdmissionAnswer, DeferredHold, PartitionOwner, ReadyOrder, ReadyRank } from '@rondo/contracts';
import type { Assignment, Clock, WorkerReport } from '@rondo/ports';
import { DeferredSlots } from './deferred-slots.ts';
import { explainAdmission } from './explain.ts';
import type { Link, Links } from './links.ts';
import type { Outbox } from './outbox.ts';

/** Who may admit what, where there are several gateways (I2). */
export interface Owners {
  partitionOf(pool: string): number;
  /** Undefined: nothing of the partition may be handed out. */
  ownerOf(partition: number): PartitionOwner | undefined;
  /** Any partition of this gateway's, to be answered at. */
  readonly home: number;
}

export interface AttemptsOptions {
  readonly clock: Clock;
  readonly links: Links;
  readonly outbox: Outbox;
  /** Undefined: this is the only gateway. */
  readonly owners?: (() => Owners) | undefined;
  readonly onPid?: ((pid: number) => void) | undefined;
}

interface Assigned {
  readonly order: ReadyOrder;
  readonly queuedAt: number;
  readonly link: Link;
}

export interface QueueLoad {
  readonly waiting: number;
  readonly assigned: number;
}

interface Ended {
  readonly link: Link | undefined;
  /** Undefined: not known, or there is only one gateway. */
  readonly partition: number | undefined;
}

type Batches = Map<Link, Map<PartitionOwner, Assignment[]>>;

const SOLE: PartitionOwner = { partition: 0, generation: 0 };
/** Results that are in the history are remembered for so many: an order of one that comes late is dropped (I1). */
const REMEMBERED = 20_000;

/**
 * Attempts that wait or are with workers. One takes the slots of its pool and a place at a worker in one step, and gives both
 * back when it ends. Its state is soft (I2).
 */
export class Attempts {
  /** Milliseconds that attempts ran, all together. */
  executedMs = 0;
  readonly assigned = new Map<string, Assigned>();
  private readonly options: AttemptsOptions;
  private readonly waiting: Admission<ReadyOrder>;
  private readonly deferred: DeferredSlots;
  /** Attempts whose end was passed on and is not durable yet, with who reported it: a restated order of one is dropped. */
  private readonly ended = new Map<string, Ended>();
  private readonly over = new Set<string>();

  constructor(options: AttemptsOptions) {
    this.options = options;
    this.waiting = new Admission([DEFAULT_POOL], { queue: () => false, executor: () => false });
    this.deferred = new DeferredSlots(this.waiting);
  }

  get size(): number {
    return this.waiting.size;
  }

  /** How many wait and how many are with workers, by queue. */
  byQueue(): ReadonlyMap<string, QueueLoad> {
    const loads = new Map<string, { waiting: number; assigned: number }>();
    const of = (queue: string) => {
      const known = loads.get(queue) ?? { waiting: 0, assigned: 0 };
      loads.set(queue, known);
      return known;
    };
    for (const [queue, count] of this.waiting.waitingByQueue()) of(queue).waiting += count;
    for (const { order } of this.assigned.values()) of(order.queue).assigned++;
    return loads;
  }

  setPool(name: string, pool: Pool | undefined): void {
    this.waiting.setPool(name, pool);
  }

  /** Says to the admission what the workers take; `open`, where workers differ: those that have room. */
  serve(open?: ReadonlyMap<Link, number>): void {
    const taking = this.options.links.taking();
    const queues = new Map<string, boolean>();
    this.waiting.setService({
      queue: (name) => {
        const known = queues.get(name) ?? taking.some((link) => link.serves(name));
        queues.set(name, known);
        return known;
      },
      executor: (name) => taking.some((link) => link.hasExecutor(name)),
      ...(open === undefined
        ? {}
        : { takes: (queue, executor) => [...open.keys()].some((link) => link.takes({ queue, executor })) }),
    });
  }

  /** I1: an order of one that is known is dropped. */
  isKnown(id: string): boolean {
    return this.waiting.has(id) || this.assigned.has(id) || this.isOver(id);
  }

  /** It has ended, whether the history has that or not. */
  isOver(id: string): boolean {
    return this.ended.has(id) || this.over.has(id);
  }

  push(order: ReadyOrder): void {
    this.waiting.push(order.assignment.id, order);
  }

  /** A worker has it: it was handed out by another gateway, or before the order came. */
  adopt(order: ReadyOrder, link: Link): void {
    const { id } = order.assignment;
    this.waiting.remove(id);
    this.waiting.adopt(order);
    this.assigned.set(id, { order, queuedAt: this.options.clock.now(), link });
    link.attempts.add(id);
  }

  /** The worker was given up and is back, before anybody was told so. */
  giveBack(id: string, link: Link): void {
    const known = this.assigned.get(id);
    if (known === undefined) return;
    this.assigned.set(id, { ...known, link });
    link.attempts.add(id);
  }

  /** Orders that wait. */
  orders(): Iterable<ReadyOrder> {
    return this.waiting.orders();
  }

  orderOf(id: string): ReadyOrder | undefined {
    return this.assigned.get(id)?.order ?? this.waiting.orderOf(id);
  }

  cancel(ids: readonly string[], reason: string): void {
    const told = new Map<Link, string[]>();
    for (const id of ids) {
      const link = this.assigned.get(id)?.link;
      if (link !== undefined) told.set(link, [...(told.get(link) ?? []), id]);
      else if (this.waiting.has(id)) this.lose(id, `${reason} before it began`);
    }
    for (const [link, running] of told) link.send({ kind: 'cancel', ids: running, reason });
  }

  /** One that has been admitted goes on: a hold is no cancellation. */
  withdraw(ids: readonly string[], reason: string): void {
    const { clock, outbox } = this.options;
    for (const id of ids) {
      const order = this.waiting.orderOf(id);
      if (order === undefined) continue;
      this.waiting.remove(id);
      const { attempt } = order.assignment;
      const partition = this.partitionOf(order);
      this.ended.set(id, { link: undefined, partition });
      outbox.push({ kind: 'withdrawn', attempt, at: clock.now(), reason }, partition);
    }
  }

  /** Nobody says that it was begun, and nobody can say that it was not: it goes on under another id (I1). */
  renew(order: ReadyOrder, reason: string, owner: PartitionOwner): void {
    const { attempt, id } = order.assignment;
    this.ended.set(id, { link: undefined, partition: owner.partition });
    const at = this.options.clock.now();
    this.options.outbox.push({ kind: 'withdrawn', attempt, at, reason, owner }, owner.partition);
  }

  reorder(ranks: readonly ReadyRank[]): void {
    for (const { id, ...rank } of ranks) this.waiting.replace(id, rank);
  }

  holdSlots(holds: readonly DeferredHold[]): void {
    for (const hold of holds) this.deferred.state(hold);
  }

  freeSlots(instances: readonly string[]): void {
    for (const instance of instances) this.deferred.forget(instance);
  }

  /** Fills the workers' slots. Among workers that take an order the one with most room gets it. */
  assign(): void {
    if (this.waiting.size === 0) return;
    const { links } = this.options;
    const rooms = new Map<Link, number>();
    for (const link of links) {
      const { room } = link;
      if (room > 0) rooms.set(link, room);
    }
    if (rooms.size === 0) return;
    const { isMixed } = links;
    if (isMixed) this.serve(rooms);
    const batches: Batches = new Map();
    while (rooms.size > 0) {
      const order = this.waiting.admit();
      if (order === undefined) break;
      const owner = this.ownerOf(order);
      if (owner === undefined) {
        // Somebody else states it, and admits it.
        this.waiting.release(order);
        continue;
      }
      const link = roomiest(rooms, order)!;
      const room = rooms.get(link)! - 1;
      if (room > 0) rooms.set(link, room);
      else if (rooms.delete(link) && isMixed) this.serve(rooms);
      this.hand(order, link, owner, batches);
    }
    this.sendAll(batches);
  }

  /** The worker has not got these: they are on their way once more. */
  assignAgain(link: Link, ids: readonly string[]): void {
    const batches: Batches = new Map();
    for (const id of ids) {
      const order = this.assigned.get(id)?.order;
      const owner = order === undefined ? undefined : this.ownerOf(order);
      if (order !== undefined && owner !== undefined) add(batches, link, owner, order.assignment);
    }
    this.sendAll(batches);
  }

  onStarted(link: Link, report: Extract<WorkerReport, { kind: 'started' }>): void {
    const { id, at, pid } = report;
    const known = this.of(link, id);
    const attempt = known?.order.assignment.attempt ?? parseAttemptId(id);
    if (attempt === undefined) return;
    link.pace.lasts();
    const { executor } = link.hello;
    const queuedAt = known?.queuedAt ?? at;
    this.options.outbox.push({ kind: 'started', attempt, queuedAt, executor, worker: link.name, at, pid });
  }

  onFinished(link: Link, report: Extract<WorkerReport, { kind: 'finished' }>): void {
    const { id, startedAt, at, pid, outcome, rendered, mapIndexName } = report;
    const holder = this.assigned.get(id)?.link;
    // Its lease was over, and the attempt has been handed to another: the result is of no use any more.
    if (holder !== undefined && holder.name !== link.name) return link.send({ kind: 'acknowledge', ids: [id] });
    const known = this.of(link, id);
    const order = known?.order ?? this.waiting.orderOf(id);
    const attempt = order?.assignment.attempt ?? parseAttemptId(id);
    if (attempt === undefined) return;
    this.waiting.remove(id);
    this.release(id, outcome.kind === 'defer' || outcome.kind === 'trigger');
    const partition = this.partitionOf(order);
    this.ended.set(id, { link, partition });
    link.pace.finished(at - startedAt);
    this.executedMs += at - startedAt;
    this.options.onPid?.(pid);
    const about = { attempt, queuedAt: known?.queuedAt ?? startedAt, executor: link.hello.executor, worker: link.name };
    this.options.outbox.push(
      {
        ...{ kind: 'finished', ...about, startedAt, at, pid, outcome },
        ...(rendered === undefined ? {} : { rendered }),
        ...(mapIndexName === undefined ? {} : { mapIndexName }),
      },
      this.replyTo(partition),
    );
  }

  /** The worker itself says that it is lost, or that it never had it and never will. */
  onLost(link: Link, id: string, reason: string): void {
    const holder = this.assigned.get(id)?.link;
    if (holder !== undefined && holder.name !== link.name) link.send({ kind: 'acknowledge', ids: [id] });
    else this.lose(id, reason, link);
  }

  /** `owner`: in whose name; a successor of it knows better. */
  lose(id: string, reason: string, link?: Link, owner?: PartitionOwner): void {
    const order = this.orderOf(id);
    const attempt = order?.assignment.attempt ?? parseAttemptId(id);
    this.waiting.remove(id);
    this.release(id);
    if (attempt === undefined || this.ended.has(id)) return;
    const partition = this.partitionOf(order) ?? owner?.partition;
    this.ended.set(id, { link, partition });
    const named = owner === undefined ? {} : { owner };
    const at = this.options.clock.now();
    this.options.outbox.push({ kind: 'lost', attempt, at, reason, ...named }, this.replyTo(partition));
  }

  /** The history has these results: worker and gateway may forget them. */
  durable(ids: readonly string[]): void {
    const { links } = this.options;
    const told = new Map<Link, string[]>();
    for (const id of ids) {
      const link = this.ended.get(id)?.link;
      this.ended.delete(id);
      this.remember(id);
      for (const each of link === undefined ? links : [link]) {
        const list = told.get(each);
        if (list === undefined) told.set(each, [id]);
        else list.push(id);
      }
    }
    for (const [link, list] of told) link.send({ kind: 'acknowledge', ids: list });
  }

  /**
   * The partition is another's, or will be stated anew: what ended may not have been believed, and is open then.
   */
  drop(partition: number): void {
    const isOf = (pool: string): boolean => this.options.owners?.().partitionOf(pool) === partition;
    for (const { pool, assignment } of this.waiting.orders()) if (isOf(pool)) this.waiting.remove(assignment.id);
    for (const [id, { order }] of this.assigned) if (isOf(order.pool)) this.release(id);
    for (const [id, ended] of this.ended) if (ended.partition === partition) this.ended.delete(id);
    this.deferred.drop(isOf);
  }

  admissionOf(id: string, demand: Demand): AdmissionAnswer {
    const known = this.assigned.get(id);
    if (known !== undefined) {
      const reason = `admitted: it is with worker '${known.link.name}'`;
      return { stand: 'admitted', reasons: [{ rule: 'admission', passed: true, reason }] };
    }
    const { links } = this.options;
    const taking = links.taking();
    const reasons = explainAdmission(this.waiting.standOf(this.waiting.orderOf(id) ?? demand), {
      executor: [...new Set(taking.map(({ hello }) => hello.executor))].join(', '),
      queues: [...new Set(taking.flatMap(({ hello }) => hello.queues))],
      slots: links.slots,
      assigned: this.assigned.size,
    });
    return { stand: this.waiting.has(id) ? 'waiting' : 'unknown', reasons };
  }

  loads(names: readonly string[]): readonly PoolLoad[] {
    return names.map((name) => this.waiting.load(name));
  }

  private of(link: Link, id: string): Assigned | undefined {
    const known = this.assigned.get(id);
    return known?.link.name === link.name ? known : undefined;
  }

  private hand(order: ReadyOrder, link: Link, owner: PartitionOwner, batches: Batches): void {
    const { assignment } = order;
    this.assigned.set(assignment.id, { order, queuedAt: this.options.clock.now(), link });
    link.attempts.add(assignment.id);
    add(batches, link, owner, assignment);
  }

  private sendAll(batches: Batches): void {
    for (const [link, byOwner] of batches)
      for (const [{ partition, generation }, assignments] of byOwner)
        link.send({ kind: 'assign', partition, generation, assignments });
  }

  private ownerOf({ pool }: ReadyOrder): PartitionOwner | undefined {
    const owners = this.options.owners?.();
    return owners === undefined ? SOLE : owners.ownerOf(owners.partitionOf(pool));
  }

  /** Undefined: not known, or there is only one gateway. */
  private partitionOf(order: ReadyOrder | undefined): number | undefined {
    return order && this.options.owners?.().partitionOf(order.pool);
  }

  private replyTo(partition: number | undefined): number | undefined {
    return partition ?? this.options.owners?.().home;
  }

  /** What an attempt held is free, once; but for the slots of one that is deferred. */
  private release(id: string, isDeferred = false): void {
    const known = this.assigned.get(id);
    if (known === undefined) return;
    this.assigned.delete(id);
    known.link.attempts.delete(id);
    if (isDeferred) this.deferred.keep(instanceId(known.order.assignment.attempt), known.order);
    else this.waiting.release(known.order);
  }

  private remember(id: string): void {
    // Its end went through another gateway.
    this.waiting.remove(id);
    this.release(id);
    this.over.add(id);
    if (this.over.size > REMEMBERED) this.over.delete(this.over.values().next().value!);
  }
}

function add(batches: Batches, link: Link, owner: PartitionOwner, assignment: Assignment): void {
  const byOwner = batches.get(link) ?? new Map<PartitionOwner, Assignment[]>();
  batches.set(link, byOwner);
  const list = byOwner.get(owner);
  if (list === undefined) byOwner.set(owner, [assignment]);
  else list.push(assignment);
}

/** Of the workers that take the order. */
function roomiest(rooms: ReadonlyMap<Link, number>, order: ReadyOrder): Link | undefined {
  let best: Link | undefined;
  for (const [link, room] of rooms)
    if ((best === undefined || room > rooms.get(best)!) && link.takes(order)) best = link;
  return best;
}
