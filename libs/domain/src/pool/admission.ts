import { compareMapIndex, type MapIndex } from '../task-instance/attempt.ts';
import { IndexedHeap, type Placed } from './indexed-heap.ts';
import { Counter, type Group, type Limit } from './limits.ts';
import { sizeOf, type Pool } from './pool.ts';

/** What an order asks for. */
export interface Demand {
  readonly pool: string;
  readonly poolSlots: number;
  readonly queue: string;
  readonly executor?: string;
  /** Larger first, before every other rank. Default 0. */
  readonly dagPriority?: number;
  /** Larger first. */
  readonly priority: number;
  /** Epoch milliseconds, the earlier first; none comes last. */
  readonly logicalDate?: number | null;
  /** The smaller first. */
  readonly mapIndex?: MapIndex;
  /** Those that can hold it back. */
  readonly limits?: readonly Limit[];
}

/** How an order stands with everything that may hold it back. */
export interface AdmissionStand {
  readonly order: Demand;
  /** Undefined: there is no such pool. */
  readonly pool: Pool | undefined;
  /** Slots of the pool that nobody else may take. */
  readonly held: number;
  readonly isServed: boolean;
  readonly hasExecutor: boolean;
  readonly limits: readonly { readonly limit: Limit; readonly active: number }[];
}

/** Slots of a pool that admitted orders hold, that deferred ones hold or would, and that waiting ones ask for. */
export interface PoolLoad {
  readonly occupied: number;
  readonly deferred: number;
  readonly queued: number;
}

/** What the workers take. */
export interface Service {
  queue(name: string): boolean;
  executor(name: string): boolean;
  /** One worker that has room takes both. Absent: whatever is served is taken. */
  takes?(queue: string, executor: string | undefined): boolean;
}

interface Waiting<Order> extends Placed {
  readonly id: string;
  readonly order: Order;
  readonly group: Batch<Order>;
  readonly seq: number;
}

type LimitCounter<Order> = Counter<Lane<Order>, Batch<Order>>;

/** Orders of a lane with the same limits: all that is said of the first holds for each. */
interface Batch<Order> extends Group<Lane<Order>> {
  readonly key: string;
  readonly counters: readonly LimitCounter<Order>[];
  readonly orders: IndexedHeap<Waiting<Order>>;
  /** Set aside by this full limit. */
  parkedAt: LimitCounter<Order> | undefined;
}

/** Orders that pools and workers treat alike. */
interface Lane<Order> extends Placed {
  readonly account: Account<Order>;
  readonly slots: number;
  readonly queue: string;
  readonly executor: string | undefined;
  readonly batches: Map<string, Batch<Order>>;
  /** The batches that no limit is known to hold back. */
  readonly open: IndexedHeap<Batch<Order>>;
}

interface Account<Order> {
  readonly name: string;
  pool: Pool | undefined;
  open: number;
  occupied: number;
  deferred: number;
  queued: number;
  readonly lanes: Lane<Order>[];
}

/**
 * I5: orders that wait for slots of pools and for limits. The best goes first. Within a pool orders of the same size
 * and queue share a heap; the heaps that may give an order now are merged by a heap of their heads. Orders that a full limit
 * holds back are set aside at it, and come back one for each place that comes free. So an order that does not fit costs
 * nothing while others pass it, nothing that is full holds back an order that could go, and each step takes O(log n) and the
 * number of heaps of its pool.
 */
export class Admission<Order extends Demand> {
  private readonly accounts = new Map<string, Account<Order>>();
  private readonly counters = new Map<string, LimitCounter<Order>>();
  private readonly waiting = new Map<string, Waiting<Order>>();
  private readonly ready = new IndexedHeap<Lane<Order>>((a, b) => beforeBatch(a.open.peek()!, b.open.peek()!));
  private service: Service;
  private seq = 0;

  constructor(pools: Iterable<Pool>, service: Service) {
    this.service = service;
    for (const pool of pools) this.setPool(pool.name, pool);
  }

