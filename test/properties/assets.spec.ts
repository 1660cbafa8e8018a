import {
  admit,
  closeRun,
  DagDecision,
  deleteQueuedAssets,
  evolveDag,
  hearAssets,
  initialDag,
  publishVersion,
  requestAssetRuns,
  setPaused,
  tick,
  watchResolved,
  type AssetArrival,
  type AssetDirectory,
  type AssetExpression,
  type DagEvent,
  type DagState,
} from '@rondo/domain';
import { dagDefinition } from '@rondo/testing';
import { array, assert, constant, constantFrom, integer, letrec, oneof, property, record } from 'fast-check';
import { effort, seed } from './effort.ts';
import { NaiveAssets, type NaiveCondition, type NaiveEvent } from './naive-assets.ts';

const NAMES = ['a', 'b', 'c'] as const;
const KEYS = ['2026-01-01T00:00:00', '2026-01-01T09:00:00', '2026-01-02T00:00:00'] as const;

const { condition: CONDITION } = letrec<{ condition: NaiveCondition; leaf: NaiveCondition }>((tie) => ({
  leaf: oneof(
    record({ kind: constant('asset' as const), name: constantFrom(...NAMES) }),
    record({ kind: constant('alias' as const), name: constant('x') }),
  ),
  condition: oneof(
    { maxDepth: 2 },
    tie('leaf'),
    record({
      kind: constantFrom('all' as const, 'any' as const),
      of: array(tie('condition'), { minLength: 1, maxLength: 3 }),
    }),
  ),
}));

type Step =
  | { readonly do: 'update'; readonly name: string; readonly key: string | undefined }
  | { readonly do: 'hear' | 'pause' | 'unpause' | 'restart' }
  | { readonly do: 'delete'; readonly names: readonly string[] }
  | { readonly do: 'publish'; readonly condition: NaiveCondition }
  | { readonly do: 'resolve'; readonly name: string }
  | { readonly do: 'close'; readonly which: number };

const STEP = oneof(
  {
    weight: 6,
    arbitrary: record({
      do: constant('update' as const),
      name: constantFrom(...NAMES),
      key: oneof(constant(undefined), constantFrom(...KEYS)),
    }),
  },
  {
    weight: 4,
    arbitrary: record({ do: constantFrom('hear' as const, 'pause' as const, 'unpause' as const, 'restart' as const) }),
  },
  {
    weight: 1,
    arbitrary: record({ do: constant('delete' as const), names: array(constantFrom(...NAMES), { maxLength: 2 }) }),
  },
  { weight: 1, arbitrary: record({ do: constant('publish' as const), condition: CONDITION }) },
  { weight: 1, arbitrary: record({ do: constant('resolve' as const), name: constantFrom(...NAMES) }) },
  { weight: 3, arbitrary: record({ do: constant('close' as const), which: integer({ min: 0, max: 9 }) }) },
);

/** One DAG as its scheduler drives it, ended between any two events of its last decision, beside the naive model. */
class World {
  readonly history: DagEvent[] = [];
  readonly said: NaiveEvent[] = [];
  readonly naive: NaiveAssets;
  private state: DagState = initialDag('d');
  private readonly resolved = new Map<string, number>();
  private readonly partitioned: boolean;
  private versions = 0;

  constructor(condition: NaiveCondition, maxRuns: number, partitioned: boolean) {
    this.partitioned = partitioned;
    this.naive = new NaiveAssets(condition, maxRuns, partitioned);
    this.maxRuns = maxRuns;
    this.turn(undefined, (d) => this.publish(d, condition));
    this.naive.publish(condition, (name) => this.lengthOf(name));
  }

  private readonly maxRuns: number;

  /** A turn of the scheduler, of which only so many events become durable (undefined: all); then one that completes it. */
  turn(cut: number | undefined, command?: (d: DagDecision) => void): boolean {
    const before = this.history.length;
    const d = this.begin();
    const heard = d.events.length;
    command?.(d);
    tick(d);
    const kept = cut === undefined ? d.events.length : Math.min(cut, d.events.length);
    this.history.push(...d.events.slice(0, kept));
    if (kept === d.events.length) return true;
    this.restart();
    const isCommandKept = kept > heard;
    const again = this.begin();
    tick(again);
    this.history.push(...again.events);
    expect(this.history.length).toBeGreaterThanOrEqual(before);
    return isCommandKept;
  }

  restart(): void {
    this.state = initialDag('d');
    for (const event of this.history) evolveDag(this.state, event);
  }

  publish(d: DagDecision, condition: NaiveCondition): void {
    const assets = condition as AssetExpression;
    const timetable = this.partitioned
      ? ({ kind: 'asset', assets, partitions: { mapping: { mapper: 'daily' } } } as const)
      : ({ kind: 'asset', assets } as const);
    const definition = dagDefinition({ tasks: [], timetable, maxActiveRuns: this.maxRuns });
    publishVersion(d, `v${++this.versions}`, definition, 'b', this.directory());
  }

