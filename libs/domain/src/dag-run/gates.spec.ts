import { randomMappedRun, RunHarness, viewOf } from '@rondo/testing';
import { assert, integer, property } from 'fast-check';
import { leavesOf } from '../index.ts';

/** The instances that one depends on, counted the long way round. */
function relevant(run: RunHarness, name: string, kind: 'upstream' | 'setups') {
  const { task, mapIndex } = run.instance(name);
  const ups = kind === 'upstream' ? [...task.upstream] : task.indirectSetups;
  const instances = ups.flatMap((up, at) => {
    const prefix = mapIndex.slice(0, task.shared[kind][at]);
    return [...leavesOf(run.run.tasks[up]!)].filter((other) =>
      prefix.every((index, level) => level >= other.mapIndex.length || other.mapIndex[level] === index),
    );
  });
  const count = (state: string): number => instances.filter((each) => each.state === state).length;
  return {
    total: instances.length,
    success: count('success'),
    failed: count('failed'),
    upstreamFailed: count('upstream_failed'),
    skipped: count('skipped'),
    removed: count('removed'),
  };
}

describe('counters of mapped runs', () => {
  it('are at every moment what a recount comes to, and what a replay comes to', () => {
    assert(
      property(integer(), (seed) => {
        const run = randomMappedRun(seed, (at) => {
          for (const task of at.run.tasks) {
            const leaves = [...leavesOf(task)];
            expect([task.size, task.passed]).toEqual([
              leaves.length,
              leaves.filter(({ state }) => state === 'success' || state === 'skipped').length,
            ]);
            for (const inst of leaves) {
              const { taskId } = inst.task.def;
              const name = inst.mapIndex.length === 0 ? taskId : `${taskId}[${inst.mapIndex.join('.')}]`;
              expect({ name, ...inst.gate.counts }).toMatchObject({ name, ...relevant(at, name, 'upstream') });
            }
          }
        });
        const back = new RunHarness(run.plan.definition, { now: run.now, history: run.history });
        expect(viewOf(back.run)).toEqual(viewOf(run.run));
        back.decide(() => undefined);
        expect(back.last).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });
});