  get size(): number {
    return this.waiting.size;
  }

  has(id: string): boolean {
    return this.waiting.has(id);
  }

  orderOf(id: string): Order | undefined {
    return this.waiting.get(id)?.order;
  }

  /** Those that wait, in no order; the caller may remove what it gets. */
  *orders(): Generator<Order> {
    for (const { order } of this.waiting.values()) yield order;
  }

  /** Undefined: there is no such pool any more. What is admitted goes on; nothing is taken back. */
  setPool(name: string, pool: Pool | undefined): void {
    const account = this.accountOf(name);
    account.pool = pool;
    this.settle(account);
  }

  setService(service: Service): void {
    this.service = service;
    for (const account of this.accounts.values()) this.settle(account);
  }

  push(id: string, order: Order): void {
    const batch = this.batchOf(order);
    const entry: Waiting<Order> = { id, order, group: batch, seq: this.seq++, at: -1 };
    this.waiting.set(id, entry);
    batch.lane.account.queued += batch.lane.slots;
    batch.orders.push(entry);
    if (batch.orders.size === 1) this.offer(batch);
    else if (entry.at === 0) this.improved(batch);
  }

  /** Takes an order back; false when it is not waiting. */
  remove(id: string): boolean {
    const entry = this.waiting.get(id);
    if (entry === undefined) return false;
    const { group } = entry;
    const { lane } = group;
    const wasFirst = entry.at === 0;
    this.waiting.delete(id);
    lane.account.queued -= lane.slots;
    group.orders.remove(entry);
    if (group.orders.size === 0) this.drop(group);
    else if (wasFirst && group.parkedAt !== undefined) group.parkedAt.moved(group);
    else if (wasFirst) {
      lane.open.moved(group);
      this.stepBack(group);
    }
    this.refresh(lane);
    return true;
  }

  /** Gives an order that waits another rank. */
  replace(id: string, rank: Pick<Demand, 'dagPriority' | 'priority'>): void {
    const order = this.orderOf(id);
    if (order === undefined) return;
    this.remove(id);
    this.push(id, { ...order, ...rank });
  }

  /** Takes the slots and places of the next order that may go; undefined: none may. */
  admit(): Order | undefined {
    for (;;) {
      // The lane is out of the merge while its head changes: what is compared there stays in order.
      const lane = this.ready.pop();
      const batch = lane?.open.peek();
      if (lane === undefined || batch === undefined) return undefined;
      const full = batch.counters.find((counter) => counter.isFull);
      if (full === undefined) return this.take(lane, batch);
      lane.open.remove(batch);
      batch.parkedAt = full;
      full.park(batch);
      this.stepBack(batch);
      this.refresh(lane);
    }
  }

  /** An order that was admitted before, elsewhere: it has its slots and places, whatever there is. */
  adopt(order: Order): void {
    const account = this.accountOf(order.pool);
    account.occupied += order.poolSlots;
    for (const limit of order.limits ?? NO_LIMITS) {
      this.adjust(limit);
      const counter = this.counterOf(limit);
      counter.active++;
      counter.users++;
    }
    this.settle(account);
  }

  /** The slots and places of an admitted order are free again. `deferred`: its slots are held on, where its pool counts that. */
  release(order: Order, deferred = false): void {
    const account = this.accountOf(order.pool);
    account.occupied -= order.poolSlots;
    if (deferred) account.deferred += order.poolSlots;
    for (const { key } of order.limits ?? NO_LIMITS) this.leave(key);
    this.settle(account);
  }

  /** So many slots of the pool are held by what is deferred, more or less than before. */
  defer(pool: string, slots: number): void {
    const account = this.accountOf(pool);
    account.deferred += slots;
    this.settle(account);
  }

