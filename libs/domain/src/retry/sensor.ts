import { isoInstant } from '../schedule/instant.ts';
import { sha1Mod } from './sha1.ts';

export const SENSOR_DEFAULTS = { pokeIntervalMs: 60_000, timeoutMs: 604_800_000 } as const;

export interface PokePolicy {
  readonly pokeIntervalMs: number;
  /** From the first poke on. */
  readonly timeoutMs: number;
  readonly exponentialBackoff: boolean;
  readonly maxWaitMs?: number;
}

export interface PokeKey {
  readonly dagId: string;
  readonly taskId: string;
  /** Epoch milliseconds of the first poke. */
  readonly startedAt: number;
}

/** Milliseconds until the next poke, after poke number `pokeCount` (from 1), `elapsedMs` after the first. */
export function pokeIntervalMs(policy: PokePolicy, key: PokeKey, pokeCount: number, elapsedMs: number): number {
  if (!policy.exponentialBackoff) return policy.pokeIntervalMs;
  const seconds = spreadSeconds(policy, key, pokeCount);
  const left = policy.timeoutMs - Math.floor(elapsedMs / 1_000) * 1_000;
  const interval = Math.min(left, seconds * 1_000);
  return policy.maxWaitMs === undefined || policy.maxWaitMs <= 0 ? interval : Math.min(interval, policy.maxWaitMs);
}

/** The poke number that a rescheduled sensor is at: its intervals are replayed until they exceed the time elapsed. */
export function pokeCountAfter(policy: PokePolicy, key: PokeKey, elapsedMs: number): number {
  let count = 0;
  for (let total = 0; total <= elapsedMs; total += spreadSeconds(policy, key, count) * 1_000) count += 1;
  return count;
}

/** Whole seconds in [base, 2·base − 1]; beyond the timeout the spread says nothing any more. */
function spreadSeconds(policy: PokePolicy, key: PokeKey, pokeCount: number): number {
  const base = Math.max(Math.trunc((policy.pokeIntervalMs / 1_000) * 2 ** (pokeCount - 2)), 1);
  if (base * 1_000 >= policy.timeoutMs) return base;
  return base + sha1Mod(`${key.dagId}#${key.taskId}#${isoInstant(key.startedAt, ' ')}#${pokeCount}`, base);
}
