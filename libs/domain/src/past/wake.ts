import type { DagRunEvent } from '../dag-run/events.ts';
import { look, type DagRunState } from '../dag-run/state.ts';

/** Tasks of which these events may have made every instance a success or skipped. */
export function tasksThatPassed(events: readonly DagRunEvent[]): ReadonlySet<string> {
  const passed = new Set<string>();
  for (const event of events) {
    if (event.type === 'TaskSucceeded') passed.add(event.data.taskId);
    else if (event.type === 'TaskSkipped' || (event.type === 'TaskMarked' && event.data.state !== 'failed'))
      for (const range of event.data.instances) passed.add(range.taskId);
  }
  return passed;
}

/**
 * Puts instances that wait for their past on the list of those to look at: all of them, or those whose past is one of these
 * tasks of the previous run. Work proportional to what waits and to what passed. True when there is anything to look at.
 */
export function wakeForPast(run: DagRunState, passed: ReadonlySet<string> | 'all'): boolean {
  const before = run.dirty.size;
  if (passed === 'all') for (const index of run.past.tasks()) wake(run, index);
  else
    for (const taskId of passed) {
      const index = run.plan.indexOf.get(taskId);
      if (index === undefined) continue;
      wake(run, index);
      for (const up of run.plan.tasks[index]!.upstream) if (run.plan.tasks[up]!.def.waitForDownstream) wake(run, up);
    }
  return run.dirty.size > before;
}

function wake(run: DagRunState, index: number): void {
  for (const inst of run.past.of(index)) look(run, inst);
}
