import { blockProblems, nextWake, type DagDefinition } from '@rondo/domain';
import { dagDefinition, RunHarness, type Outcome } from '@rondo/testing';
import fc from 'fast-check';
import { effort, seed } from './effort.ts';
import { NaiveRun, type NaiveEnd, type NaiveItem, type NaivePlan, type NaiveTask } from './naive-blocks.ts';

/** Numbers that say everything that is left to chance, one after the other. */
class Dice {
  private at = 0;
  private readonly throws: readonly number[];

  constructor(throws: readonly number[]) {
    this.throws = throws;
  }

  /** From 0 to n - 1. */
  next(n: number): number {
    return this.throws[this.at++ % this.throws.length]! % n;
  }

  chance(percent: number): boolean {
    return this.next(100) < percent;
  }
}

/**
 * Rules whose verdict is the same in whatever order the upstream ends. `all_success` is one of them where it looks at one
 * instance: of a failure and a skip it tells what came first.
 */
const ANYWHERE = ['none_failed', 'all_done', 'none_skipped', 'all_failed', 'none_failed_min_one_success'];
/** These look at other indexes of a mapped group too. */
const FAST = ['one_success', 'one_failed', 'one_done'];

/** Items in an order in which each comes after all that it looks at. */
class Draft {
  readonly tasks: NaiveTask[] = [];
  private readonly mapped = new Set<string>();
  private readonly dice: Dice;
  private count = 0;

  constructor(dice: Dice) {
    this.dice = dice;
  }

  items(depth: number, isMapped: boolean, forbidden: readonly string[] = []): NaiveItem[] {
    const items: NaiveItem[] = [];
    for (let left = 1 + this.dice.next(3); left > 0; left--) {
      const item = this.item(depth, isMapped, forbidden);
      if (('length' in item && item.length !== undefined) || !this.dice.chance(35)) {
        items.push(item);
        continue;
      }
      const mains = idsOf(item);
      const fallback = this.item(depth, isMapped, [...forbidden, ...mains], true);
      const inside = new Set(idsOf(fallback));
      const roots = tasksIn(fallback).filter((task) => !task.upstream.some((id) => inside.has(id)));
      const leaves = tasksIn(item).filter((task) => !tasksIn(item).some((other) => other.upstream.includes(task.id)));
      for (const root of roots) (root.upstream as string[]).push(...leaves.map((leaf) => leaf.id));
      items.push({ ...item, fallback: fallback.id }, fallback);
    }
    return items;
  }

  private item(depth: number, isMapped: boolean, forbidden: readonly string[], isFallback = false): NaiveItem {
    if (depth === 0 || this.dice.chance(45)) return this.task(isMapped, forbidden);
    const id = `g${this.count++}`;
    const length = !isMapped && !isFallback && this.dice.chance(30) ? 1 + this.dice.next(3) : undefined;
    const retries = this.dice.next(3);
    const items = this.items(depth - 1, isMapped || length !== undefined, forbidden);
    return { id, retries, items, ...(length === undefined ? {} : { length }) };
  }

  private task(isMapped: boolean, forbidden: readonly string[]): NaiveTask {
    const { dice } = this;
    const upstream = this.tasks.filter(({ id }) => !forbidden.includes(id) && dice.chance(35)).map(({ id }) => id);
    const rules = isMapped ? ANYWHERE : [...ANYWHERE, ...FAST];
    const looksAtOne = upstream.length <= 1 && (isMapped || !upstream.some((id) => this.mapped.has(id)));
    const rule = dice.chance(40) ? rules[dice.next(rules.length)]! : looksAtOne ? 'all_success' : 'none_failed';
    const task = { id: `t${this.count++}`, rule, upstream, retries: dice.chance(25) ? 1 : 0 };
    this.tasks.push(task);
    if (isMapped) this.mapped.add(task.id);
    return task;
  }
}

const tasksIn = (item: NaiveItem): NaiveTask[] => ('items' in item ? item.items.flatMap(tasksIn) : [item]);
const idsOf = (item: NaiveItem): string[] => tasksIn(item).map(({ id }) => id);

function definitionOf({ items, runRetries, mode }: NaivePlan): DagDefinition {
  const groups: object[] = [];
  const tasks: object[] = [];
  const visit = (item: NaiveItem, parent: string | undefined): void => {
    const fallback = item.fallback === undefined ? {} : { fallback: item.fallback };
    if (!('items' in item)) {
      const { id, rule: triggerRule, upstream, retries } = item;
      const group = parent === undefined ? {} : { group: parent };
      tasks.push({ id, triggerRule, upstream, retries, retryDelayMs: 0, ...group, ...fallback });
      return;
    }
    const { id: groupId, retries, length } = item;
    const over = length === undefined ? undefined : [{ name: '', length: { kind: 'literal' as const, length } }];
    const expand = over === undefined ? {} : { expand: { kind: 'kwargs' as const, over } };
    groups.push({
      groupId,
      retries,
      retryDelayMs: 1_000,
      ...(parent === undefined ? {} : { parent }),
      ...fallback,
      ...expand,
    });
    for (const each of item.items) visit(each, groupId);
  };
  for (const item of items) visit(item, undefined);
  return dagDefinition({
    tasks: tasks as never,
    groups: groups as never,
    maxActiveTasks: 64,
    ...(runRetries === 0 ? {} : { runRetries, runRetryDelayMs: 5_000 }),
    ...(mode === 'all' ? { runRetryMode: mode } : {}),
  });
}

