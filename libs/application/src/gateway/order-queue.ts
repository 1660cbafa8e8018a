import type { ReadyOrder } from '@rondo/contracts';

interface Entry {
  readonly order: ReadyOrder;
  readonly seq: number;
  dropped: boolean;
}

/** Orders that wait for a slot: highest priority first, then first come. A binary heap with lazy removal. */
export class OrderQueue {
  private readonly heap: Entry[] = [];
  private readonly byId = new Map<string, Entry>();
  private seq = 0;

  get size(): number {
    return this.byId.size;
  }

  has(id: string): boolean {
    return this.byId.has(id);
  }

  push(order: ReadyOrder): void {
    const entry: Entry = { order, seq: this.seq++, dropped: false };
    this.byId.set(order.assignment.id, entry);
    const { heap } = this;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(entry, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  /** Takes an order back; undefined when it is not waiting. */
  remove(id: string): ReadyOrder | undefined {
    const entry = this.byId.get(id);
    if (entry === undefined) return undefined;
    entry.dropped = true;
    this.byId.delete(id);
    return entry.order;
  }

  pop(): ReadyOrder | undefined {
    for (;;) {
      const { heap } = this;
      const top = heap[0];
      if (top === undefined) return undefined;
      const last = heap.pop()!;
      if (heap.length > 0) this.sink(last);
      if (top.dropped) continue;
      this.byId.delete(top.order.assignment.id);
      return top.order;
    }
  }

  private sink(item: Entry): void {
    const { heap } = this;
    const n = heap.length;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= n) break;
      if (child + 1 < n && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, item)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = item;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.order.priority === b.order.priority ? a.seq < b.seq : a.order.priority > b.order.priority;
}
