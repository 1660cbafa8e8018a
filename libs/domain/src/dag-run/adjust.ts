import { ok, type Result } from '@rondo/kernel';
import type { InstanceRange } from '../task-instance/index.ts';
import { isDone, rangesFor } from './advance.ts';
import { selectNamed, type Selection } from './control.ts';
import type { Decision } from './decision.ts';
import type { InstanceState } from './state.ts';

/** What people set about the instances of a run while it goes on. Each answers what it changed; a repeat changes nothing. */

const NONE: readonly InstanceRange[] = [];

/** A held instance is not published until it is released. One that runs goes on; one that has ended cannot be held. */
export function decideHold(d: Decision, selection: Selection, held: boolean): Result<readonly InstanceRange[]> {
  return change(
    d,
    selection,
    (inst) => inst.onHold !== held && !(held && isDone(inst)),
    (data) => d.emit({ type: held ? 'TaskHeld' : 'TaskReleased', data }),
  );
}

/** `null` gives back the priority that the DAG says. */
export function decidePriority(
  d: Decision,
  selection: Selection,
  priority: number | null,
): Result<readonly InstanceRange[]> {
  return change(
    d,
    selection,
    (inst) => inst.priority !== (priority ?? undefined),
    (data) => d.emit({ type: 'TaskReprioritised', data: { ...data, priority } }),
  );
}

/** How often an instance is tried again after a failure. One that has failed for good stays as it is until it is cleared. */
export function decideRetries(d: Decision, selection: Selection, retries: number): Result<readonly InstanceRange[]> {
  return change(
    d,
    selection,
    (inst) => (inst.retries ?? inst.task.def.retries) !== retries,
    (data) => d.emit({ type: 'TaskRetriesSet', data: { ...data, retries } }),
  );
}

/** An empty note takes it away. */
export function decideNote(
  d: Decision,
  selection: Selection,
  note: string,
  by: string,
): Result<readonly InstanceRange[]> {
  return change(
    d,
    selection,
    () => true,
    (data) => d.emit({ type: 'TaskNoted', data: { ...data, note, by } }),
  );
}

function change(
  d: Decision,
  selection: Selection,
  changes: (inst: InstanceState) => boolean,
  emit: (data: { readonly at: number; readonly instances: readonly InstanceRange[] }) => void,
): Result<readonly InstanceRange[]> {
  const chosen = selectNamed(d.run, selection);
  if (!chosen.ok) return chosen;
  const instances = rangesFor(chosen.value.filter(changes));
  if (instances.length === 0) return ok(NONE);
  emit({ at: d.now, instances });
  return ok(instances);
}
