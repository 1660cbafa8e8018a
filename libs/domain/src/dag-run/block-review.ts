import { rangesOf, type InstanceRange, type MapIndex } from '../task-instance/index.ts';
import { byDepth, type Block, type FallbackPlan } from './block-plan.ts';
import { sharedWith } from './block-view.ts';
import { isOver, type BlockState } from './blocks.ts';
import type { Decision } from './decision.ts';
import { look, type DagRunState, type InstanceState } from './state.ts';
import { isNode, leavesAt, placeAt, standOf } from './tree.ts';

/** Failed instances that an event names. */
const NAMED = 20;

/**
 * Looks at the blocks in which something has ended, or has been cleared: which are to be tried again, which have come to
 * their end, and for which something stands. True when there was one; instances may be on the list to be looked at then.
 */
export function reviewBlocks(d: Decision): boolean {
  const { blocks } = d.run;
  if (blocks.touched.size === 0) return false;
  // What is inside comes before what is around it: an inner group is tried again first.
  while (blocks.touched.size > 0) {
    const [next] = [...blocks.touched].sort((a, b) => byDepth(a.block, b.block));
    blocks.touched.delete(next!);
    review(d, next!);
  }
  return true;
}

function review(d: Decision, state: BlockState): void {
  const { run } = d;
  const { block, path } = state;
  if (path.length < block.depth && !block.tasks.some((task) => isUnmapped(run, task, path))) {
    run.blocks.drop(state);
    return;
  }
  const stand = standingOf(run, block.tasks, path, block);
  if (stand === undefined) return move(run, state, 'open');
  if (stand.retryable.length > 0 && state.tryNumber <= state.maxTries) return retry(d, state, stand.retryable);
  if (!stand.hasFailed) return move(run, state, 'success');
  const answer = block.fallback === undefined ? 'no' : answerOf(run, block.fallback, path);
  move(run, state, answer === 'open' ? 'standIn' : answer === 'yes' ? 'stood' : 'failed');
}

function isUnmapped(run: DagRunState, task: number, path: MapIndex): boolean {
  const place = placeAt(run.tasks[task]!, path);
  return place !== undefined && !isNode(place);
}

interface Standing {
  readonly hasFailed: boolean;
  readonly hasSucceeded: boolean;
  /** Failures for which another try is worth anything. */
  readonly retryable: readonly InstanceState[];
}

/** How everything under the path ended; undefined while something has not, or an attempt is still open (I3). */
function standingOf(run: DagRunState, tasks: readonly number[], path: MapIndex, block?: Block): Standing | undefined {
  for (const task of tasks) {
    const place = placeAt(run.tasks[task]!, path);
    if (place === undefined) continue;
    const { total, done } = standOf(place);
    if (done < total) return undefined;
  }
  const retryable: InstanceState[] = [];
  let [hasFailed, hasSucceeded] = [false, false];
  for (const task of tasks)
    for (const inst of leavesAt(run.tasks[task]!, path)) {
      if (inst.open) return undefined;
      hasSucceeded ||= inst.state === 'success';
      if (!isFailure(run, inst, block)) continue;
      hasFailed = true;
      if (inst.state === 'failed' && inst.marked === undefined) retryable.push(inst);
    }
  return { hasFailed, hasSucceeded, retryable };
}

/** A failure for which nothing further inside stands; of a teardown only where it would fail the run. */
function isFailure(run: DagRunState, inst: InstanceState, block: Block | undefined): boolean {
  if (inst.state !== 'failed' && inst.state !== 'upstream_failed') return false;
  const { def, blocks } = inst.task;
  if (def.teardown === true && def.onFailureFailDagrun !== true) return false;
  const stands = run.blocks.stoodFor.get(inst);
  if (stands === undefined || stands === block) return true;
  return block !== undefined && blocks.indexOf(stands) > blocks.indexOf(block);
}

/** Whether the fallback stands for the block. */
function answerOf(run: DagRunState, { tasks, block }: FallbackPlan, path: MapIndex): 'open' | 'yes' | 'no' {
  const own = block === undefined ? undefined : run.plan.blocks[block]!;
  if (own !== undefined) {
    const { end } = run.blocks.at(own, path.slice(0, own.depth));
    if (!isOver(end)) return 'open';
    if (end !== 'success') return end === 'stood' ? 'yes' : 'no';
  }
  const standing = standingOf(run, tasks, path, own);
  if (standing === undefined) return 'open';
  return standing.hasSucceeded && !standing.hasFailed ? 'yes' : 'no';
}

function move(run: DagRunState, state: BlockState, end: BlockState['end']): void {
  const { block, path } = state;
  const was = state.end;
  run.blocks.move(state, end);
  const isStood = end === 'stood';
  if (isStood || was === 'stood')
    for (const inst of instancesOf(run, block.tasks, path)) {
      if (isStood && isFailure(run, inst, block)) run.blocks.stand(run, inst, block);
      if (!isStood && run.blocks.stoodFor.get(inst) === block) run.blocks.forget(run, inst, inst.state);
    }
  if (was === end) return;
  const inside = run.plan.tasks[block.tasks[0]!]!;
  for (const outer of inside.blocks.slice(inside.blocks.indexOf(block) + 1))
    run.blocks.touched.add(run.blocks.at(outer, path.slice(0, outer.depth)));
  for (const main of inside.standsFor) run.blocks.touched.add(run.blocks.at(main, path.slice(0, main.depth)));
  // A failure that was waited for fails the run fast after all.
  if (end === 'failed' && !isHopeful(run, block, path)) run.failing ||= hasFailedWork(run, state);
  for (const inst of instancesOf(run, block.fallback?.tasks ?? [], path)) look(run, inst);
  for (const task of block.outside)
    for (const inst of leavesAt(run.tasks[task]!, path.slice(0, sharedWith(run, block, task)))) look(run, inst);
}

/** A block further out may make the failure good. */
function isHopeful(run: DagRunState, block: Block, path: MapIndex): boolean {
  const { blocks } = run.plan.tasks[block.tasks[0]!]!;
  return blocks.slice(blocks.indexOf(block) + 1).some((outer) => {
    const { tryNumber, maxTries } = run.blocks.at(outer, path.slice(0, outer.depth));
    return outer.fallback !== undefined || tryNumber <= maxTries;
  });
}

function hasFailedWork(run: DagRunState, { block, path }: BlockState): boolean {
  for (const inst of instancesOf(run, block.tasks, path))
    if (inst.state === 'failed' && inst.task.def.teardown !== true && isFailure(run, inst, block)) return true;
  return false;
}

function* instancesOf(run: DagRunState, tasks: readonly number[], path: MapIndex): Generator<InstanceState> {
  for (const task of tasks) yield* leavesAt(run.tasks[task]!, path);
}

const rangesFor = (instances: readonly InstanceState[]): readonly InstanceRange[] =>
  rangesOf(instances.map(({ task, mapIndex }) => ({ taskId: task.def.taskId, mapIndex })));

function retry(d: Decision, state: BlockState, failed: readonly InstanceState[]): void {
  const { block, path, tryNumber } = state;
  const instances = [...instancesOf(d.run, block.tasks, path)].filter(
    (inst) => inst.state !== 'none' && inst.state !== 'removed',
  );
  d.emit({
    type: 'GroupRetried',
    data: {
      at: d.now,
      groupId: block.id,
      mapIndex: path,
      tryNumber: tryNumber + 1,
      retryAt: d.now + block.retryDelayMs,
      failed: rangesFor(failed.slice(0, NAMED)),
      instances: rangesFor(instances),
    },
  });
}
