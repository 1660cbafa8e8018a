import { poolWait, type AdmissionStand, type Limit, type LimitScope } from '@rondo/domain';
import type { ReasonView } from '@rondo/contracts';

export interface WorkerPlace {
  readonly executor: string;
  readonly queues: readonly string[];
  readonly slots: number;
  readonly assigned: number;
}

/** Every rule between an order and a worker, from what the admission looks at. */
export function explainAdmission(stand: AdmissionStand, place: WorkerPlace): readonly ReasonView[] {
  const { order, pool, held, isServed, hasExecutor, limits } = stand;
  const reasons: ReasonView[] = limits.map(({ limit, active }) => ({
    rule: LIMITS[limit.scope].rule,
    passed: active < limit.most,
    reason: `${active} of ${limit.most} ${LIMITS[limit.scope].what}`,
  }));
  const wait = poolWait(order.pool, pool, held, order.poolSlots);
  reasons.push({ rule: 'pool', passed: wait === undefined, reason: poolText(stand) });
  reasons.push({
    rule: 'queue',
    passed: isServed,
    reason: isServed
      ? `queue '${order.queue}' is served`
      : `no worker serves queue '${order.queue}'; served: ${place.queues.join(', ') || 'none'}`,
  });
  if (order.executor !== undefined)
    reasons.push({
      rule: 'executor',
      passed: hasExecutor,
      reason: hasExecutor
        ? `there is executor '${order.executor}'`
        : `there is no executor '${order.executor}'; there is: ${place.executor}`,
    });
  reasons.push({
    rule: 'worker_slot',
    passed: place.assigned < place.slots,
    reason: `${place.assigned} attempts are with the workers, which have ${slotsText(place.slots)}`,
  });
  return reasons;
}

const LIMITS: Readonly<Record<LimitScope, { readonly rule: string; readonly what: string }>> = {
  run: { rule: 'max_active_tasks', what: 'active tasks of the run' },
  dag: { rule: 'max_active_tasks_per_dag', what: 'active tasks of the DAG' },
  task: { rule: 'max_active_tis_per_dag', what: 'active instances of the task over all runs' },
  taskOfRun: { rule: 'max_active_tis_per_dagrun', what: 'active instances of the task in the run' },
};

export const ruleOf = ({ scope }: Limit): string => LIMITS[scope].rule;

function poolText({ order, pool, held }: AdmissionStand): string {
  const wait = poolWait(order.pool, pool, held, order.poolSlots);
  const takes = order.poolSlots;
  switch (wait?.kind) {
    case undefined:
      return `pool '${order.pool}' has room: ${held} of ${sizeText(pool?.slots ?? 0)} taken, and it takes ${takes}`;
    case 'noPool':
      return `there is no pool '${wait.pool}': it waits until one is set`;
    case 'poolTooSmall':
      return `it takes ${slotsText(wait.wanted)} and pool '${wait.pool}' has ${wait.slots}: it waits until the pool is made larger`;
    case 'poolFull':
      return `pool '${wait.pool}' is full: ${wait.occupied} of ${slotsText(wait.slots)} taken, and it takes ${wait.wanted}`;
  }
}

const sizeText = (slots: number): string => (slots < 0 ? 'any number of slots' : slotsText(slots));
const slotsText = (n: number): string => (n === 1 ? '1 slot' : `${n} slots`);
