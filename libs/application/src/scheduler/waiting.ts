import { attemptId, findInstance, isWatch, pathsOf, type DagRunEvent, type InstanceState } from '@rondo/domain';
import type { ReadyMessage } from '@rondo/contracts';
import type { Position } from '@rondo/ports';
import type { RunActor } from './actors.ts';
import { assignmentOf, refOf, type Effects } from './effects.ts';

/** States the wait of an instance, to whoever answers it. Safe to repeat: a wait is known by its attempt (I1). */
export function stateWait(run: RunActor, inst: InstanceState, position: Position, effects: Effects): void {
  const { waitFor: wait } = inst;
  if (inst.state !== 'deferred' || wait === undefined) return;
  const id = attemptId(refOf(run, inst));
  if (!isWatch(wait)) return;
  run.waits.set(inst, id);
  const deadline = inst.deferral?.deadline;
  const message: ReadyMessage = {
    kind: 'watch',
    watch: {
      id,
      assignment: assignmentOf(run, inst, position),
      wait,
      since: inst.waitingSince ?? 0,
      ...(deadline === undefined ? {} : { deadline }),
    },
  };
  effects.ready.push({ pool: inst.task.def.pool, message });
}

/** Takes back the waits of instances that an event has moved on. */
export function endWaits(run: RunActor, event: DagRunEvent, effects: Effects): void {
  if (run.waits.size === 0) return;
  for (const inst of instancesOf(run, event)) {
    const id = run.waits.get(inst);
    if (id === undefined || (inst.state === 'deferred' && attemptId(refOf(run, inst)) === id)) continue;
    run.waits.delete(inst);
    effects.ready.push({ pool: inst.task.def.pool, message: { kind: 'unwatch', ids: [id] } });
  }
}

function* instancesOf(run: RunActor, { data }: DagRunEvent): Generator<InstanceState> {
  const ranges = 'instances' in data ? data.instances : 'leg' in data ? [data] : [];
  for (const range of ranges)
    for (const path of pathsOf(range)) {
      const inst = findInstance(run.state, range.taskId, path);
      if (inst !== undefined) yield inst;
    }
}
