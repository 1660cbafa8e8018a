import type { InstanceState } from './state.ts';

/**
 * Instances whose rules are met, best first: effective priority weight, then the order of declaration, then the map index.
 * A binary heap; an entry that is no longer ready is dropped when it comes up (`inst.ready` is false).
 */
export class ReadyQueue {
  private readonly heap: InstanceState[] = [];
  private live = 0;

  /** Entries that are still ready. */
  get size(): number {
    return this.live;
  }

  push(inst: InstanceState): void {
    if (inst.ready) return;
    inst.ready = true;
    this.live++;
    if (inst.inHeap) return;
    inst.inHeap = true;
    this.heap.push(inst);
    this.up(this.heap.length - 1);
  }

  /** The instance is ready no longer: it was skipped, cleared or marked. */
  drop(inst: InstanceState): void {
    if (!inst.ready) return;
    inst.ready = false;
    this.live--;
  }

  pop(): InstanceState | undefined {
    for (;;) {
      const top = this.heap[0];
      if (top === undefined) return undefined;
      const last = this.heap.pop()!;
      if (this.heap.length > 0) {
        this.heap[0] = last;
        this.down(0);
      }
      top.inHeap = false;
      if (!top.ready) continue;
      top.ready = false;
      this.live--;
      return top;
    }
  }

  private up(at: number): void {
    const item = this.heap[at]!;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(item, this.heap[parent]!)) break;
      this.heap[at] = this.heap[parent]!;
      at = parent;
    }
    this.heap[at] = item;
  }

  private down(at: number): void {
    const item = this.heap[at]!;
    const n = this.heap.length;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= n) break;
      if (child + 1 < n && before(this.heap[child + 1]!, this.heap[child]!)) child++;
      if (!before(this.heap[child]!, item)) break;
      this.heap[at] = this.heap[child]!;
      at = child;
    }
    this.heap[at] = item;
  }
}

function before(a: InstanceState, b: InstanceState): boolean {
  if (a.task.weight !== b.task.weight) return a.task.weight > b.task.weight;
  if (a.task.index !== b.task.index) return a.task.index < b.task.index;
  return a.slot < b.slot;
}
