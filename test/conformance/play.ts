import {
  advance,
  compilePlan,
  decideClear,
  decideReport,
  Decision,
  evolveRun,
  findInstance,
  initialRun,
  instanceKey,
  leavesOf,
  TASK_DEFAULTS,
  UNMAPPED,
  type AttemptOutcome,
  type DagDefinition,
  type DagRunEvent,
  type DagRunState,
  type Expansion,
  type GroupDefinition,
  type InstanceState,
  type Interval,
  type MapIndex,
  type RunType,
  type TaskDefinition,
  type TaskState,
  type TimetableSpec,
} from '@rondo/domain';
import { Inexpressible, type Fields } from './case.ts';
import { indexOf, type CaseDag } from './dag.ts';
import { expansionOf } from './expansion.ts';

export interface PlayOptions {
  readonly timetable?: TimetableSpec;
  readonly runType?: RunType;
  readonly dataInterval?: Interval;
  readonly now?: number;
  /** A DAG as its file declares it, in place of what the case says of tasks. */
  readonly definition?: DagDefinition;
  /** What groups are mapped over. Default: none is. */
  readonly expand?: Readonly<Record<string, Expansion>>;
}

const [DAG, RUN] = ['dag', 'run'];
const LONG = 7 * 86_400_000;
const ERROR = { kind: 'exception', message: 'as the case says' } as const;

/** One run of a case's DAG, driven through the decider that the scheduler uses. The case stands for the workers. */
export class Play {
  readonly dag: CaseDag;
  readonly run: DagRunState;
  readonly events: DagRunEvent[] = [];
  private now: number;

  constructor(dag: CaseDag, options: PlayOptions = {}) {
    this.dag = dag;
    this.now = options.now ?? Date.UTC(2016, 0, 2);
    const interval = options.dataInterval ?? ([this.now, this.now] as const);
    this.run = initialRun(compilePlan('v1', options.definition ?? definition(dag, options)));
    this.fold({
      type: 'RunStarted',
      data: {
        dagId: DAG,
        runId: RUN,
        version: 'v1',
        runType: options.runType ?? 'manual',
        logicalDate: interval[0],
        dataInterval: interval,
        runAfter: interval[1],
        triggeredBy: 'test',
        at: this.now,
      },
    });
  }

  /** By name: `a`, `a[2]`, `a[2.5]`. */
  instance(name: string): InstanceState {
    const { taskId, mapIndex } = refOf(name);
    const found = findInstance(this.run, taskId, mapIndex);
    if (found === undefined) throw new Inexpressible(`the run has no instance '${name}'`);
    return found;
  }

  /** Instances of a task, in order. */
  instances(id: string): readonly InstanceState[] {
    return [...leavesOf(this.run.tasks[indexOf(this.dag.graph, id)]!)];
  }

  /** Brings an instance to a state by the events that lead there. */
  put(name: string, state: TaskState, tryNumber = 1): void {
    const [at, instances] = [this.now, [refOf(name)]];
    const data = { ...refOf(name), tryNumber, leg: 1, at };
    const attempt: DagRunEvent[] = [
      { type: 'TaskScheduled', data },
      { type: 'TaskQueued', data: { ...data, executor: 'local', worker: 'w' } },
      { type: 'TaskStarted', data },
    ];
    const request = {
      dagId: 'other',
      runId: 'r',
      wait: true,
      allowedStates: ['success'],
      skipWhenAlreadyExists: false,
    } as const;
    const ways: Readonly<Record<TaskState, readonly DagRunEvent[]>> = {
      none: [],
      scheduled: attempt.slice(0, 1),
      queued: attempt.slice(0, 2),
      running: attempt,
      success: [...attempt, { type: 'TaskSucceeded', data }],
      failed: [...attempt, { type: 'TaskFailed', data: { ...data, error: ERROR } }],
      up_for_retry: [...attempt, { type: 'TaskRetryScheduled', data: { ...data, error: ERROR, retryAt: at + LONG } }],
      up_for_reschedule: [...attempt, { type: 'TaskRescheduled', data: { ...data, until: at + LONG } }],
      deferred: [...attempt, { type: 'TaskDeferred', data: { ...data, waitFor: { kind: 'dagRun', request } } }],
      restarting: [...attempt, { type: 'TaskCleared', data: { at, instances } }],
      skipped: [{ type: 'TaskSkipped', data: { at, instances, reason: 'given' } }],
      upstream_failed: [{ type: 'TaskUpstreamFailed', data: { at, instances, reason: 'given' } }],
      removed: [{ type: 'TaskRemoved', data: { at, instances, reason: 'given' } }],
    };
    for (const event of ways[state]) this.fold(event);
  }

