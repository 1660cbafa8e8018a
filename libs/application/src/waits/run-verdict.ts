import { leavesOf, runStandOf, type DagState, type InstanceState, type RunWait, type WaitAnswer } from '@rondo/domain';
import type { RunActor } from '../scheduler/actors.ts';

/** The run that a wait is about; undefined before it has been asked for. */
export function runOf(dag: DagState, { runId, logicalDate }: RunWait): string | undefined {
  const found = runId ?? (logicalDate === undefined ? undefined : dag.logicalDates.get(logicalDate));
  return found !== undefined && runStandOf(dag, found) !== undefined ? found : undefined;
}

/** Why a wait that asks for existence can never be met, as far as the DAG alone tells it. */
export function missingDag(dag: DagState, wait: RunWait): string | undefined {
  return wait.checkExistence === true && dag.version === undefined ? `there is no DAG '${wait.dagId}'` : undefined;
}

export const asksTasks = (wait: RunWait): boolean =>
  (wait.taskIds?.length ?? 0) > 0 || (wait.groupIds?.length ?? 0) > 0;

type Standing = Exclude<ReturnType<typeof runStandOf>, undefined>;
const RUN_STATES: Readonly<Record<Standing, string>> = {
  queued: 'queued',
  active: 'running',
  success: 'success',
  failed: 'failed',
};

/** What the state of the run as a whole says to a wait; undefined: nothing yet. */
export function judgeRun(dag: DagState, runId: string, wait: RunWait): WaitAnswer | undefined {
  const stand = runStandOf(dag, runId);
  if (stand === undefined) return undefined;
  const state = RUN_STATES[stand];
  const what = `run '${runId}' of DAG '${wait.dagId}' is ${state}`;
  if (includes(wait.failedStates, state)) return failed(what);
  if (includes(wait.skippedStates, state)) return { kind: 'skipped', reason: what };
  return includes(wait.allowedStates, state) ? met(wait, runId) : undefined;
}

/**
 * The instances that one wait looks at. It remembers one that is not as wanted, and looks for another only when that one is:
 * so that a task of many instances is gone through about once, not at each event.
 */
export class TaskWatch {
  private readonly run: RunActor;
  private readonly wait: RunWait;
  private readonly tasks: ReadonlySet<number>;
  private instances: InstanceState[] = [];
  private witness = 0;

  constructor(run: RunActor, wait: RunWait) {
    this.run = run;
    this.wait = wait;
    this.tasks = tasksOf(run, wait);
    this.relist();
  }

  /** Why the wait can never be met. */
  get missing(): string | undefined {
    const { plan } = this.run.state;
    if (this.wait.checkExistence !== true) return undefined;
    const task = this.wait.taskIds?.find((id) => !plan.indexOf.has(id));
    if (task !== undefined) return `DAG '${this.wait.dagId}' has no task '${task}'`;
    const group = this.wait.groupIds?.find((id) => !plan.graph.groups.has(id));
    return group === undefined ? undefined : `DAG '${this.wait.dagId}' has no group '${group}'`;
  }

  /** After an expansion there are others. */
  relist(): void {
    this.instances = [...this.tasks].flatMap((index) => [...leavesOf(this.run.state.tasks[index]!)]);
    this.witness = 0;
  }

  /** All of them. */
  judge(): WaitAnswer | undefined {
    return this.judgeMoved(this.instances) ?? this.judgeAll();
  }

  /** `moved`: instances of the run whose state may be another now. */
  judgeMoved(moved: Iterable<InstanceState>): WaitAnswer | undefined {
    let skipped: WaitAnswer | undefined;
    for (const inst of moved) {
      if (!this.tasks.has(inst.task.index)) continue;
      if (includes(this.wait.failedStates, inst.state)) return failed(this.describe(inst));
      if (includes(this.wait.skippedStates, inst.state)) skipped ??= { kind: 'skipped', reason: this.describe(inst) };
    }
    return skipped;
  }

  judgeAll(): WaitAnswer | undefined {
    const { instances } = this;
    if (instances.length === 0 || !this.namesKnown()) return undefined;
    for (let n = 0; n < instances.length; n++) {
      const at = (this.witness + n) % instances.length;
      if (includes(this.wait.allowedStates, instances[at]!.state)) continue;
      this.witness = at;
      return undefined;
    }
    return met(this.wait, this.run.runId);
  }

  private namesKnown(): boolean {
    const { indexOf, graph } = this.run.state.plan;
    const { taskIds = [], groupIds = [] } = this.wait;
    return taskIds.every((id) => indexOf.has(id)) && groupIds.every((id) => graph.groups.has(id));
  }

  private describe(inst: InstanceState): string {
    const index = inst.mapIndex.length === 0 ? '' : ` [${inst.mapIndex.join('.')}]`;
    return `task '${inst.task.def.taskId}'${index} in run '${this.run.runId}' of DAG '${this.wait.dagId}' is ${inst.state}`;
  }
}

function tasksOf(run: RunActor, { taskIds = [], groupIds = [] }: RunWait): ReadonlySet<number> {
  const { plan } = run.state;
  const found = new Set(taskIds.flatMap((id) => plan.indexOf.get(id) ?? []));
  if (groupIds.length === 0) return found;
  const wanted = new Set(groupIds);
  for (const { index, def } of plan.tasks)
    for (let group = def.group; group !== undefined; group = plan.graph.groups.get(group))
      if (wanted.has(group)) found.add(index);
  return found;
}

const includes = (states: readonly string[] | undefined, state: string): boolean => states?.includes(state) ?? false;

function met({ dagId }: RunWait, runId: string): WaitAnswer {
  return { kind: 'met', payload: { value: { dagId, runId } } };
}

function failed(message: string): WaitAnswer {
  return { kind: 'failed', error: { kind: 'exception', type: 'ExternalTaskFailed', message }, retryable: true };
}
