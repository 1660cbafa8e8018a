import fc from 'fast-check';
import { effort, seed } from './effort.ts';
import { scenarios, type Scenario } from './scenario.ts';
import { World } from './world.ts';

const dice = fc.array(fc.nat(1_000_000), { minLength: 1, maxLength: 120 });

/** A failure names its seed and its smallest case; `RONDO_SEED` runs the same cases again. */
function check(
  arbitrary: fc.Arbitrary<Scenario>,
  numRuns: number,
  live: (scenario: Scenario, dice: readonly number[]) => void,
): void {
  fc.assert(fc.property(arbitrary, dice, live), { numRuns: numRuns * effort, seed, interruptAfterTimeLimit: 20_000 });
}

describe(`properties of a run (RONDO_SEED=${seed})`, () => {
  const disturbed = (scenario: Scenario, throws: readonly number[]): void => {
    const world = new World(scenario);
    for (const die of throws) world.disturb(die);
    world.checkReplay();
    world.finish(throws);
    world.checkReplay();
  };

  it('a disturbed life of a small DAG', () => check(scenarios(8), 300, disturbed));
  it('a disturbed life of a DAG', () => check(scenarios(40), 60, disturbed));
  it('a disturbed life of a large DAG', () => check(scenarios(200), 12, disturbed));

  it('an undisturbed life ends, and what its history says is what is in memory', () =>
    check(scenarios(200), 12, (scenario, throws) => {
      const world = new World(scenario);
      world.finish(throws);
      world.checkReplay();
    }));
});
