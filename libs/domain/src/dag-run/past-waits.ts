import type { InstanceState } from './state.ts';

/** Instances that only wait for their past, by task. Derived: what the next decision makes anew. */
export class PastWaits {
  private readonly byTask = new Map<number, Set<InstanceState>>();

  /** Tasks of which an instance waits. */
  get size(): number {
    return this.byTask.size;
  }

  add(inst: InstanceState): void {
    const { index } = inst.task;
    const waiting = this.byTask.get(index);
    if (waiting === undefined) this.byTask.set(index, new Set([inst]));
    else waiting.add(inst);
  }

  /** The instance may go on, or has another state now. */
  drop(inst: InstanceState): void {
    const waiting = this.byTask.get(inst.task.index);
    if (waiting?.delete(inst) === true && waiting.size === 0) this.byTask.delete(inst.task.index);
  }

  tasks(): Iterable<number> {
    return this.byTask.keys();
  }

  of(index: number): Iterable<InstanceState> {
    return this.byTask.get(index) ?? [];
  }
}
