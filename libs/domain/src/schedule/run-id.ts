import { err, ok, type Result } from '@rondo/kernel';
import type { RunType } from '../dag/events.ts';
import { isoInstant } from './instant.ts';

const USER_RUN_ID = /^[A-Za-z0-9_.~:+-]+$/;
const MAX_RUN_ID = 250;

/**
 * `scheduled__2016-01-01T00:00:00+00:00`, with `_{suffix}` where the instant alone does not tell runs apart. Of a partition
 * `asset_triggered__2016-01-01T00:00:00+00:00__{key}__{suffix}`.
 */
export function runIdFor(type: RunType, runAfter: number, suffix?: string, partitionKey?: string): string {
  const id = `${type}__${isoInstant(runAfter)}`;
  if (partitionKey !== undefined) return `${id}__${partitionKey}__${suffix ?? ''}`;
  return suffix === undefined || suffix === '' ? id : `${id}_${suffix}`;
}

/** A run id that a user chose: letters, digits and `_ . ~ : + -`, 1 to 250 of them. */
export function validateRunId(id: string): Result<string> {
  if (USER_RUN_ID.test(id) && id.length <= MAX_RUN_ID) return ok(id);
  return err(`run id ${JSON.stringify(id)} is not acceptable: 1 to ${MAX_RUN_ID} letters, digits and _ . ~ : + -`);
}
