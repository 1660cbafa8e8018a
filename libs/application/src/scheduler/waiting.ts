import {
  attemptId,
  findInstance,
  isWatch,
  pathsOf,
  type DagRunEvent,
  type DagRunState,
  type InstanceState,
  type WatchWait,
} from '@rondo/domain';
import type { ReadyMessage } from '@rondo/contracts';
import type { Position } from '@rondo/ports';
import type { RunActor } from './actors.ts';
import { assignmentOf, refOf, triggerOf, type Effects } from './effects.ts';

/** States the wait of an instance, to whoever answers it. Safe to repeat: a wait is known by its attempt (I1). */
export function stateWait(run: RunActor, inst: InstanceState, position: Position, effects: Effects): void {
  const { waitFor: wait } = inst;
  if (inst.state !== 'deferred' || wait === undefined) return;
  if (wait.kind === 'dagRun') {
    effects.inbox.push(triggerOf(run, inst, wait));
    return;
  }
  const id = attemptId(refOf(run, inst));
  const watched = isWatch(wait);
  run.waits.set(inst, { id, watched });
  if (watched) effects.ready.push({ pool: inst.task.def.pool, message: watchOf(run, inst, wait, position) });
  else effects.waits.push({ id, wait, since: inst.waitingSince ?? 0, consumed: inst.deferral?.consumed ?? 0 });
}

function watchOf(run: RunActor, inst: InstanceState, wait: WatchWait, position: Position): ReadyMessage {
  const assignment = assignmentOf(run, inst, position);
  const deadline = inst.deferral?.deadline;
  return {
    kind: 'watch',
    watch: {
      id: assignment.id,
      assignment,
      wait,
      since: inst.waitingSince ?? 0,
      ...(deadline === undefined ? {} : { deadline }),
    },
  };
}

/** Takes back the waits of instances that an event has moved on. */
export function endWaits(run: RunActor, event: DagRunEvent, effects: Effects): void {
  if (run.waits.size === 0) return;
  for (const inst of instancesOf(run.state, event)) {
    const wait = run.waits.get(inst);
    if (wait === undefined || (inst.state === 'deferred' && attemptId(refOf(run, inst)) === wait.id)) continue;
    run.waits.delete(inst);
    if (wait.watched) effects.ready.push({ pool: inst.task.def.pool, message: { kind: 'unwatch', ids: [wait.id] } });
    else effects.waits.push({ ended: wait.id });
  }
}

/** The instances that an event names. */
export function* instancesOf(run: DagRunState, { data }: DagRunEvent): Generator<InstanceState> {
  const ranges = 'instances' in data ? data.instances : 'leg' in data ? [data] : [];
  for (const range of ranges)
    for (const path of pathsOf(range)) {
      const inst = findInstance(run, range.taskId, path);
      if (inst !== undefined) yield inst;
    }
}
