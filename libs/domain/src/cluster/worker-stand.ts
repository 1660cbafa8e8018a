import type { WorkerEvent } from './events.ts';

type Joined = Extract<WorkerEvent, { type: 'WorkerJoined' }>['data'];
type Left = Extract<WorkerEvent, { type: 'WorkerLeft' }>['data'];

/** What the history says of a worker. */
export interface WorkerStand {
  readonly joined: Joined | undefined;
  /** Of the same boot, after it. */
  readonly left: Left | undefined;
  /** When that boot was first told to take nothing new; epoch milliseconds. */
  readonly drainingSince: number | undefined;
  /** How often it has joined: what makes the id of the next event. */
  readonly joins: number;
}

export const UNKNOWN_WORKER: WorkerStand = { joined: undefined, left: undefined, drainingSince: undefined, joins: 0 };

export const WORKER_STATES = ['active', 'draining', 'lost', 'left'] as const;
/** `lost`: a gateway has heard nothing of it for the lease, and it has not come back since. */
export type WorkerState = (typeof WORKER_STATES)[number];

export function evolveWorker(stand: WorkerStand, event: WorkerEvent): WorkerStand {
  switch (event.type) {
    case 'WorkerJoined': {
      const isSame = stand.joined?.boot === event.data.boot;
      const drainingSince = isSame ? stand.drainingSince : undefined;
      return { joined: event.data, left: undefined, drainingSince, joins: stand.joins + 1 };
    }
    case 'WorkerLeft':
      return stand.joined?.boot === event.data.boot ? { ...stand, left: event.data } : stand;
    case 'WorkerDraining': {
      const { boot, at } = event.data;
      if (boot !== undefined && boot !== stand.joined?.boot) return stand;
      return { ...stand, drainingSince: stand.drainingSince ?? at };
    }
    // A later release may say more.
    default:
      event satisfies never;
      return stand;
  }
}

/** Undefined: it has never joined. */
export function workerStateOf({ joined, left, drainingSince }: WorkerStand): WorkerState | undefined {
  if (joined === undefined) return undefined;
  if (left !== undefined) return left.isDone ? 'left' : 'lost';
  return drainingSince === undefined ? 'active' : 'draining';
}

/**
 * Whether a worker may have attempts that whoever takes a partition over has to wait for. One that a gateway has not heard of for a
 * lease may be with others: it is waited for as long as it may still have what they handed it.
 */
export function mayHaveAttempts({ joined, left }: WorkerStand, now: number, leaseMs: number): boolean {
  if (joined === undefined) return false;
  return left === undefined || (!left.isDone && left.at > now - 2 * leaseMs);
}
