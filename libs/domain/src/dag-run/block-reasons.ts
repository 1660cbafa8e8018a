import type { Block } from './block-plan.ts';
import { hasEnded } from './block-view.ts';
import type { DagRunState, InstanceState } from './state.ts';

interface BlockReason {
  readonly rule: 'group' | 'fallback';
  readonly passed: boolean;
  readonly reason: string;
}

/** What blocks say of an instance: the ends that it waits for, and whether it is needed to stand for one. */
export function explainBlocks(run: DagRunState, inst: InstanceState): BlockReason[] {
  const { task, mapIndex } = inst;
  const main = task.standsFor.map((block): BlockReason => {
    const { end } = run.blocks.at(block, mapIndex.slice(0, block.depth));
    if (end === 'open')
      return { rule: 'fallback', passed: false, reason: `runs only if ${nameOf(block)} fails, which has not ended` };
    if (end === 'success') return { rule: 'fallback', passed: false, reason: `${nameOf(block)} has not failed` };
    return { rule: 'fallback', passed: true, reason: `${nameOf(block)} has failed` };
  });
  if (task.def.triggerRule === 'always') return main;
  const before = task.blocksBefore.map((block): BlockReason => {
    const passed = hasEnded(run, block, inst);
    if (passed) return { rule: 'group', passed, reason: `${nameOf(block)} has ended` };
    return { rule: 'group', passed, reason: `waits for the end of ${nameOf(block)}${standOf(run, block, inst)}` };
  });
  return [...main, ...before];
}

const nameOf = ({ isGroup, id }: Block): string => `${isGroup ? 'group' : 'task'} '${id}'`;

function standOf(run: DagRunState, block: Block, { mapIndex }: InstanceState): string {
  if (mapIndex.length < block.depth) return '';
  const { end, tryNumber, maxTries } = run.blocks.at(block, mapIndex.slice(0, block.depth));
  if (end === 'standIn') return `, for which '${block.fallback?.id}' runs`;
  return block.retries === 0 ? '' : `, try ${tryNumber} of ${Math.max(maxTries + 1, tryNumber)}`;
}
