import { dueOf } from '../task-instance/index.ts';
import type { DagRunEvent } from './events.ts';
import type { DagRunState, Deferral, InstanceState } from './state.ts';

type DataOf<Type extends DagRunEvent['type']> = Extract<DagRunEvent, { type: Type }>['data'];

/** The instance begins to wait: when it is to be looked at stands in the run's wake queue. */
export function foldDeferred(run: DagRunState, inst: InstanceState, event: DataOf<'TaskDeferred'>): void {
  const { waitFor, resume, deadline, onTimeout, onFailed } = event;
  inst.waitFor = waitFor;
  inst.deferral = defined({ resume, deadline, onTimeout, onFailed, consumed: inst.deferral?.consumed });
  inst.waitingSince = event.at;
  inst.wakeAt = dueOf(waitFor, deadline);
  if (inst.wakeAt !== undefined) run.wake.push(inst, inst.wakeAt);
}

/** The end of the wait follows; where it is not written, the run is looked at for it. */
export function foldResponse(run: DagRunState, inst: InstanceState, event: DataOf<'ApprovalResponded'>): void {
  inst.deferral = { ...inst.deferral, response: event.response };
  inst.wakeAt = event.at;
  run.wake.push(inst, inst.wakeAt);
}

export function foldResumed(inst: InstanceState, { payload, consumed }: DataOf<'TaskResumed'>): void {
  const { resume, deadline, consumed: before } = inst.deferral ?? {};
  inst.sameTry = true;
  inst.wakeAt = undefined;
  inst.waitFor = undefined;
  inst.deferral = defined({ resume, deadline, payload, consumed: consumed ?? before });
}

/** The body begins anew: only the deadline, and what was consumed, hold on. */
export function foldRescheduled(inst: InstanceState, { until }: DataOf<'TaskRescheduled'>): void {
  const { deadline, consumed } = inst.deferral ?? {};
  inst.reschedules++;
  inst.sameTry = true;
  inst.wakeAt = until;
  inst.deferral = defined({ deadline, consumed });
}

function defined(deferral: { readonly [K in keyof Deferral]: Deferral[K] | undefined }): Deferral | undefined {
  const entries = Object.entries(deferral).filter(([, value]) => value !== undefined);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
