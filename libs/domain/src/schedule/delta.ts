import { err, ok, parseDuration, type DurationParts, type Result } from '@rondo/kernel';

/** A length of time with months and years in it, which have no length of their own: `{ months: 1 }`. */
export interface CalendarDelta extends DurationParts {
  readonly years?: number;
  readonly months?: number;
}

/** How far one run lies from the next: months of the UTC calendar first, then milliseconds. */
export interface Delta {
  readonly deltaMs: number;
  /** Default 0. */
  readonly months?: number;
}

/** Refuses what is no length, or has a part below zero; a length of zero is for the caller to refuse. */
export function parseDelta(input: unknown): Result<Delta> {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return fixed(input);
  const { years = 0, months = 0, ...rest } = input as CalendarDelta;
  for (const [name, value] of Object.entries({ years, months }))
    if (!Number.isInteger(value) || value < 0)
      return err(`{ ${name}: ${JSON.stringify(value)} } is not a duration: ${name} are a whole number from 0`);
  const delta = Object.keys(rest).length === 0 ? ok({ deltaMs: 0 }) : fixed(rest);
  const all = years * 12 + months;
  return !delta.ok || all === 0 ? delta : ok({ ...delta.value, months: all });
}

function fixed(input: unknown): Result<Delta> {
  const ms = parseDuration(input);
  return ms.ok ? ok({ deltaMs: ms.value }) : ms;
}

export const isPositive = ({ deltaMs, months = 0 }: Delta): boolean =>
  Number.isFinite(deltaMs) && deltaMs >= 0 && Number.isInteger(months) && months >= 0 && deltaMs + months > 0;

/** The instant so many deltas later, before if `times` is negative. A day that the month lacks is the month's last. */
export function addDelta(instant: number, { deltaMs, months = 0 }: Delta, times = 1): number {
  return addMonths(instant, months * times) + deltaMs * times;
}

function addMonths(instant: number, months: number): number {
  if (months === 0) return instant;
  const date = new Date(instant);
  const day = date.getUTCDate();
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() + months);
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  date.setUTCDate(Math.min(day, last));
  return date.getTime();
}

const MONTH_MS = 30.436875 * 86_400_000;

/** How many whole deltas lie between the anchor and the instant, which may be before it. */
export function deltasSince(anchor: number, instant: number, delta: Delta): number {
  let times = Math.floor((instant - anchor) / (delta.deltaMs + (delta.months ?? 0) * MONTH_MS));
  while (addDelta(anchor, delta, times) > instant) times--;
  while (addDelta(anchor, delta, times + 1) <= instant) times++;
  return times;
}
