import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  DAG_RUN_EVENTS,
  evolveDag,
  evolveWorker,
  initialDag,
  instanceKey,
  isTerminal,
  leavesOf,
  nextWake,
  UNKNOWN_WORKER,
  type DagDefinition,
  type DagEvent,
  type DagRunEvent,
  type WorkerEvent,
} from '@rondo/domain';
import { RunHarness, viewOf } from '@rondo/testing';

/**
 * Histories as releases have written them. A file is never edited: a release that writes another schema adds files of its
 * own, and reads all of these to the same states.
 */
interface Golden {
  readonly about: string;
  readonly schema: number;
  readonly expected: Record<string, unknown>;
  readonly definition?: DagDefinition;
  readonly events?: readonly DagRunEvent[];
  readonly dagId?: string;
  readonly dagEvents?: readonly DagEvent[];
  readonly workerEvents?: readonly WorkerEvent[];
}

const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.json'));
const goldens = files.map((name) => {
  const golden = JSON.parse(readFileSync(join(import.meta.dirname, name), 'utf8')) as Golden;
  return { name, golden };
});

describe('golden histories of runs', () => {
  const runs = goldens.flatMap(({ name, golden }) =>
    golden.events === undefined ? [] : [[name, golden.events, golden] as const],
  );

  it.each(runs)('%s folds to the states that it did', (_name, history, { definition, expected }) => {
    const { run } = new RunHarness(definition!, { history });
    expect({ run, instances: viewOf(run).instances }).toMatchObject(expected);
  });

  it.each(runs)('%s leaves nothing to be decided, and goes on to an end', (_name, history, { definition }) => {
    const now = Math.max(...history.map((event) => event.data.at));
    const back = new RunHarness(definition!, { now, history });
    back.decide(() => undefined);
    expect(back.last).toEqual([]);
    for (const task of back.run.tasks)
      for (const inst of leavesOf(task)) {
        if (inst.state !== 'deferred') continue;
        const name = instanceKey(task.plan.def.taskId, inst.mapIndex);
        if (inst.waitFor?.kind === 'dagRun') back.answer(name, { kind: 'ended', state: 'success' });
        else back.waited(name, { kind: 'met' });
      }
    back.work();
    expect(back.hasEnded).toBe(true);
    expect(back.run.open).toBe(0);
    expect(nextWake({ run: back.run })).toBeUndefined();
    expect(Object.values(back.states).filter((state) => !isTerminal(state as 'none'))).toEqual([]);
  });

  it('hold every event of a run that this release writes', () => {
    const seen = new Set(runs.flatMap(([, events]) => events.map((event) => event.type)));
    // Folded, and not written by this release.
    const folded = new Set(['TaskRemoved']);
    const written = Object.keys(DAG_RUN_EVENTS).filter((type) => !folded.has(type));
    expect([...seen].sort()).toEqual(written.sort());
  });
});

describe('golden histories of DAGs', () => {
  const dags = goldens.flatMap(({ name, golden }) =>
    golden.dagEvents === undefined ? [] : [[name, golden.dagEvents, golden] as const],
  );

  it.each(dags)('%s folds to the state that it did', (_name, events, { dagId, expected }) => {
    const dag = initialDag(dagId!);
    for (const event of events) evolveDag(dag, event);
    const closed = Object.fromEntries(Array.from(dag.closed, ([runId, run]) => [runId, run.state]));
    const active = Array.from(dag.active.values(), ({ runId, version }) => ({ runId, version }));
    const plain = {
      queued: [...dag.queued.keys()],
      keys: Object.fromEntries(dag.keys),
      held: [...dag.held],
      sealed: [...dag.sealed],
      erased: Object.fromEntries(dag.erased),
      archived: Object.fromEntries(dag.archived),
      priorities: Object.fromEntries(dag.priorities),
    };
    const backfills = Array.from(dag.backfills.all.values(), ({ spec, queued, active: started, ...backfill }) => ({
      ...{ backfillId: spec.backfillId, dates: spec.dates, queued: [...queued], active: [...started] },
      ...backfill,
    }));
    const assets = {
      seen: Object.fromEntries(dag.assets.seen),
      resolved: Object.fromEntries(Array.from(dag.assets.resolved, ([key, names]) => [key, [...names]])),
      waiting: Object.fromEntries(Array.from(dag.assets.waiting, ([key, of]) => [key, Object.fromEntries(of)])),
    };
    expect({
      ...dag,
      ...plain,
      assets,
      backfills,
      closed,
      active,
      waiters: Object.fromEntries(dag.waiters),
    }).toMatchObject(expected);
  });
});

describe('golden histories of workers', () => {
  const workers = goldens.flatMap(({ name, golden }) =>
    golden.workerEvents === undefined ? [] : [[name, golden.workerEvents, golden] as const],
  );

  it.each(workers)('%s folds to the stand that it did', (_name, events, { expected }) => {
    expect(events.reduce(evolveWorker, UNKNOWN_WORKER)).toEqual(expected);
  });

  it('hold every event of a worker that this release writes', () => {
    const seen = new Set(workers.flatMap(([, events]) => events.map(({ type }) => type)));
    const written: Record<WorkerEvent['type'], true> = { WorkerJoined: true, WorkerLeft: true, WorkerDraining: true };
    expect([...seen].sort()).toEqual(Object.keys(written).sort());
  });
});
