import { parseInstant, isoInstant, type Interval } from '@rondo/domain';
import { TASK_STATES, type TaskState } from '@rondo/domain';
import { Inexpressible, list, text } from './case.ts';

export function instant(value: unknown, what: string): number {
  const ms = parseInstant(text(value, what));
  if (ms === undefined) throw new Inexpressible(`${what} is '${String(value)}', not an instant`);
  return ms;
}

export function optionalInstant(value: unknown, what: string): number | null {
  return value === null || value === undefined ? null : instant(value, what);
}

export function interval(value: unknown, what: string): Interval {
  const [start, end] = list(value, what);
  return [instant(start, `${what}[0]`), instant(end, `${what}[1]`)];
}

/** `2016-01-01T00:00:00Z`, as conformance files write instants. */
export function zulu(ms: number): string {
  return isoInstant(ms).replace('+00:00', 'Z');
}

export function taskState(value: unknown, what: string): TaskState {
  if (value === null || value === undefined) return 'none';
  const state = TASK_STATES.find((name) => name === value);
  if (state === undefined) throw new Inexpressible(`${what} is '${String(value)}', not a state`);
  return state;
}

/** A state as conformance files write it: no status is null. */
export function stateName(state: TaskState): string | null {
  return state === 'none' ? null : state;
}
