import type { TaskDefinition } from '../dag/definition.ts';
import type { AttemptOverrides } from '../retry/index.ts';
import { Heap } from './heap.ts';
import type { InstanceState } from './state.ts';
import { isBefore } from './tree.ts';

/** Instances that pools and workers treat alike, as far as a run can tell: where one waits the others do. */
export interface ReadyLane {
  readonly heap: Heap<InstanceState>;
  /** Entries that are still ready. */
  ready: number;
  /** Published and not acknowledged by a gateway. */
  scheduled: number;
}

/**
 * Instances whose rules are met, by lane: best first, by priority, then the order of declaration, then the map index. A lane
 * whose attempts wait at the gateway holds back no other. An entry that is no longer ready is dropped when it comes up.
 */
export class ReadyQueue {
  private readonly lanes = new Map<string, ReadyLane>();
  /** Lanes that have ready entries. */
  private readonly waiting = new Set<ReadyLane>();

  /** Nothing is ready. */
  get isEmpty(): boolean {
    return this.waiting.size === 0;
  }

  push(inst: InstanceState): void {
    if (inst.ready) return;
    const lane = this.laneOf(inst);
    inst.ready = true;
    if (lane.ready++ === 0) this.waiting.add(lane);
    if (inst.lane === lane && inst.inHeap) return;
    inst.lane = lane;
    inst.inHeap = true;
    lane.heap.push(inst);
  }

  /** The instance is ready no longer: it was skipped, held, cleared or marked. */
  drop(inst: InstanceState): void {
    if (!inst.ready) return;
    inst.ready = false;
    const { lane } = inst;
    if (lane !== undefined && --lane.ready === 0) this.waiting.delete(lane);
  }

  /** An attempt of the instance was published; `by` -1: it is no longer one that nobody has acknowledged. */
  countScheduled(inst: InstanceState, by: 1 | -1): void {
    if (by === 1) inst.lane = this.laneOf(inst);
    if (inst.lane !== undefined) inst.lane.scheduled += by;
  }

  /** How many attempts like the instance's wait at the gateway. */
  scheduledLike(inst: InstanceState): number {
    return this.laneOf(inst).scheduled;
  }

  /** Lanes that have something to publish, and room for it: at most `window` attempts of a lane wait at the gateway. */
  *publishable(window: number): Generator<ReadyLane> {
    for (const lane of this.waiting) if (lane.scheduled < window) yield lane;
  }

  /** The best ready instance of the lane. */
  pop(lane: ReadyLane): InstanceState | undefined {
    for (;;) {
      const top = lane.heap.pop();
      if (top === undefined) return undefined;
      // It may have been pushed into another lane meanwhile.
      if (top.lane !== lane) continue;
      top.inHeap = false;
      if (!top.ready) continue;
      this.drop(top);
      return top;
    }
  }

  /** Changes what entries are compared by: they are taken out meanwhile. */
  reorder(change: () => void): void {
    const all: [ReadyLane, InstanceState[]][] = [];
    for (const lane of this.lanes.values()) {
      const entries: InstanceState[] = [];
      for (let top = lane.heap.pop(); top !== undefined; top = lane.heap.pop()) entries.push(top);
      all.push([lane, entries]);
    }
    change();
    for (const [lane, entries] of all) for (const each of entries) lane.heap.push(each);
  }

  private laneOf({ task, overrides }: InstanceState): ReadyLane {
    const key = overrides === undefined ? task.lane : laneKey(task.def, overrides);
    let lane = this.lanes.get(key);
    if (lane === undefined) {
      lane = { heap: new Heap<InstanceState>(before), ready: 0, scheduled: 0 };
      this.lanes.set(key, lane);
    }
    return lane;
  }
}

/** A task with a limit of its own has a lane of its own. */
export function laneKey(def: TaskDefinition, over: AttemptOverrides = {}): string {
  const hasLimit = def.maxActiveTisPerDag !== undefined || def.maxActiveTisPerDagrun !== undefined;
  return JSON.stringify([
    over.pool ?? def.pool,
    over.poolSlots ?? def.poolSlots,
    over.queue ?? def.queue,
    over.executor ?? def.executor ?? null,
    hasLimit ? def.taskId : null,
  ]);
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
