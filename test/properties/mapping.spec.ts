import { compareMapIndex, leavesOf, type AttemptOutcome, type Expansion } from '@rondo/domain';
import { dagDefinition, RunHarness, viewOf, type Outcome } from '@rondo/testing';
import fc from 'fast-check';
import { effort, seed } from './effort.ts';
import {
  collapsed,
  NaiveRun,
  TooMany,
  type Length,
  type ModelDag,
  type ModelGroup,
  type ModelTask,
} from './naive-mapping.ts';

/** Draws a DAG of sources, mapped tasks, mapped groups and groups in them from a stream of numbers. */
class Draw {
  readonly tasks: ModelTask[] = [];
  readonly groups: ModelGroup[] = [];
  readonly #dice: readonly number[];
  #at = 0;

  constructor(dice: readonly number[]) {
    this.#dice = dice;
    for (let i = 0; i <= this.#below(2); i++) this.tasks.push({ id: `s${i}`, upstream: [], rule: 'all_success' });
    for (let i = 0; i < 2 + this.#below(4); i++) this.#slot(undefined, `t${i}`, 0);
    this.#plain('end', undefined);
  }

  #below(n: number): number {
    return this.#dice[this.#at++ % this.#dice.length]! % n;
  }

  #slot(group: string | undefined, name: string, depth: number): void {
    const kind = this.#below(5);
    const id = group === undefined ? name : `${group}.${name}`;
    if (kind === 0) return this.#plain(id, group);
    if (kind <= 2 || depth === 2) {
      const over = this.#over();
      this.tasks.push({ id, ...inGroup(group), upstream: sourcesOf(over), over, rule: this.#rule() });
      return;
    }
    const isMapped = this.#below(4) > 0;
    this.groups.push({
      id,
      ...(group === undefined ? {} : { parent: group }),
      ...(isMapped ? { over: this.#over() } : {}),
    });
    const first = this.tasks.length;
    for (let i = 0; i < 1 + this.#below(3); i++) this.#slot(id, `m${i}`, depth + 1);
    // What a group is mapped over comes before all that is in it.
    const before = sourcesOf(this.groups.find((each) => each.id === id)!.over ?? []);
    for (let i = first; i < this.tasks.length; i++) {
      const task = this.tasks[i]!;
      this.tasks[i] = { ...task, upstream: [...new Set([...task.upstream, ...before])] };
    }
  }

  #plain(id: string, group: string | undefined): void {
    const upstream = this.tasks.filter(() => this.#below(3) === 0).map((task) => task.id);
    this.tasks.push({ id, ...inGroup(group), upstream, rule: this.#rule() });
  }

  #rule(): ModelTask['rule'] {
    return this.#below(3) === 0 ? 'all_done' : 'all_success';
  }

  #over(): readonly Length[] {
    return this.#below(3) === 0 ? [this.#length(0), { kind: 'literal', length: 2 }] : [this.#length(0)];
  }

  #length(depth: number): Length {
    const kind = this.#below(depth === 0 ? 7 : 4);
    if (kind === 0) return { kind: 'literal', length: this.#below(4) };
    // A source that was emptied counts nothing, one that has never been mapped skips all (§7): in a sum that is no matter of taste.
    const sources =
      depth === 0 ? this.tasks : this.tasks.filter((task) => task.group === undefined && task.over === undefined);
    if (kind <= 3) return { kind: 'output', taskId: sources[this.#below(sources.length)]!.id, path: [] };
    const of = [this.#length(1), this.#length(1)];
    if (kind === 4) return { kind: 'concat', of };
    return kind === 5 ? { kind: 'zip', of } : { kind: 'zip', of, longest: true };
  }
}

const inGroup = (group: string | undefined) => (group === undefined ? {} : { group });

function sourcesOf(over: readonly Length[]): readonly string[] {
  const walk = (each: Length): string[] =>
    each.kind === 'output' ? [each.taskId] : each.kind === 'literal' ? [] : each.of.flatMap(walk);
  return [...new Set(over.flatMap(walk))];
}

const expansionOf = (over: readonly Length[]): Expansion => ({
  kind: 'product',
  over: over.map((length, i) => ({ name: `a${i}`, length })),
});

function definitionOf({ tasks, groups }: ModelDag) {
  return dagDefinition({
    maxActiveTasks: 10_000,
    tasks: tasks.map(({ id, over, rule, ...rest }) => ({
      id,
      ...rest,
      triggerRule: rule,
      ...(over === undefined ? {} : { expand: expansionOf(over) }),
    })),
    groups: groups.map(({ id, parent, over }) => ({
      groupId: id,
      ...(parent === undefined ? {} : { parent }),
      ...(over === undefined ? {} : { expand: expansionOf(over) }),
    })),
  });
}

const returning = (length: number): AttemptOutcome => ({
  kind: 'success',
  xcoms: { return_value: { value: 0 } },
  lengths: { '[]': length },
});

/** The same number for the same name. */
function hash(text: string): number {
  let h = 7;
  for (let i = 0; i < text.length; i++) h = (Math.imul(h, 31) + text.charCodeAt(i)) >>> 0;
  return h;
}

/** Instances stand in the order of their map indexes, and those that count have no gap between them. */
function checkOrder({ run }: RunHarness): void {
  for (const task of run.tasks) {
    const leaves = [...leavesOf(task)];
    for (const [i, leaf] of leaves.entries())
      if (i > 0) expect(compareMapIndex(leaves[i - 1]!.mapIndex, leaf.mapIndex)).toBeLessThan(0);
    const seen = new Map<string, number>();
    for (const { mapIndex, state } of leaves) {
      if (state === 'removed' || mapIndex.length !== task.plan.levels.length || mapIndex.length === 0) continue;
      const prefix = mapIndex.slice(0, -1).join('.');
      const next = seen.get(prefix) ?? 0;
      expect(mapIndex.at(-1)).toBe(next);
      seen.set(prefix, next + 1);
    }
  }
}

/** Ends, clears and marks, as the numbers say. */
function disturb(run: RunHarness, dice: readonly number[]): void {
  const ids = run.plan.tasks.map(({ def }) => def.taskId);
  for (const die of dice) {
    const pick = Math.floor(die / 16);
    const open = run.openInstances;
    if (die % 16 < 11 && open.length > 0) {
      const { task, mapIndex } = open[pick % open.length]!;
      const name = mapIndex.length === 0 ? task.def.taskId : `${task.def.taskId}[${mapIndex.join('.')}]`;
      const outcomes: readonly Outcome[] = [0, 1, 2, 3].map(returning);
      run.finish(name, die % 16 < 8 ? outcomes[pick % 4]! : die % 2 === 0 ? 'fail' : 'skip');
    } else if (die % 16 < 14) {
      run.clearSelection({ taskIds: [ids[pick % ids.length]!], includeDownstream: die % 2 === 0 });
    } else run.mark(ids[pick % ids.length]!, (['success', 'failed', 'skipped'] as const)[pick % 3]!);
    if (run.run.state === 'queued') run.resume();
    checkOrder(run);
  }
}

/** However long what it is mapped over becomes. */
function isSmall(dag: ModelDag): boolean {
  try {
    return [...new NaiveRun(dag, () => 3).leaves.values()].flat().length <= 300;
  } catch (error) {
    if (error instanceof TooMany) return false;
    throw error;
  }
}

const dice = fc.array(fc.nat(1_000_000), { minLength: 8, maxLength: 40 });

describe(`mapping (RONDO_SEED=${seed})`, () => {
  it('comes to as many instances as counting them out does, whatever was before', () => {
    fc.assert(
      fc.property(dice, fc.array(fc.nat(1_000_000), { maxLength: 30 }), fc.nat(1_000), (shape, life, salt) => {
        const dag = new Draw(shape);
        fc.pre(isSmall(dag));
        const run = RunHarness.started(definitionOf(dag));
        checkOrder(run);
        disturb(run, life);
        const returns = (name: string): number => hash(`${salt}${name}`) % 4;
        run.clearSelection({});
        if (run.run.state === 'queued') run.resume();
        run.work((name) => returning(returns(name)));
        checkOrder(run);
        const naive = new NaiveRun(dag, returns);
        for (const task of run.run.tasks) {
          const leaves = [...leavesOf(task)]
            .filter(({ state }) => state !== 'removed')
            .map(({ mapIndex, state }) => ({ path: mapIndex, state }));
          const { taskId } = task.plan.def;
          expect([taskId, collapsed(leaves)]).toEqual([taskId, collapsed(naive.leaves.get(taskId)!)]);
        }
        expect(run.run.state).toBe('success');
        const back = new RunHarness(run.plan.definition, { now: run.now, history: run.history });
        expect(viewOf(back.run)).toEqual(viewOf(run.run));
      }),
      { numRuns: 150 * effort, seed, interruptAfterTimeLimit: 20_000 },
    );
  });
});
