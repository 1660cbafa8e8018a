import { Heap } from './heap.ts';
import type { InstanceState } from './state.ts';
import { isBefore } from './tree.ts';

/**
 * Instances whose rules are met, best first: effective priority weight, then the order of declaration, then the map index.
 * An entry that is no longer ready is dropped when it comes up (`inst.ready` is false).
 */
export class ReadyQueue {
  private heap = new Heap<InstanceState>(before);
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
  }

  /** The instance is ready no longer: it was skipped, cleared or marked. */
  drop(inst: InstanceState): void {
    if (!inst.ready) return;
    inst.ready = false;
    this.live--;
  }

  /** Changes an instance while it is not compared: the queue is made anew around it. */
  without(inst: InstanceState, change: () => void): void {
    if (!inst.inHeap) {
      change();
      return;
    }
    const others: InstanceState[] = [];
    for (let each = this.heap.pop(); each !== undefined; each = this.heap.pop()) others.push(each);
    change();
    for (const each of others) this.heap.push(each);
  }

  pop(): InstanceState | undefined {
    for (;;) {
      const top = this.heap.pop();
      if (top === undefined) return undefined;
      top.inHeap = false;
      if (!top.ready) continue;
      this.drop(top);
      return top;
    }
  }
}

/** Larger first: set by hand, or the task's effective weight. */
export function priorityOf(inst: InstanceState): number {
  return inst.priority ?? inst.task.weight;
}

function before(a: InstanceState, b: InstanceState): boolean {
  const [priorityOfA, priorityOfB] = [priorityOf(a), priorityOf(b)];
  if (priorityOfA !== priorityOfB) return priorityOfA > priorityOfB;
  if (a.task.index !== b.task.index) return a.task.index < b.task.index;
  return isBefore(a, b);
}
