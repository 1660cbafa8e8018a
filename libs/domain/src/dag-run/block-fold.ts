import type { MapIndex } from '../task-instance/index.ts';
import type { Block } from './block-plan.ts';
import { touchBlocks } from './blocks.ts';
import type { DagRunEvent } from './events.ts';
import type { DagRunState, InstanceState } from './state.ts';
import { leavesAt } from './tree.ts';

type Retried = Extract<DagRunEvent, { type: 'GroupRetried' }>['data'];

/** Folds GroupRetried. `clear` takes one instance back to no status. */
export function foldGroupRetried(
  run: DagRunState,
  { groupId, mapIndex, tryNumber, at, retryAt }: Retried,
  instances: Iterable<InstanceState>,
  clear: (inst: InstanceState) => void,
): void {
  const block = run.plan.blocks.find((each) => each.isGroup && each.id === groupId);
  for (const inst of instances) {
    clear(inst);
    if (retryAt > at) inst.wakeAt = retryAt;
    if (block !== undefined) grantTries(run, inst, block);
  }
  if (block !== undefined) run.blocks.at(block, mapIndex).tryNumber = tryNumber;
}

/** Groups around an instance that was cleared may be tried again as often as at first; `within`: those inside of it only. */
export function grantTries(run: DagRunState, { task, mapIndex }: InstanceState, within?: Block): void {
  for (const block of task.blocks) {
    if (block === within) return;
    const state = run.blocks.at(block, mapIndex.slice(0, block.depth));
    state.maxTries = state.tryNumber - 1 + block.retries;
  }
}

/** Instances were mapped: blocks that they have a part in may stand otherwise. */
export function blocksMapped(run: DagRunState, scopeId: string, path: MapIndex): void {
  if (run.plan.blocks.length === 0) return;
  for (const task of run.plan.scopes.find((scope) => scope.id === scopeId)?.tasks ?? []) {
    const { blocks, standsFor } = run.plan.tasks[task]!;
    if (blocks.length === 0 && standsFor.length === 0) continue;
    for (const inst of leavesAt(run.tasks[task]!, path)) touchBlocks(run, inst);
    for (const block of blocks) if (path.length < block.depth) run.blocks.touched.add(run.blocks.at(block, path));
  }
}

/** Fallbacks of what is chosen, so that they run again if they are needed. */
export function withFallbacks(run: DagRunState, chosen: readonly InstanceState[]): InstanceState[] {
  const all = new Set(chosen);
  for (const inst of all)
    for (const { fallback, depth } of inst.task.blocks)
      for (const task of fallback?.tasks ?? [])
        for (const other of leavesAt(run.tasks[task]!, inst.mapIndex.slice(0, depth))) all.add(other);
  return [...all];
}
