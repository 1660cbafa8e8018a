import { countUpstream, newUpstreamCounts, type Upstream, type UpstreamCounts } from '../trigger-rule/index.ts';
import type { Block } from './block-plan.ts';
import { isOver } from './blocks.ts';
import { sharedLevels } from './map-plan.ts';
import type { DagRunState, InstanceState } from './state.ts';
import { isNode, leavesAt, placeAt, standOf, type Gate, type MapNode } from './tree.ts';

/** Elements of the map index that instances of a task outside have in common with those of the block. */
export function sharedWith(run: DagRunState, block: Block, task: number): number {
  const { levels } = run.plan.tasks[block.tasks[0]!]!;
  return Math.min(sharedLevels(levels, run.plan.tasks[task]!.levels), block.depth);
}

/** What blocks say of an instance that its upstream would let go: undefined: nothing. */
export function judgeByBlocks(run: DagRunState, inst: InstanceState): 'wait' | 'skip' | undefined {
  const { task, mapIndex } = inst;
  for (const main of task.standsFor) {
    const { end } = run.blocks.at(main, mapIndex.slice(0, main.depth));
    if (end === 'open') return 'wait';
    if (end === 'success') return 'skip';
  }
  if (task.def.triggerRule === 'always') return undefined;
  return task.blocksBefore.every((block) => hasEnded(run, block, inst)) ? undefined : 'wait';
}

/** From where the instance looks, the block has come to its end. */
export function hasEnded(
  run: DagRunState,
  block: Block,
  { task, mapIndex }: Pick<InstanceState, 'task' | 'mapIndex'>,
): boolean {
  const shared = Math.min(sharedWith(run, block, task.index), mapIndex.length);
  const under = mapIndex.slice(0, shared);
  if (shared === block.depth) return isOver(run.blocks.at(block, under).end);
  return block.tasks.every((index) => isWhole(placeAt(run.tasks[index]!, under))) && run.blocks.haveEnded(block, under);
}

/** None of its instances may go on before a block ends; they are looked at then. */
export function isGateShut(run: DagRunState, { task, node }: Gate): boolean {
  if (task.def.triggerRule === 'always') return false;
  const mapIndex = isNode(node) ? node.path : node.mapIndex;
  return task.blocksBefore.some((block) => !hasEnded(run, block, { task, mapIndex }));
}

function isWhole(place: MapNode | InstanceState | undefined): boolean {
  if (place === undefined) return true;
  const { total, done } = standOf(place);
  return done >= total;
}

/** The counters as they look from outside of blocks: failures for which something stands are successes. */
export function seenThroughBlocks(run: DagRunState, inst: InstanceState, upstream: Upstream): Upstream {
  const { task } = inst;
  if (task.standsFor.length === 0 && task.blocksBefore.length === 0) return upstream;
  const direct = { ...upstream.direct };
  for (const [at, up] of task.upstream.entries()) lookThrough(run, inst, up, task.shared.upstream[at]!, direct);
  if (upstream.indirectSetups === undefined) return { ...upstream, direct };
  const indirectSetups = { ...upstream.indirectSetups };
  for (const [at, up] of task.indirectSetups.entries())
    lookThrough(run, inst, up, task.shared.setups[at]!, indirectSetups);
  return { ...upstream, direct, indirectSetups };
}

function lookThrough(run: DagRunState, inst: InstanceState, up: number, shared: number, counts: UpstreamCounts): void {
  const { task, mapIndex } = inst;
  const under = mapIndex.slice(0, Math.min(shared, mapIndex.length));
  for (const block of run.plan.tasks[up]!.blocks) {
    if (block.tasks.includes(task.index)) return;
    if (block.fallback?.tasks.includes(task.index) === true) {
      // Who stands for it looks only when it has failed: that it has is what lets it run.
      const place = placeAt(run.tasks[up]!, under);
      if (place !== undefined) asSuccess(counts, place);
      return;
    }
    const stood = run.blocks.stoodAt(block, up, under);
    if (stood === undefined) continue;
    counts.failed -= stood.failed;
    counts.upstreamFailed -= stood.upstreamFailed;
    counts.success += stood.failed + stood.upstreamFailed;
  }
}

function asSuccess(counts: UpstreamCounts, place: MapNode | InstanceState): void {
  const { tally } = isNode(place) ? place : { tally: tallyOfOne(place) };
  counts.success += tally.total - tally.success;
  counts.failed -= tally.failed;
  counts.upstreamFailed -= tally.upstreamFailed;
  counts.skipped -= tally.skipped;
  counts.removed -= tally.removed;
}

function tallyOfOne({ state }: InstanceState): UpstreamCounts {
  const tally = newUpstreamCounts(1);
  countUpstream(tally, state, false, 1);
  return tally;
}

/** Tasks whose value another goes on with: each with the task that stands for it now, as the instance sees them. */
export function standInsOf(run: DagRunState, inst: InstanceState): Readonly<Record<string, string>> | undefined {
  if (run.blocks.stoodFor.size === 0) return undefined;
  const found: Record<string, string> = {};
  let any = false;
  for (const block of run.plan.blocks) {
    if (block.fallback === undefined || block.tasks.includes(inst.task.index)) continue;
    const path = inst.mapIndex.slice(0, block.depth);
    if (path.length < block.depth || run.blocks.at(block, path).end !== 'stood') continue;
    for (const [main, value] of block.fallback.values)
      for (const each of leavesAt(run.tasks[main]!, path))
        if (run.blocks.stoodFor.has(each)) {
          found[each.task.def.taskId] = run.plan.tasks[value]!.def.taskId;
          any = true;
        }
  }
  return any ? found : undefined;
}
