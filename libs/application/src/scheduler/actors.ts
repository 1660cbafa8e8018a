import {
  evolveDag,
  evolveRun,
  initialDag,
  initialRun,
  tasksOfRun,
  type DagEvent,
  type DagRunEvent,
  type DagRunState,
  type DagState,
  type InstanceState,
  type RunPlan,
} from '@rondo/domain';
import type { EventStore } from '@rondo/ports';
import type { Success } from './asset-updates.ts';
import { dagStream, decodeEvent, runStream, traceOf, type Trace } from './envelope.ts';
import type { PlanCache, VersionPlan } from './plans.ts';

/** Who is being worked on: when that throws, it is to blame (I12). */
export interface Blame {
  runId?: string;
}

/** A wait that somebody answers. */
export interface OpenWait {
  /** Of the attempt that waits. */
  readonly id: string;
  /** By the worker's triggerer; else by the router. */
  readonly watched: boolean;
}

/** One run in memory: the fold of its stream, and the revision it stands at (-1: no event yet). */
export interface RunActor {
  readonly runId: string;
  readonly state: DagRunState;
  readonly version: VersionPlan;
  readonly trace: Trace;
  /** Waits that have been stated to whoever answers them. */
  readonly waits: Map<InstanceState, OpenWait>;
  /** Deferred instances whose slots a gateway may hold on to. */
  readonly deferrals: Map<InstanceState, { readonly instance: string; readonly pool: string }>;
  /** Successes that updated assets, as they were found when the run was loaded: their updates are stated again. */
  readonly updates: Success[];
  revision: number;
}

/** One DAG in memory with its open runs. */
export interface DagActor {
  readonly dagId: string;
  readonly state: DagState;
  readonly trace: Trace;
  readonly runs: Map<string, RunActor>;
  /** What the code of the timetable was asked last; a restart asks again. */
  asked?: string;
  /** When each run that waits for a time wants to be looked at again. */
  readonly wakes: Map<string, number>;
  revision: number;
}

export function newRunActor(dagId: string, runId: string, version: VersionPlan): RunActor {
  return {
    runId,
    state: initialRun(version.plan),
    version,
    trace: traceOf(dagId, runId),
    waits: new Map(),
    deferrals: new Map(),
    updates: [],
    revision: -1,
  };
}

/** The stream of the run begins later than it did. */
export class ArchivedRunError extends Error {
  override readonly name = 'ArchivedRunError';
}

/** Folds DAGs and runs from their streams. */
export class ActorLoader {
  private readonly store: EventStore;
  private readonly plans: PlanCache;

  constructor(store: EventStore, plans: PlanCache) {
    this.store = store;
    this.plans = plans;
  }

  /** The DAG without its runs; a DAG that has no events is one with revision -1. */
  async dag(dagId: string): Promise<DagActor> {
    const state = initialDag(dagId);
    let revision = -1;
    for await (const page of this.store.readStream(dagStream(dagId)))
      for (const event of page) {
        evolveDag(state, decodeEvent<DagEvent>(event));
        revision = event.revision;
      }
    return { dagId, state, trace: traceOf(dagId, ''), runs: new Map(), wakes: new Map(), revision };
  }

  /** I4: a run that was admitted and has no events yet comes back with revision -1, to be started. */
  async run(dag: DagState, runId: string, version: string): Promise<RunActor> {
    const { dagId } = dag;
    const whole = await this.plans.load(version);
    let actor: RunActor | undefined;
    for await (const page of this.store.readStream(runStream(dagId, runId)))
      for (const recorded of page) {
        const event = decodeEvent<DagRunEvent>(recorded);
        if (actor === undefined && recorded.revision > 0)
          throw new ArchivedRunError('the run was archived and taken away: restore its archive to go on with it');
        actor ??= newRunActor(
          dagId,
          runId,
          event.type === 'RunStarted' ? this.plans.choose(version, event.data.only) : whole,
        );
        evolveRun(actor.state, event);
        if (event.type === 'TaskSucceeded' && event.data.assets !== undefined) actor.updates.push(event.data);
        actor.revision = recorded.revision;
      }
    return (
      actor ?? newRunActor(dagId, runId, this.plans.choose(version, tasksOfRun(dag, runId, whole.version.definition)))
    );
  }

  async plan(version: string): Promise<RunPlan> {
    return (await this.plans.load(version)).plan;
  }
}
