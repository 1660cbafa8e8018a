import { isTerminal, type MapIndex, type TaskState } from '../task-instance/index.ts';
import type { Block } from './block-plan.ts';
import type { DagRunState, InstanceState } from './state.ts';

/** How one instance of a block stands. Derived, but for its tries. */
export interface BlockState {
  readonly block: Block;
  readonly path: MapIndex;
  /** From 1. */
  tryNumber: number;
  /** `retries` at first: the block may be tried again while its try is not over it. A clear grants `retries` more. */
  maxTries: number;
  /** `open`: something in it is unfinished, or it is to be retried. `standIn`: it has failed, and its fallback has not ended. */
  end: 'open' | 'standIn' | 'success' | 'failed' | 'stood';
}

interface StoodCounts {
  failed: number;
  upstreamFailed: number;
}

/** The blocks of a run, and which failures something stands for. */
export class Blocks {
  /** What is to be looked at again before the decision goes on. */
  readonly touched = new Set<BlockState>();
  /** Failures that count for nothing outside of the block for which something stands. */
  readonly stoodFor = new Map<InstanceState, Block>();
  /** Failed leaves of the run among them. */
  stoodLeaves = 0;
  /** Instances of blocks that have not come to their end. */
  open = 0;
  private readonly states = new Map<string, BlockState>();
  /** By block and path: block instances under the path that have not come to their end. */
  private readonly unended = new Map<string, number>();
  /** By block, task and path. */
  private readonly stoodCounts = new Map<string, StoodCounts>();

  at(block: Block, path: MapIndex): BlockState {
    const key = `${block.index}:${path.join('.')}`;
    const known = this.states.get(key);
    if (known !== undefined) return known;
    const state: BlockState = { block, path, tryNumber: 1, maxTries: block.retries, end: 'open' };
    this.states.set(key, state);
    this.count(state, 1);
    return state;
  }

  /** True when every known instance of the block under the path has come to its end. */
  haveEnded(block: Block, under: MapIndex): boolean {
    return (this.unended.get(`${block.index}:${under.join('.')}`) ?? 0) === 0;
  }

  move(state: BlockState, end: BlockState['end']): void {
    const by = (isOver(state.end) ? 1 : 0) - (isOver(end) ? 1 : 0);
    state.end = end;
    if (by !== 0) this.count(state, by);
  }

  /** The instances that it stood for have been mapped. */
  drop(state: BlockState): void {
    this.states.delete(`${state.block.index}:${state.path.join('.')}`);
    if (!isOver(state.end)) this.count(state, -1);
  }

  private count({ block, path }: BlockState, by: number): void {
    this.open += by;
    for (let depth = 0; depth <= path.length; depth++) {
      const key = `${block.index}:${path.slice(0, depth).join('.')}`;
      this.unended.set(key, (this.unended.get(key) ?? 0) + by);
    }
  }

  /** How many failures of a task under a path something stands for, seen from outside of the block. */
  stoodAt(block: Block, task: number, under: MapIndex): StoodCounts | undefined {
    return this.stoodCounts.get(`${block.index}:${task}:${under.join('.')}`);
  }

  stand(run: DagRunState, inst: InstanceState, block: Block): void {
    if (this.stoodFor.has(inst)) return;
    this.stoodFor.set(inst, block);
    this.countStood(run, inst, inst.state, block, 1);
  }

  /** `state`: the state in which it was stood for. */
  forget(run: DagRunState, inst: InstanceState, state: TaskState): void {
    const block = this.stoodFor.get(inst);
    if (block === undefined) return;
    this.stoodFor.delete(inst);
    this.countStood(run, inst, state, block, -1);
  }

  private countStood(run: DagRunState, inst: InstanceState, state: TaskState, block: Block, by: 1 | -1): void {
    const { task, mapIndex } = inst;
    if (task.leaf) this.stoodLeaves += by;
    run.tasks[task.index]!.passed += by;
    for (let depth = 0; depth <= mapIndex.length; depth++) {
      const key = `${block.index}:${task.index}:${mapIndex.slice(0, depth).join('.')}`;
      const counts = this.stoodCounts.get(key) ?? { failed: 0, upstreamFailed: 0 };
      if (state === 'failed') counts.failed += by;
      else counts.upstreamFailed += by;
      this.stoodCounts.set(key, counts);
    }
  }
}

export const isOver = (end: BlockState['end']): boolean => end !== 'open' && end !== 'standIn';

export const isInBlocks = ({ task }: InstanceState): boolean => task.blocks.length > 0 || task.standsFor.length > 0;

/** An instance has moved to or from an end, or its attempt has ended: the blocks that it has a part in are looked at again. */
export function touchBlocks(run: DagRunState, { task, mapIndex }: InstanceState): void {
  for (const block of task.blocks) run.blocks.touched.add(run.blocks.at(block, mapIndex.slice(0, block.depth)));
  for (const main of task.standsFor) run.blocks.touched.add(run.blocks.at(main, mapIndex.slice(0, main.depth)));
}

/** Called before an instance leaves a state, and after it has another one. */
export function instanceMoved(run: DagRunState, inst: InstanceState, from: TaskState): void {
  if (isTerminal(from)) run.blocks.forget(run, inst, from);
  touchBlocks(run, inst);
}

/** A failure of the instance may yet be made good: by another try of a group around it, or by what stands for it. */
export function mayRecover(run: DagRunState, { task, mapIndex }: InstanceState): boolean {
  return task.blocks.some((block) => {
    const { tryNumber, maxTries } = run.blocks.at(block, mapIndex.slice(0, block.depth));
    return block.fallback !== undefined || tryNumber <= maxTries;
  });
}