  /** How an order like this stands now, whether it waits or not. */
  standOf(order: Demand): AdmissionStand {
    const account = this.accounts.get(order.pool);
    return {
      order,
      pool: account?.pool,
      held: account === undefined ? 0 : heldOf(account),
      isServed: this.service.queue(order.queue),
      hasExecutor: order.executor === undefined || this.service.executor(order.executor),
      limits: (order.limits ?? NO_LIMITS).map((limit) => {
        const counter = this.counters.get(limit.key);
        return { limit: { ...limit, most: counter?.most ?? limit.most }, active: counter?.active ?? 0 };
      }),
    };
  }

  load(pool: string): PoolLoad {
    const { occupied, deferred, queued } = this.accounts.get(pool) ?? { occupied: 0, deferred: 0, queued: 0 };
    return { occupied, deferred, queued };
  }

  /** How many orders wait, by queue. */
  waitingByQueue(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { lanes } of this.accounts.values())
      for (const { queue, batches } of lanes)
        for (const { orders } of batches.values()) counts.set(queue, (counts.get(queue) ?? 0) + orders.size);
    return counts;
  }

  private accountOf(name: string): Account<Order> {
    let account = this.accounts.get(name);
    if (account === undefined) {
      account = { name, pool: undefined, open: 0, occupied: 0, deferred: 0, queued: 0, lanes: [] };
      this.accounts.set(name, account);
    }
    return account;
  }

  private laneOf({ pool, poolSlots, queue, executor }: Order): Lane<Order> {
    const account = this.accountOf(pool);
    for (const lane of account.lanes)
      if (lane.slots === poolSlots && lane.queue === queue && lane.executor === executor) return lane;
    const open = new IndexedHeap<Batch<Order>>(beforeBatch);
    const lane: Lane<Order> = { account, slots: poolSlots, queue, executor, batches: new Map(), open, at: -1 };
    account.lanes.push(lane);
    return lane;
  }

  private batchOf(order: Order): Batch<Order> {
    const lane = this.laneOf(order);
    const limits = order.limits ?? NO_LIMITS;
    const key = limits.length === 0 ? '' : limits.map((limit) => limit.key).join('\n');
    for (const limit of limits) this.adjust(limit);
    const known = lane.batches.get(key);
    if (known !== undefined) return known;
    const counters = limits.map((limit) => this.counterOf(limit));
    for (const counter of counters) counter.users++;
    const orders = new IndexedHeap<Waiting<Order>>(beforeOrder);
    const batch: Batch<Order> = { lane, key, counters, orders, parkedAt: undefined, at: -1 };
    lane.batches.set(key, batch);
    return batch;
  }

  private counterOf(limit: Limit): LimitCounter<Order> {
    let counter = this.counters.get(limit.key);
    if (counter === undefined) {
      counter = new Counter<Lane<Order>, Batch<Order>>(limit, beforeBatch);
      this.counters.set(limit.key, counter);
    }
    return counter;
  }

  /** A limit is what was said of it last. */
  private adjust({ key, most }: Limit): void {
    const counter = this.counters.get(key);
    if (counter === undefined || counter.most === most) return;
    const room = Math.max(0, counter.most - counter.active);
    counter.most = most;
    for (let more = Math.max(0, most - counter.active) - room; more > 0; more--) if (!this.unpark(counter)) break;
  }

  private take(lane: Lane<Order>, batch: Batch<Order>): Order {
    const { id, order } = batch.orders.pop()!;
    this.waiting.delete(id);
    const { account, slots } = lane;
    account.queued -= slots;
    account.occupied += slots;
    for (const counter of batch.counters) {
      counter.active++;
      counter.users++;
    }
    if (batch.orders.size === 0) this.drop(batch);
    else lane.open.moved(batch);
    this.settle(account);
    return order;
  }

  /** An admitted order that the limit counted has gone. */
  private leave(key: string): void {
    const counter = this.counters.get(key);
    if (counter === undefined) return;
    counter.active--;
    if (!counter.isFull) this.unpark(counter);
    this.disuse(counter);
  }

  private disuse(counter: LimitCounter<Order>): void {
    counter.users--;
    if (counter.users === 0) this.counters.delete(counter.key);
  }

  /** The best of each lane may try. False: nothing is set aside. */
  private unpark(counter: LimitCounter<Order>): boolean {
    const lanes = counter.lanes();
    for (const lane of lanes) this.offer(counter.pop(lane)!);
    return lanes.length > 0;
  }

  private offer(batch: Batch<Order>): void {
    batch.parkedAt = undefined;
    batch.lane.open.push(batch);
    this.refresh(batch.lane);
  }

  /** The first order of the batch is a better one now. */
  private improved(batch: Batch<Order>): void {
    const { parkedAt, lane } = batch;
    if (parkedAt === undefined) {
      lane.open.moved(batch);
      this.refresh(lane);
    } else if (parkedAt.isFull) parkedAt.moved(batch);
    else {
      parkedAt.remove(batch);
      this.offer(batch);
    }
  }

  /** The batch stands back in its lane, or is worse than it was: where a limit of it has room the next best may try. */
  private stepBack(batch: Batch<Order>): void {
    for (const counter of batch.counters) {
      if (counter.isFull) continue;
      const next = counter.pop(batch.lane);
      if (next !== undefined) this.offer(next);
    }
  }

  /** A batch without orders. */
  private drop(batch: Batch<Order>): void {
    const { lane, parkedAt } = batch;
    lane.batches.delete(batch.key);
    if (parkedAt === undefined) lane.open.remove(batch);
    else parkedAt.remove(batch);
    this.stepBack(batch);
    for (const counter of batch.counters) this.disuse(counter);
  }

  private settle(account: Account<Order>): void {
    account.open = account.pool === undefined ? -1 : sizeOf(account.pool) - heldOf(account);
    for (const lane of account.lanes) this.refresh(lane);
  }

  /** A lane is in the merge exactly when pool and workers would take its first order. */
  private refresh(lane: Lane<Order>): void {
    const mayGo = lane.open.size > 0 && lane.slots <= lane.account.open && this.isServed(lane);
    if (lane.at < 0) {
      if (mayGo) this.ready.push(lane);
    } else if (mayGo) this.ready.moved(lane);
    else this.ready.remove(lane);
  }

  private isServed({ queue, executor }: Lane<Order>): boolean {
    if (this.service.takes !== undefined) return this.service.takes(queue, executor);
    return this.service.queue(queue) && (executor === undefined || this.service.executor(executor));
  }
}

