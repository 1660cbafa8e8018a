import type { WorkerEvent } from './events.ts';

type Joined = Extract<WorkerEvent, { type: 'WorkerJoined' }>['data'];
type Left = Extract<WorkerEvent, { type: 'WorkerLeft' }>['data'];

/** What the history says of a worker. */
export interface WorkerStand {
  readonly joined: Joined | undefined;
  /** Of the same boot, after it. */
  readonly left: Left | undefined;
  readonly isDraining: boolean;
  /** How often it has joined: what makes the id of the next event. */
  readonly joins: number;
}

export const UNKNOWN_WORKER: WorkerStand = { joined: undefined, left: undefined, isDraining: false, joins: 0 };

export function evolveWorker(stand: WorkerStand, event: WorkerEvent): WorkerStand {
  switch (event.type) {
    case 'WorkerJoined': {
      const isSame = stand.joined?.boot === event.data.boot;
      const isDraining = isSame && stand.isDraining;
      return { joined: event.data, left: undefined, isDraining, joins: stand.joins + 1 };
    }
    case 'WorkerLeft':
      return stand.joined?.boot === event.data.boot ? { ...stand, left: event.data } : stand;
    case 'WorkerDraining': {
      const { boot } = event.data;
      return boot === undefined || boot === stand.joined?.boot ? { ...stand, isDraining: true } : stand;
    }
    // A later release may say more.
    default:
      event satisfies never;
      return stand;
  }
}

/**
 * Whether a worker may have attempts that whoever takes a partition over has to wait for. One that a gateway has not heard of for a
 * lease may be with others: it is waited for as long as it may still have what they handed it.
 */
export function mayHaveAttempts({ joined, left }: WorkerStand, now: number, leaseMs: number): boolean {
  if (joined === undefined) return false;
  return left === undefined || (!left.isDone && left.at > now - 2 * leaseMs);
}
