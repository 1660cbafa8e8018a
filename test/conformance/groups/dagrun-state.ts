import type { DagRunEvent } from '@rondo/domain';
import { byPart, fields, type Case, type Finding } from '../case.ts';
import { readDag } from '../dag.ts';
import { Play } from '../play.ts';
import { taskState } from '../values.ts';

export function dagrunState({ input, expected }: Case): Finding {
  const play = new Play(readDag(input['dag']));
  for (const [id, state] of Object.entries(fields(input['states'] ?? {}, 'states'))) play.put(id, taskState(state, id));
  const leaves = play.run.tasks.filter((task) => task.plan.leaf).map((task) => task.plan.def.taskId);
  const events = play.decide();
  return byPart(expected, {
    run_state: () => (changes(events) ? 'running' : play.run.state),
    state: () => (changes(events) ? 'running' : play.run.state),
    reason: () => play.run.reason,
    tasks_deciding_run_state: (wanted) => inOrderOf(wanted, leaves),
  });
}

/**
 * A case judges the run once, on the states that it gives: whatever a rule writes or lets start then, the run still runs.
 * The decider goes on until nothing changes, and may end the run in the same decision.
 */
function changes(events: readonly DagRunEvent[]): boolean {
  return events.some(({ type }) => type !== 'RunSucceeded' && type !== 'RunFailed');
}

/** Sets compare in any order. */
export function inOrderOf(wanted: unknown, got: readonly string[]): readonly string[] {
  const order = Array.isArray(wanted) ? wanted.map(String) : [];
  return got.toSorted((a, b) => order.indexOf(a) - order.indexOf(b));
}