const OUTCOMES: Readonly<Record<NaiveEnd, Outcome>> = { success: 'success', fail: 'fail', skip: 'skip' };

/** Plays the run to its end in an order of the dice, and now and then from its history. */
function play(plan: NaivePlan, definition: DagDefinition, from: RunHarness, dice: Dice): RunHarness {
  let run = from;
  for (let steps = 0; steps < 20_000 && !run.hasEnded; steps++) {
    if (dice.chance(10)) {
      const { history, now } = run;
      run = new RunHarness(definition, { history, now });
      run.decide(() => undefined);
      // What waited for a moment may be found done when it is looked at.
      if (run.hasEnded) break;
    }
    const open = run.openInstances;
    if (open.length > 0) {
      const inst = open[dice.next(open.length)]!;
      const { taskId } = inst.task.def;
      const key = inst.mapIndex.length === 0 ? taskId : `${taskId}[${inst.mapIndex.join('.')}]`;
      run.finish(key, OUTCOMES[plan.outcome(key, inst.tryNumber)]);
      continue;
    }
    const wake = nextWake({ run: run.run });
    if (wake === undefined) throw new Error(`nothing moves the run: ${JSON.stringify(run.states)}`);
    run.later(Math.max(wake - run.now, 0));
  }
  return run;
}

const hashOf = (text: string): number =>
  [...text].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) % 1_000_003, 7);

function planOf(dice: Dice, depth: number): NaivePlan {
  const items = new Draft(dice).items(depth, false);
  const salt = dice.next(1_000);
  const failing = 10 + dice.next(50);
  return {
    items,
    runRetries: dice.chance(40) ? 1 + dice.next(2) : 0,
    mode: dice.chance(50) ? 'all' : 'failed',
    outcome: (instance, execution) => {
      const die = hashOf(`${instance}/${execution}/${salt}`) % 100;
      return die < failing ? 'fail' : die > 94 ? 'skip' : 'success';
    },
  };
}

function compare(throws: readonly number[], order: readonly number[], depth: number): void {
  const plan = planOf(new Dice(throws), depth);
  const definition = definitionOf(plan);
  expect(blockProblems(definition)).toEqual([]);
  const naive = new NaiveRun(plan);
  const life = new Dice(order);
  let run = play(plan, definition, RunHarness.started(definition), life);
  expectSame(run, naive);
  for (let clears = life.next(3); clears > 0; clears--) {
    const { taskId } = definition.tasks[life.next(definition.tasks.length)]!;
    const includeDownstream = life.chance(50);
    run.clearSelection({ taskIds: [taskId], includeDownstream });
    run.resume();
    run = play(plan, definition, run, life);
    naive.clear(taskId, includeDownstream);
    expectSame(run, naive);
  }
}

function expectSame(run: RunHarness, naive: NaiveRun): void {
  const tries = Object.fromEntries(
    Object.keys(run.states).flatMap((key) => {
      const { tryNumber } = run.instance(key);
      return tryNumber === 0 ? [] : [[key, tryNumber]];
    }),
  );
  expect({ state: run.run.state, tryNumber: run.run.tryNumber, states: run.states, tries }).toEqual({
    state: naive.hasFailed ? 'failed' : 'success',
    tryNumber: naive.runTries,
    states: Object.fromEntries(naive.states),
    tries: Object.fromEntries(naive.executions),
  });
  expect(run.run.blocks.open).toBe(0);
}

const dice = fc.array(fc.nat(1_000_000), { minLength: 20, maxLength: 200 });
const options = (numRuns: number) => ({ numRuns: numRuns * effort, seed, interruptAfterTimeLimit: 20_000 });

describe(`groups and runs that are retried, and fallbacks (RONDO_SEED=${seed})`, () => {
  it('come to what somebody comes to who does one thing after the other, in small DAGs', () => {
    fc.assert(
      fc.property(dice, dice, (throws, order) => compare(throws, order, 1)),
      options(400),
    );
  });

  it('and in nested ones', () => {
    fc.assert(
      fc.property(dice, dice, (throws, order) => compare(throws, order, 3)),
      options(300),
    );
  });
});
