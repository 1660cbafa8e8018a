import { IndexedHeap, type Placed } from './indexed-heap.ts';

/** Which attempts a limit counts. */
export type LimitScope = 'run' | 'dag' | 'task' | 'taskOfRun';

/** At most so many admitted orders with this key at once. */
export interface Limit {
  readonly scope: LimitScope;
  readonly key: string;
  readonly most: number;
}

/** Orders that wait and that every limit treats alike, as far as a limit sees them. */
export interface Group<Lane> extends Placed {
  readonly lane: Lane;
}

/**
 * What a limit counts, and the groups of orders that wait because it is full: set aside, by lane, so that they cost nothing
 * until there is room. While there is room for `n`, the `n` best groups of each lane are not set aside: whatever the lanes
 * can give, the room is used, and by the best.
 */
export class Counter<Lane, G extends Group<Lane>> {
  readonly key: string;
  readonly scope: LimitScope;
  most: number;
  active = 0;
  /** Groups of waiting orders and admitted orders that name it. */
  users = 0;
  private readonly parked = new Map<Lane, IndexedHeap<G>>();
  private readonly before: (a: G, b: G) => boolean;

  constructor({ key, scope, most }: Limit, before: (a: G, b: G) => boolean) {
    this.key = key;
    this.scope = scope;
    this.most = most;
    this.before = before;
  }

  get isFull(): boolean {
    return this.active >= this.most;
  }

  park(group: G): void {
    let heap = this.parked.get(group.lane);
    if (heap === undefined) {
      heap = new IndexedHeap<G>(this.before);
      this.parked.set(group.lane, heap);
    }
    heap.push(group);
  }

  /** Takes back a group that was set aside. */
  remove(group: G): void {
    const heap = this.parked.get(group.lane)!;
    heap.remove(group);
    if (heap.size === 0) this.parked.delete(group.lane);
  }

  moved(group: G): void {
    this.parked.get(group.lane)!.moved(group);
  }

  /** Takes back the best group of the lane; undefined: none is set aside there. */
  pop(lane: Lane): G | undefined {
    const group = this.parked.get(lane)?.peek();
    if (group !== undefined) this.remove(group);
    return group;
  }

  /** The lanes in which groups are set aside. */
  lanes(): Lane[] {
    return [...this.parked.keys()];
  }
}