const NO_LIMITS: readonly Limit[] = [];

/** Slots of a pool that nobody else may take. */
function heldOf({ pool, occupied, deferred }: Pick<Account<never>, 'pool' | 'occupied' | 'deferred'>): number {
  return occupied + (pool?.includeDeferred === true ? deferred : 0);
}

interface InLine {
  readonly order: Omit<Demand, 'pool' | 'poolSlots' | 'queue'>;
  readonly seq: number;
}

const beforeBatch = <Order extends Demand>(a: Batch<Order>, b: Batch<Order>): boolean =>
  beforeOrder(a.orders.peek()!, b.orders.peek()!);

/** Priority of the DAG, priority of the task, logical date, map index, first come. */
function beforeOrder(a: InLine, b: InLine): boolean {
  const [x, y] = [a.order, b.order];
  const [dagOfX, dagOfY] = [x.dagPriority ?? 0, y.dagPriority ?? 0];
  if (dagOfX !== dagOfY) return dagOfX > dagOfY;
  if (x.priority !== y.priority) return x.priority > y.priority;
  const [dateOfX, dateOfY] = [x.logicalDate ?? Infinity, y.logicalDate ?? Infinity];
  if (dateOfX !== dateOfY) return dateOfX < dateOfY;
  const byIndex = compareMapIndex(x.mapIndex ?? UNMAPPED, y.mapIndex ?? UNMAPPED);
  return byIndex === 0 ? a.seq < b.seq : byIndex < 0;
}

const UNMAPPED: MapIndex = [];
