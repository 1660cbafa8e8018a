import type { DagActor, RunActor } from './actors.ts';

const catchupOf = ({ state }: DagActor): boolean => state.scheduling?.catchup ?? false;
const isWaiting = (run: RunActor): boolean => run.state.past.size > 0;

/** Open runs of which an instance waits for its past. */
export function waitingRuns(dag: DagActor): RunActor[] {
  return Array.from(dag.runs.values()).filter(isWaiting);
}

/** Those that may wait for this run. */
export function waitingAfter(dag: DagActor, runId: string): RunActor[] {
  const following = dag.state.line.followersOf(runId, catchupOf(dag));
  return following.flatMap((next) => dag.runs.get(next.runId) ?? []).filter(isWaiting);
}

/** Runs in the DAG's queue that admitted ones wait for. */
export function awaitedInQueue(dag: DagActor): string[] {
  const { queued, active, line } = dag.state;
  if (queued.size === 0) return [];
  return waitingRuns(dag)
    .filter((run) => active.has(run.runId))
    .flatMap((run) => line.allPreviousOf(run.runId, catchupOf(dag)).map((previous) => previous.runId))
    .filter((runId) => queued.has(runId));
}

/** The runs in the order in which one may rely on another: the previous run of each comes before it. */
export function byDate<T extends { readonly actor: RunActor }>(dag: DagActor, works: Iterable<T>): T[] {
  const dated = Array.from(works, (work) => ({ work, date: dag.state.line.find(work.actor.runId)?.date ?? -Infinity }));
  return dated.sort((a, b) => (a.date === b.date ? 0 : a.date - b.date)).map(({ work }) => work);
}
