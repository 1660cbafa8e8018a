import { TASK_DEFAULTS } from '../dag/index.ts';
import type { TaskState } from '../task-instance/index.ts';

/** Slots of a pool without a limit. */
export const INFINITE_SLOTS = -1;

/** Slots that attempts share, over all DAGs. */
export interface Pool {
  readonly name: string;
  /** From 0; -1: as many as are asked for. */
  readonly slots: number;
  readonly description?: string;
  /** Deferred instances hold their slots too. */
  readonly includeDeferred: boolean;
}

/** The pool of tasks that name none, as long as nobody has set it. It cannot be deleted. */
export const DEFAULT_POOL: Pool = { name: TASK_DEFAULTS.pool, slots: 128, includeDeferred: false };

export interface PoolUsage {
  readonly running: number;
  readonly queued: number;
  readonly deferred: number;
  readonly occupied: number;
  /** Negative after the pool has shrunk; infinite without a limit. */
  readonly open: number;
}

/** How many slots of a pool its instances hold, by their states. */
export function poolUsage(
  pool: Pick<Pool, 'slots' | 'includeDeferred'>,
  instances: Iterable<{ readonly state: TaskState; readonly poolSlots: number }>,
): PoolUsage {
  const sums = { running: 0, queued: 0, deferred: 0 };
  for (const { state, poolSlots } of instances)
    if (state === 'running' || state === 'queued' || state === 'deferred') sums[state] += poolSlots;
  const occupied = sums.running + sums.queued + (pool.includeDeferred ? sums.deferred : 0);
  return { ...sums, occupied, open: sizeOf(pool) - occupied };
}

export const sizeOf = ({ slots }: Pick<Pool, 'slots'>): number => (slots === INFINITE_SLOTS ? Infinity : slots);

/** Why a pool does not take an attempt now; the first two never pass by themselves. */
export type PoolWait =
  | { readonly kind: 'noPool'; readonly pool: string }
  | { readonly kind: 'poolTooSmall'; readonly pool: string; readonly slots: number; readonly wanted: number }
  | {
      readonly kind: 'poolFull';
      readonly pool: string;
      readonly slots: number;
      readonly occupied: number;
      readonly wanted: number;
    };

/** Undefined: the pool takes it. */
export function poolWait(
  name: string,
  pool: Pick<Pool, 'slots'> | undefined,
  occupied: number,
  wanted: number,
): PoolWait | undefined {
  if (pool === undefined) return { kind: 'noPool', pool: name };
  const size = sizeOf(pool);
  if (wanted > size) return { kind: 'poolTooSmall', pool: name, slots: size, wanted };
  if (wanted > size - occupied) return { kind: 'poolFull', pool: name, slots: size, occupied, wanted };
  return undefined;
}
