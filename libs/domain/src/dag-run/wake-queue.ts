import type { InstanceState } from './state.ts';

interface Entry {
  readonly at: number;
  readonly inst: InstanceState;
}

/** Instances that wait for a time (`inst.wakeAt`), soonest first. An entry whose instance waits for another time is dropped. */
export class WakeQueue {
  private readonly heap: Entry[] = [];

  push(inst: InstanceState, at: number): void {
    const heap = this.heap;
    const item = { at, inst };
    let i = heap.push(item) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (heap[parent]!.at <= at) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = item;
  }

  /** The soonest time anything waits for. */
  next(): number | undefined {
    while (this.heap.length > 0) {
      const top = this.heap[0]!;
      if (top.inst.wakeAt === top.at) return top.at;
      this.removeTop();
    }
    return undefined;
  }

  /** Takes one instance whose time has come. */
  popDue(now: number): InstanceState | undefined {
    const at = this.next();
    if (at === undefined || at > now) return undefined;
    const { inst } = this.heap[0]!;
    this.removeTop();
    return inst;
  }

  private removeTop(): void {
    const heap = this.heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child++;
      if (heap[child]!.at >= last.at) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
  }
}
