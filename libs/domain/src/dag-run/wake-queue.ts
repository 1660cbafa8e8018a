import { Heap } from './heap.ts';
import type { InstanceState } from './state.ts';

interface Entry {
  readonly at: number;
  readonly inst: InstanceState;
}

/** Instances that wait for a time (`inst.wakeAt`), soonest first. An entry whose instance waits for another time is dropped. */
export class WakeQueue {
  private readonly heap = new Heap<Entry>((a, b) => a.at < b.at);

  push(inst: InstanceState, at: number): void {
    this.heap.push({ at, inst });
  }

  /** The soonest time anything waits for. */
  next(): number | undefined {
    for (let top = this.heap.peek(); top !== undefined; top = this.heap.peek()) {
      if (top.inst.wakeAt === top.at) return top.at;
      this.heap.pop();
    }
    return undefined;
  }

  /** Takes one instance whose time has come. */
  popDue(now: number): InstanceState | undefined {
    const at = this.next();
    return at === undefined || at > now ? undefined : this.heap.pop()!.inst;
  }
}