  close(which: number, cut: number | undefined): boolean {
    const open = [...this.state.active.keys()];
    const runId = open[which % open.length];
    if (runId === undefined) return false;
    return this.turn(cut, (d) => {
      closeRun(d, runId, 'success');
      requestAssetRuns(d);
      admit(d);
    });
  }

  say(name: string, partitionKey: string | undefined): void {
    const revision = this.lengthOf(name);
    this.said.push({ name, revision, ...(partitionKey === undefined ? {} : { partitionKey }) });
  }

  /** The alias `x` stands for the asset from its next event on. */
  resolve(name: string): boolean {
    if (this.resolved.has(name)) return false;
    this.resolved.set(name, this.lengthOf(name) - 1);
    return true;
  }

  lengthOf(name: string): number {
    return this.said.filter((event) => event.name === name).length;
  }

  setPaused(d: DagDecision, paused: boolean): void {
    setPaused(d, paused);
  }

  private begin(): DagDecision {
    const d = new DagDecision(this.state, 1_000_000 + this.said.length);
    const directory = this.directory();
    watchResolved(d, directory);
    const arrivals = this.said.flatMap((event, position): AssetArrival[] =>
      event.revision > (this.state.assets.seen.get(event.name) ?? Infinity)
        ? [{ ...event, position: position + 1, at: position }]
        : [],
    );
    hearAssets(d, arrivals);
    return d;
  }

  private directory(): AssetDirectory {
    return {
      headOf: (name) => this.lengthOf(name) - 1,
      resolve: (leaf) => (leaf.kind === 'alias' ? Array.from(this.resolved, ([name, after]) => ({ name, after })) : []),
    };
  }

  /** What each run consumed, told by the history alone. */
  get runs(): readonly { readonly key: string; readonly events: readonly string[] }[] {
    const runs: { key: string; events: readonly string[] }[] = [];
    const state = initialDag('d');
    for (const event of this.history) {
      if (event.type === 'RunRequested') {
        const key = event.data.partitionKey ?? '';
        const events = waitingOf(state, key);
        expect(event.data.assetEvents?.count).toBe(events.length);
        runs.push({ key, events: events.toSorted() });
      }
      evolveDag(state, event);
    }
    return runs;
  }

  get left(): readonly string[] {
    const keys = [...this.state.assets.waiting.keys()];
    return keys.flatMap((key) => waitingOf(this.state, key).map((event) => `${key}/${event}`)).toSorted();
  }
}

function waitingOf(state: DagState, key: string): string[] {
  const ranges = [...(state.assets.waiting.get(key)?.values() ?? [])].flat();
  return ranges.flatMap(({ name, from, to }) => Array.from({ length: to - from + 1 }, (_, i) => `${name}@${from + i}`));
}

function play(world: World, step: Step, cut: number | undefined): void {
  const { naive, said } = world;
  switch (step.do) {
    case 'update':
      world.say(step.name, step.key);
      return;
    case 'restart':
      world.restart();
      return;
    case 'hear':
      naive.hear(said);
      world.turn(cut);
      break;
    case 'pause':
    case 'unpause': {
      const paused = step.do === 'pause';
      naive.hear(said);
      if (world.turn(cut, (d) => world.setPaused(d, paused))) naive.paused = paused;
      break;
    }
    case 'delete':
      naive.hear(said);
      if (world.turn(cut, (d) => void deleteQueuedAssets(d, step.names))) naive.delete(step.names);
      break;
    case 'publish':
      naive.hear(said);
      if (world.turn(cut, (d) => world.publish(d, step.condition)))
        naive.publish(step.condition, (name) => world.lengthOf(name));
      break;
    case 'resolve':
      if (!world.resolve(step.name)) return;
      naive.resolve('x', step.name, world.lengthOf(step.name));
      return;
    case 'close':
      if (naive.open === 0) return;
      naive.hear(said);
      if (world.close(step.which, cut)) naive.close();
      break;
  }
  naive.settle();
}

describe(`asset events (seed ${seed})`, () => {
  it.each([false, true])(
    'are consumed once, by the run whose condition they complete, whatever ends, pauses and deletes (partitions: %s)',
    (partitioned) => {
      const steps = array(
        record({ step: STEP, cut: oneof({ weight: 3, arbitrary: constant(undefined) }, integer({ min: 0, max: 4 })) }),
        { maxLength: 60 },
      );
      assert(
        property(CONDITION, integer({ min: 1, max: 3 }), steps, (condition, maxRuns, played) => {
          const world = new World(condition, maxRuns, partitioned);
          for (const { step, cut } of played) play(world, step as Step, cut);
          play(world, { do: 'hear' }, undefined);
          expect(world.runs).toEqual(world.naive.runs);
          expect(world.left).toEqual(world.naive.left);
          const consumed = world.runs.flatMap((run) => run.events);
          expect(new Set(consumed).size).toBe(consumed.length);
        }),
        { seed, numRuns: 400 * effort },
      );
    },
  );
});
