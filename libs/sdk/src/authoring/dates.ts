import { err, ok, type Result } from '@rondo/kernel';
import { show } from './error.ts';

/** ISO text (`'2024-01-01'`, `'2024-01-01T06:00'`, `'2024-01-01T06:00+02:00'`), a Date, or a Temporal value. */
export type DateInput =
  | string
  | Date
  | Temporal.Instant
  | Temporal.ZonedDateTime
  | Temporal.PlainDateTime
  | Temporal.PlainDate;

const allowed = "ISO text such as '2024-01-01' or '2024-01-01T06:00+02:00', a Date of a literal, or a Temporal value";

/** Epoch milliseconds; what has no offset is a time on the clocks of the zone. */
export function parseDate(input: unknown, timezone: string): Result<number> {
  try {
    if (input instanceof Temporal.Instant || input instanceof Temporal.ZonedDateTime)
      return ok(input.epochMilliseconds);
    if (input instanceof Temporal.PlainDateTime) return ok(input.toZonedDateTime(timezone).epochMilliseconds);
    if (input instanceof Temporal.PlainDate) return ok(input.toZonedDateTime(timezone).epochMilliseconds);
    if (isDate(input)) {
      const ms = input.getTime();
      return Number.isNaN(ms) ? err(`an invalid Date; allowed: ${allowed}`) : ok(ms);
    }
    if (typeof input === 'string') return ok(parseText(input.trim(), timezone));
  } catch {
    // Falls through to the one refusal below: Temporal's own texts do not say what is allowed.
  }
  return err(`${show(input)}; allowed: ${allowed}`);
}

function isDate(input: unknown): input is Date {
  return Object.prototype.toString.call(input) === '[object Date]';
}

function parseText(text: string, timezone: string): number {
  const iso = text.replace(/^(\d{4}-\d{2}-\d{2}) (?=\d)/, '$1T');
  if (/T.*(?:Z|[+-]\d{2}:?\d{2})$/i.test(iso)) return Temporal.Instant.from(iso).epochMilliseconds;
  if (iso.includes('[')) return Temporal.ZonedDateTime.from(iso).epochMilliseconds;
  return Temporal.PlainDateTime.from(iso).toZonedDateTime(timezone).epochMilliseconds;
}
