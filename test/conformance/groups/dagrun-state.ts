import { decideRunOutcome, effectiveLeaves, taskIds } from '@rondo/domain';
import { byPart, type Case, type Fields, type Finding } from '../case.ts';
import { readDag, readStates } from '../dag.ts';

export function dagrunState({ input, expected }: Case): Finding {
  const { graph, tasks } = readDag(input['dag']);
  const statesOf = readStates(graph, input['states']);
  const outcome = decideRunOutcome(graph, statesOf, { waitsOutside: (index) => waitsOutside(tasks[index]!) });
  return byPart(expected, {
    run_state: () => outcome.state,
    state: () => outcome.state,
    reason: () => outcome.reason,
    tasks_deciding_run_state: (wanted) => inOrderOf(wanted, taskIds(graph, effectiveLeaves(graph))),
  });
}

function waitsOutside(task: Fields): boolean {
  return (
    task['depends_on_past'] === true ||
    task['wait_for_downstream'] === true ||
    typeof task['max_active_tis_per_dag'] === 'number' ||
    typeof task['max_active_tis_per_dagrun'] === 'number'
  );
}

/** Sets compare in any order. */
export function inOrderOf(wanted: unknown, got: readonly string[]): readonly string[] {
  const order = Array.isArray(wanted) ? wanted.map(String) : [];
  return got.toSorted((a, b) => order.indexOf(a) - order.indexOf(b));
}
