import type { LengthExpr } from '@rondo/domain';
import { seededRandom } from '../random-history.ts';
import { dagDefinition } from './dag.ts';
import { RunHarness } from './run-harness.ts';

const output = (taskId: string): LengthExpr => ({ kind: 'output', taskId, path: [] });
const over = (length: LengthExpr) => ({ kind: 'kwargs' as const, over: [{ name: '', length }] });
/** A mapped task, and a mapped group in a mapped group with a mapped task: at most 6 at once. */
export const MAPPED_DEFINITION = dagDefinition({
  maxActiveTasks: 6,
  groups: [
    { groupId: 'g', expand: over(output('u')) },
    { groupId: 'g.h', parent: 'g', expand: over(output('g.v')) },
  ],
  tasks: [
    { id: 'u' },
    { id: 'flat', upstream: ['u'], expand: over(output('u')) },
    { id: 'g.v', group: 'g' },
    { id: 'g.h.a', group: 'g.h', expand: over({ kind: 'literal', length: 2 }) },
    { id: 'g.h.b', group: 'g.h', upstream: ['g.h.a'], triggerRule: 'all_done' },
    { id: 'z', upstream: ['g.h.b', 'flat'], triggerRule: 'all_done' },
  ],
});

/** A run whose attempts end, and whose instances are cleared and marked, as the seed says. */
export function randomMappedRun(seed: number, onStep: (run: RunHarness) => void = () => {}): RunHarness {
  const random = seededRandom(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  const run = RunHarness.started(MAPPED_DEFINITION);
  for (let step = 0; step < 60; step++) {
    const die = random();
    if (die < 0.1)
      run.clearSelection({ taskIds: [pick(MAPPED_DEFINITION.tasks).taskId], includeDownstream: random() < 0.5 });
    else if (die < 0.14) run.mark(pick(MAPPED_DEFINITION.tasks).taskId, pick(['success', 'failed', 'skipped']));
    if (run.run.state === 'queued') run.resume();
    onStep(run);
    const open = pick(run.openInstances);
    if (open === undefined) continue;
    const { taskId } = open.task.def;
    const name = open.mapIndex.length === 0 ? taskId : `${taskId}[${open.mapIndex.join('.')}]`;
    const length = Math.floor(random() * 4);
    const value = { return_value: { value: length } };
    if (random() < 0.15) run.finish(name, pick(['fail', 'skip', 'lost']));
    else run.finish(name, { kind: 'success', xcoms: value, lengths: { '[]': length } });
    onStep(run);
  }
  return run;
}
