import { Heap } from './heap.ts';
import type { InstanceState } from './state.ts';

/**
 * Instances whose rules are met, best first: effective priority weight, then the order of declaration, then the map index.
 * An entry that is no longer ready is dropped when it comes up (`inst.ready` is false).
 */
export class ReadyQueue {
  private readonly heap = new Heap<InstanceState>(before);
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

function before(a: InstanceState, b: InstanceState): boolean {
  if (a.task.weight !== b.task.weight) return a.task.weight > b.task.weight;
  if (a.task.index !== b.task.index) return a.task.index < b.task.index;
  return a.slot < b.slot;
}
