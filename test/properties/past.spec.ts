import fc from 'fast-check';
import { aDefinition, aTask } from '@rondo/testing';
import { effort, seed } from './effort.ts';
import type { PastTask } from './naive-past.ts';
import { PastWorld } from './past-world.ts';

const DAY = 86_400_000;

const tasks = fc
  .array(
    fc.record({
      above: fc.nat(63),
      dependsOnPast: fc.boolean(),
      waitForDownstream: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
      skips: fc.integer({ min: 0, max: 2 }).map((n) => n === 0),
      holdsSkips: fc.integer({ min: 0, max: 2 }).map((n) => n === 0),
      isEmpty: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((drafts) =>
    drafts.map(({ above, ...flags }, index) => ({
      ...flags,
      id: `t${index}`,
      upstream: drafts.slice(0, index).flatMap((_, up) => ((above >> up) & 1 ? [`t${up}`] : [])),
    })),
  );

const lives = fc.record({
  tasks,
  catchup: fc.boolean(),
  startDate: fc.option(fc.nat(8), { nil: undefined }),
  maxActiveTasks: fc.constantFrom(1, 2, 16),
  maxActiveRuns: fc.constantFrom(2, 100),
  dice: fc.array(fc.nat(1_000_000), { minLength: 5, maxLength: 80 }),
});

type Life = typeof lives extends fc.Arbitrary<infer L> ? L : never;

function worldOf(
  drafts: readonly (PastTask & { isEmpty: boolean })[],
  { startDate, ...limits }: Omit<Life, 'tasks' | 'dice'>,
): PastWorld {
  const definition = aDefinition(
    'd',
    drafts.map(({ id, upstream, dependsOnPast, waitForDownstream, skips, holdsSkips, isEmpty }) =>
      aTask(id, {
        upstream,
        dependsOnPast,
        waitForDownstream,
        runs: isEmpty ? 'empty' : 'child',
        ...(skips ? { pastFailure: 'skip' as const } : {}),
        ...(holdsSkips ? { waitForPastDependsBeforeSkipping: true } : {}),
      }),
    ),
    { ...limits, ...(startDate === undefined ? {} : { startDate: startDate * DAY }) },
  );
  return new PastWorld(definition, drafts);
}

function disturb(world: PastWorld, die: number): void {
  const pick = Math.floor(die / 14);
  const runIds = [...world.model.runs.keys()];
  const runId = runIds[pick % Math.max(1, runIds.length)] ?? 'none';
  const ids = world.version.plan.tasks.map((task) => task.def.taskId);
  const selection = { taskIds: [ids[(pick >> 3) % ids.length]!], includeDownstream: pick % 3 === 0 };
  switch (die % 14) {
    case 0:
    case 1:
    case 2: {
      const date = pick % 12;
      const runType = pick % 4 === 0 ? ('manual' as const) : ('scheduled' as const);
      const undated = pick % 9 === 0;
      world.command({
        type: 'triggerRun',
        runId: undated ? `undated${pick % 50}` : `r${date}`,
        runType: undated ? 'manual' : runType,
        triggeredBy: 'user',
        ...(undated ? {} : { logicalDate: date * DAY }),
        ...(pick % 11 === 0 ? { ignoreDependsOnPast: true } : {}),
      });
      return;
    }
    case 3:
      return world.command({ type: 'clearTasks', runId, selection });
    case 4:
      return world.command({
        type: 'markTasks',
        runId,
        selection,
        state: (['success', 'failed', 'skipped'] as const)[pick % 3]!,
      });
    case 5:
      if (pick % 3 > 0) return;
      return world.command({ type: 'markRun', runId, state: pick % 2 === 0 ? 'success' : 'failed' });
    case 6:
      return pick % 3 === 0 ? world.command({ type: 'abortRun', runId }) : undefined;
    case 7:
      return world.command({ type: pick % 3 === 0 ? 'pauseDag' : 'unpauseDag' });
    case 8:
      return world.restart();
    default:
      world.batch((batch) => {
        for (const { run, taskId } of world.open.filter((_, at) => (at + pick) % 2 === 0).slice(0, 1 + (pick % 3)))
          world.finish(
            batch,
            run,
            taskId,
            (['success', 'success', 'skip', 'failNow'] as const)[(pick + taskId.length) % 4]!,
          );
      });
  }
}

function drain(world: PastWorld): void {
  for (let rounds = 0; world.open.length > 0; rounds++) {
    const { run, taskId } = world.open[0]!;
    world.batch((batch) => world.finish(batch, run, taskId, 'success'));
    expect(rounds).toBeLessThan(1_000);
  }
}

describe(`properties of past-dependence (RONDO_SEED=${seed})`, () => {
  it('nothing starts before its past allows it, nothing waits longer, and every run ends once its past does', () => {
    const property = fc.property(lives, ({ tasks: drafts, dice, ...shape }) => {
      const world = worldOf(drafts, shape);
      for (const die of dice) disturb(world, die);
      world.command({ type: 'unpauseDag' });
      drain(world);
      world.restart();
      // Whatever failed is made good; then nothing waits any more.
      for (let rounds = 0; rounds < 30; rounds++) {
        for (const run of [...world.model.runs.values()].filter((each) => each.stand === 'closed' && each.started))
          world.command({ type: 'markTasks', runId: run.id, selection: {}, state: 'success' });
        drain(world);
      }
      expect([...world.model.runs.values()].filter((run) => run.stand !== 'closed').map((run) => run.id)).toEqual([]);
    });
    fc.assert(property, { numRuns: 150 * effort, seed, interruptAfterTimeLimit: 30_000 });
  });
});
