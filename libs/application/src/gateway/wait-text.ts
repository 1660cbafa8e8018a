import type { AdmissionWait } from '@rondo/domain';
import { assertNever } from '@rondo/kernel';

export interface WorkerPlace {
  readonly executor: string;
  readonly queues: readonly string[];
  readonly slots: number;
  readonly assigned: number;
}

/** What an attempt's admission waits for, in words. */
export function waitText(wait: AdmissionWait, place: WorkerPlace): string {
  switch (wait.kind) {
    case 'noPool':
      return `there is no pool '${wait.pool}': it waits until one is set`;
    case 'poolTooSmall':
      return `it takes ${slotsText(wait.wanted)} and pool '${wait.pool}' has ${wait.slots}: it waits until the pool is made larger`;
    case 'poolFull':
      return `pool '${wait.pool}' is full: ${wait.occupied} of ${slotsText(wait.slots)} taken, and it takes ${wait.wanted}`;
    case 'queue':
      return `no worker serves queue '${wait.queue}'; served: ${place.queues.join(', ') || 'none'}`;
    case 'executor':
      return `there is no executor '${wait.executor}'; there is: ${place.executor}`;
    case 'slot':
      return `waits for a free worker slot: ${place.assigned} attempts are with the workers, which have ${slotsText(place.slots)}`;
    default:
      return assertNever(wait, 'wait');
  }
}

const slotsText = (n: number): string => (n === 1 ? '1 slot' : `${n} slots`);
