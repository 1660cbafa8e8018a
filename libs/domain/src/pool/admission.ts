import { IndexedHeap, type Placed } from './indexed-heap.ts';
import { poolWait, sizeOf, type Pool, type PoolWait } from './pool.ts';

/** What an order asks for. */
export interface Demand {
  readonly pool: string;
  readonly poolSlots: number;
  readonly queue: string;
  readonly executor?: string;
  /** Larger first. */
  readonly priority: number;
}

/** Why an order has not been admitted. `slot`: everything is there but a free worker. */
export type AdmissionWait =
  | PoolWait
  | { readonly kind: 'queue'; readonly queue: string }
  | { readonly kind: 'executor'; readonly executor: string }
  | { readonly kind: 'slot' };

/** Slots of a pool that admitted orders hold, and that waiting ones ask for. */
export interface PoolLoad {
  readonly occupied: number;
  readonly queued: number;
}

/** What the workers take. */
export interface Service {
  queue(name: string): boolean;
  executor(name: string): boolean;
}

interface Waiting<Order> extends Placed {
  readonly id: string;
  readonly order: Order;
  readonly lane: Lane<Order>;
  readonly seq: number;
}

/** Orders that are alike to every limit: either all of them may go, or none. */
interface Lane<Order> extends Placed {
  readonly account: Account<Order>;
  readonly slots: number;
  readonly queue: string;
  readonly executor: string | undefined;
  readonly orders: IndexedHeap<Waiting<Order>>;
}

interface Account<Order> {
  readonly name: string;
  pool: Pool | undefined;
  open: number;
  occupied: number;
  queued: number;
  readonly lanes: Lane<Order>[];
}

/**
 * Orders that wait for slots of pools: the highest priority goes first, then the first come. Within a pool orders of the same
 * size and queue share a heap; the heaps that may give an order now are merged by a heap of their heads. So an order that
 * does not fit costs nothing while others pass it, and each step takes O(log n) and the number of heaps of its pool.
 */
export class Admission<Order extends Demand> {
  private readonly accounts = new Map<string, Account<Order>>();
  private readonly waiting = new Map<string, Waiting<Order>>();
  private readonly ready = new IndexedHeap<Lane<Order>>((a, b) => before(a.orders.peek()!, b.orders.peek()!));
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
    const lane = this.laneOf(order);
    const entry: Waiting<Order> = { id, order, lane, seq: this.seq++, at: -1 };
    this.waiting.set(id, entry);
    lane.orders.push(entry);
    lane.account.queued += lane.slots;
    if (entry.at === 0) this.refresh(lane);
  }

  /** Takes an order back; false when it is not waiting. */
  remove(id: string): boolean {
    const entry = this.waiting.get(id);
    if (entry === undefined) return false;
    this.waiting.delete(id);
    const { lane } = entry;
    lane.orders.remove(entry);
    lane.account.queued -= lane.slots;
    this.refresh(lane);
    return true;
  }

  /** Takes the slots of the next order that may go; undefined: none may. */
  admit(): Order | undefined {
    // The lane is out of the merge while its head changes: what is compared there stays in order.
    const lane = this.ready.pop();
    const entry = lane?.orders.pop();
    if (lane === undefined || entry === undefined) return undefined;
    this.waiting.delete(entry.id);
    const { account, slots } = lane;
    account.queued -= slots;
    account.occupied += slots;
    this.settle(account);
    return entry.order;
  }

  /** The slots of an admitted order are free again. */
  release(order: Order): void {
    const account = this.accountOf(order.pool);
    account.occupied -= order.poolSlots;
    this.settle(account);
  }

  /** Undefined: no such order waits. */
  waitOf(id: string): AdmissionWait | undefined {
    const entry = this.waiting.get(id);
    if (entry === undefined) return undefined;
    const { account, slots, queue, executor } = entry.lane;
    if (executor !== undefined && !this.service.executor(executor)) return { kind: 'executor', executor };
    if (!this.service.queue(queue)) return { kind: 'queue', queue };
    return poolWait(account.name, account.pool, account.occupied, slots) ?? { kind: 'slot' };
  }

  load(pool: string): PoolLoad {
    const { occupied, queued } = this.accounts.get(pool) ?? { occupied: 0, queued: 0 };
    return { occupied, queued };
  }

  private accountOf(name: string): Account<Order> {
    let account = this.accounts.get(name);
    if (account === undefined) {
      account = { name, pool: undefined, open: 0, occupied: 0, queued: 0, lanes: [] };
      this.accounts.set(name, account);
    }
    return account;
  }

  private laneOf({ pool, poolSlots, queue, executor }: Order): Lane<Order> {
    const account = this.accountOf(pool);
    for (const lane of account.lanes)
      if (lane.slots === poolSlots && lane.queue === queue && lane.executor === executor) return lane;
    const orders = new IndexedHeap<Waiting<Order>>(before);
    const lane: Lane<Order> = { account, slots: poolSlots, queue, executor, orders, at: -1 };
    account.lanes.push(lane);
    return lane;
  }

  private settle(account: Account<Order>): void {
    account.open = account.pool === undefined ? -1 : sizeOf(account.pool) - account.occupied;
    for (const lane of account.lanes) this.refresh(lane);
  }

  /** A lane is in the merge exactly when its first order may go. */
  private refresh(lane: Lane<Order>): void {
    const mayGo = lane.orders.size > 0 && lane.slots <= lane.account.open && this.isServed(lane);
    if (lane.at < 0) {
      if (mayGo) this.ready.push(lane);
    } else if (mayGo) this.ready.moved(lane);
    else this.ready.remove(lane);
  }

  private isServed({ queue, executor }: Lane<Order>): boolean {
    return this.service.queue(queue) && (executor === undefined || this.service.executor(executor));
  }
}

interface InLine {
  readonly order: Pick<Demand, 'priority'>;
  readonly seq: number;
}

function before(a: InLine, b: InLine): boolean {
  return a.order.priority === b.order.priority ? a.seq < b.seq : a.order.priority > b.order.priority;
}
