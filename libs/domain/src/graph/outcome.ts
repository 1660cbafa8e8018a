import { hasOpenAttempt, isTerminal, type TaskState } from '../task-instance/index.ts';
import { countUpstream, evaluateUpstream, newUpstreamCounts, type UpstreamCounts } from '../trigger-rule/index.ts';
import type { TaskGraph } from './graph.ts';
import { effectiveLeaves, indirectSetups } from './setups.ts';

export interface RunOutcome {
  readonly state: 'running' | 'success' | 'failed';
  /** `task_failure` and `all_tasks_deadlocked` are what callbacks are told. */
  readonly reason: 'unfinished' | 'all_leaves_succeeded' | 'task_failure' | 'all_tasks_deadlocked';
}

const RUNNING: RunOutcome = Object.freeze({ state: 'running', reason: 'unfinished' });
const SUCCESS: RunOutcome = Object.freeze({ state: 'success', reason: 'all_leaves_succeeded' });
const FAILED: RunOutcome = Object.freeze({ state: 'failed', reason: 'task_failure' });
const DEADLOCKED: RunOutcome = Object.freeze({ state: 'failed', reason: 'all_tasks_deadlocked' });

export interface RunTally {
  /** Instances that are in no terminal state. */
  readonly unfinished: number;
  /** Instances of effective leaves that are failed or upstream_failed. */
  readonly failedLeaves: number;
  /** Nothing is open, and nothing unfinished can ever start. Asked for only while something is unfinished. */
  readonly deadlocked: () => boolean;
}

/** The state of a run. Leaves decide: a failed task in the middle does not fail a run. A removed instance counts nowhere. */
export function outcomeOf({ unfinished, failedLeaves, deadlocked }: RunTally): RunOutcome {
  if (unfinished > 0) return deadlocked() ? DEADLOCKED : RUNNING;
  return failedLeaves > 0 ? FAILED : SUCCESS;
}

/** States of a task's instances: one for a task that is not mapped. */
export type StatesOf = (index: number) => readonly TaskState[];

export interface OutcomeOptions {
  /** Tasks that wait for something that the run's own states do not show (a past run, a limit): they are never deadlocked. */
  readonly waitsOutside?: (index: number) => boolean;
}

/** The outcome from all states of a run: the definition that incremental bookkeeping must agree with. */
export function decideRunOutcome(graph: TaskGraph, statesOf: StatesOf, options: OutcomeOptions = {}): RunOutcome {
  let unfinished = 0;
  for (const index of graph.nodes.keys()) for (const state of statesOf(index)) if (!isTerminal(state)) unfinished += 1;
  let failedLeaves = 0;
  for (const index of effectiveLeaves(graph))
    for (const state of statesOf(index)) if (state === 'failed' || state === 'upstream_failed') failedLeaves += 1;
  return outcomeOf({ unfinished, failedLeaves, deadlocked: () => isDeadlocked(graph, statesOf, options) });
}

function isDeadlocked(graph: TaskGraph, statesOf: StatesOf, options: OutcomeOptions): boolean {
  const setups = indirectSetups(graph);
  for (const [index, node] of graph.nodes.entries()) {
    const open = statesOf(index).filter((state) => !isTerminal(state));
    if (open.length === 0) continue;
    if (options.waitsOutside?.(index) === true) return false;
    if (open.some((state) => state === 'deferred' || hasOpenAttempt(state))) return false;
    const verdict = evaluateUpstream({
      rule: node.triggerRule ?? 'all_success',
      direct: countStates(graph, graph.upstream[index]!, statesOf),
      indirectSetups: setups[index]!.length === 0 ? undefined : countStates(graph, setups[index]!, statesOf),
    });
    if (verdict.met || verdict.state !== null) return false;
  }
  return true;
}

/** Counts over all instances of some tasks. */
export function countStates(graph: TaskGraph, indexes: Iterable<number>, statesOf: StatesOf): UpstreamCounts {
  const counts = newUpstreamCounts();
  for (const index of indexes) {
    const isSetup = graph.nodes[index]!.setup === true;
    for (const state of statesOf(index)) {
      counts.total += 1;
      if (isSetup) counts.setupTotal += 1;
      countUpstream(counts, state, isSetup, 1);
    }
  }
  return counts;
}