  /** One decision of the scheduler; its events. */
  decide(step: (d: Decision) => void = advance): readonly DagRunEvent[] {
    const d = new Decision(this.run, { now: this.now, paused: false, window: 1_000 });
    step(d);
    this.events.push(...d.events);
    return d.events;
  }

  /** The attempt of an instance that is scheduled ends. */
  finish(name: string, outcome: AttemptOutcome): void {
    const { tryNumber, leg } = this.instance(name);
    const attempt = { dagId: DAG, runId: RUN, ...refOf(name), tryNumber, leg };
    const times = { queuedAt: this.now, startedAt: this.now, at: this.now };
    this.decide((d) => {
      if (!decideReport(d, { kind: 'finished', attempt, ...times, executor: 'local', worker: 'w', outcome }))
        throw new Inexpressible(`'${name}' has no attempt that could end`);
    });
  }

  /** Clears exactly what a clear of these tasks takes along. */
  clear(ids: readonly string[]): void {
    this.decide((d) => {
      const cleared = decideClear(d, { taskIds: ids });
      if (!cleared.ok) throw new Inexpressible(cleared.error);
    });
  }

  /** Time passes: delays are over. */
  wait(): void {
    this.now += LONG;
  }

  /** A cleared run is admitted again. */
  admit(): void {
    if (this.run.state === 'queued') this.fold({ type: 'RunResumed', data: { at: this.now } });
  }

  scheduled(): string[] {
    return this.run.tasks.flatMap((task) =>
      [...leavesOf(task)].flatMap((i) =>
        i.state === 'scheduled' ? [instanceKey(task.plan.def.taskId, i.mapIndex)] : [],
      ),
    );
  }

  private fold(event: DagRunEvent): void {
    this.events.push(event);
    evolveRun(this.run, event);
  }
}

function refOf(name: string): { readonly taskId: string; readonly mapIndex: MapIndex } {
  const [, taskId = name, path] = /^([^[]+)\[([\d.]+)\]$/.exec(name) ?? [];
  return { taskId, mapIndex: path === undefined ? UNMAPPED : path.split('.').map(Number) };
}

function definition(dag: CaseDag, { timetable = { kind: 'none' }, expand = {} }: PlayOptions): DagDefinition {
  const groups = [...dag.graph.groups].map(([groupId, parent]): GroupDefinition => ({
    groupId,
    ...(parent === undefined ? {} : { parent }),
    ...(expand[groupId] === undefined ? {} : { expand: expand[groupId] }),
  }));
  return {
    dagId: DAG,
    file: 'case.ts',
    timetable,
    timezone: 'UTC',
    catchup: true,
    tags: [],
    maxActiveRuns: 16,
    maxActiveTasks: 1_000,
    failFast: false,
    isPausedUponCreation: false,
    maxConsecutiveFailedDagRuns: 0,
    renderTemplateAsNativeObj: false,
    templateSearchPath: [],
    params: {},
    callbacks: [],
    tasks: dag.graph.nodes.map((node, index) => taskDefinition(dag, index, dag.tasks[index]!)),
    groups,
  };
}

function taskDefinition({ graph }: CaseDag, index: number, task: Fields): TaskDefinition {
  const node = graph.nodes[index]!;
  const expand = expansionOf(task);
  return {
    ...node,
    ...(expand === undefined ? {} : { expand }),
    operator: 'Case',
    runs: task['kind'] === 'latest_only' ? 'latest_only' : 'child',
    triggerRule: node.triggerRule ?? 'all_success',
    priorityWeight: node.priorityWeight ?? 1,
    weightRule: node.weightRule ?? 'downstream',
    owner: TASK_DEFAULTS.owner,
    retries: typeof task['retries'] === 'number' ? task['retries'] : 0,
    retryDelayMs:
      typeof task['retry_delay_s'] === 'number' ? task['retry_delay_s'] * 1_000 : TASK_DEFAULTS.retryDelayMs,
    retryExponentialBackoff: 0,
    maxLostAttempts: TASK_DEFAULTS.maxLostAttempts,
    dependsOnPast: task['depends_on_past'] === true,
    waitForDownstream: task['wait_for_downstream'] === true,
    email: [],
    emailOnFailure: false,
    emailOnRetry: false,
    pool: TASK_DEFAULTS.pool,
    poolSlots: 1,
    queue: TASK_DEFAULTS.queue,
    callbacks: [],
    inputs: [],
    templateFields: [],
    args: {},
  };
}
