import { priorityOf, type DagState, type Demand, type InstanceState, type Limit, type RunPlan } from '@rondo/domain';
import type { RunActor } from './actors.ts';

/** What an attempt of the instance asks of pools, workers and limits. A rule of the retry policy may send a try elsewhere. */
export function demandOf(
  dag: DagState,
  run: RunActor,
  inst: InstanceState,
): Demand & { readonly limits: readonly Limit[] } {
  const { def } = inst.task;
  const over = inst.overrides ?? {};
  const executor = over.executor ?? def.executor;
  return {
    pool: poolOf(inst),
    poolSlots: over.poolSlots ?? def.poolSlots,
    queue: over.queue ?? def.queue,
    ...(executor === undefined ? {} : { executor }),
    dagPriority: dagPriorityOf(dag, run.runId),
    priority: priorityOf(inst),
    logicalDate: run.state.started?.logicalDate ?? null,
    mapIndex: inst.mapIndex,
    limits: limitsOf(dag, run, inst),
  };
}

export const poolOf = (inst: InstanceState): string => inst.overrides?.pool ?? inst.task.def.pool;

/** The run's own priority, or that of the DAG's latest version. */
export function dagPriorityOf(dag: DagState, runId: string): number {
  return dag.priorities.get(runId) ?? dag.scheduling?.priority ?? 0;
}

/** The limits that could hold the instance back; one that can never be reached is left out. */
function limitsOf({ dagId, scheduling }: DagState, { runId, state: { plan } }: RunActor, inst: InstanceState): Limit[] {
  const limits: Limit[] = [];
  const { maxActiveTasks } = plan.definition;
  if (mayHaveMoreThan(plan, maxActiveTasks))
    limits.push({ scope: 'run', key: `run ${dagId}:${runId}`, most: maxActiveTasks });
  const perDag = scheduling?.maxActiveTasksPerDag;
  if (perDag !== undefined) limits.push({ scope: 'dag', key: `dag ${dagId}`, most: perDag });
  const { taskId, maxActiveTisPerDag, maxActiveTisPerDagrun } = inst.task.def;
  if (maxActiveTisPerDag !== undefined)
    limits.push({ scope: 'task', key: `task ${dagId}:${taskId}`, most: maxActiveTisPerDag });
  if (maxActiveTisPerDagrun !== undefined && inst.task.levels.length > 0)
    limits.push({ scope: 'taskOfRun', key: `taskOfRun ${dagId}:${runId}:${taskId}`, most: maxActiveTisPerDagrun });
  return limits;
}

function mayHaveMoreThan({ tasks, scopes }: RunPlan, most: number): boolean {
  return tasks.length > most || scopes.length > 0;
}
