import {
  findInstance,
  instanceId,
  type AttemptRef,
  type DagRunEvent,
  type DagState,
  type InstanceState,
} from '@rondo/domain';
import type { RunActor } from './actors.ts';
import { demandOf, poolOf } from './demand.ts';
import { refOf, type Effects } from './effects.ts';
import { instancesOf } from './waiting.ts';

/** A pool may count the slots of an instance that is deferred: its gateway is told when that begins anew, and when it ends. */
export function stateDeferral(
  dag: DagState,
  run: RunActor,
  inst: InstanceState,
  effects: Effects,
  isRestated: boolean,
): void {
  if (inst.state !== 'deferred') return;
  const instance = instanceId(refOf(run, inst));
  const { pool, poolSlots } = demandOf(dag, run, inst);
  run.deferrals.set(inst, { instance, pool });
  // Else the gateway knows: it has passed on the report.
  if (isRestated) effects.ready.push({ pool, message: { kind: 'deferred', holds: [{ instance, pool, poolSlots }] } });
}

export function endDeferrals(run: RunActor, event: DagRunEvent, effects: Effects): void {
  if (run.deferrals.size === 0) return;
  for (const inst of instancesOf(run.state, event)) {
    const known = run.deferrals.get(inst);
    if (known === undefined || inst.state === 'deferred') continue;
    run.deferrals.delete(inst);
    effects.ready.push({ pool: known.pool, message: { kind: 'undeferred', instances: [known.instance] } });
  }
}

/** An attempt ended as a deferral, and its instance did not become deferred: it was marked or cleared meanwhile. */
export function endRefused(run: RunActor, attempt: AttemptRef, effects: Effects): void {
  const inst = findInstance(run.state, attempt.taskId, attempt.mapIndex);
  if (inst === undefined || inst.state === 'deferred') return;
  effects.ready.push({ pool: poolOf(inst), message: { kind: 'undeferred', instances: [instanceId(attempt)] } });
}
