/**
 * Wall time is written as if it were UTC: a number of milliseconds whose UTC fields are the clock's fields in the zone.
 */

const UTC_NAMES = new Set(['UTC', 'Etc/UTC', 'GMT', 'Etc/GMT']);

/** True for a zone that the time zone database knows (`Europe/Zurich`), and for a fixed offset (`+02:00`). */
export function isTimeZone(name: string): boolean {
  if (UTC_NAMES.has(name)) return true;
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name);
    return true;
  } catch {
    return false;
  }
}

/** What a clock in the zone shows at an instant. */
export function toWall(instant: number, zone: string): number {
  if (UTC_NAMES.has(zone)) return instant;
  return (
    instant + Temporal.Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO(zone).offsetNanoseconds / 1_000_000
  );
}

/** The instant at which a clock in the zone shows it: a time that is left out moves forward by the gap, of a time that occurs twice it is the second. */
export function fromWall(wall: number, zone: string): number {
  if (UTC_NAMES.has(zone)) return wall;
  const plain = Temporal.Instant.fromEpochMilliseconds(wall).toZonedDateTimeISO('UTC').toPlainDateTime();
  return plain.toZonedDateTime(zone, { disambiguation: 'later' }).epochMilliseconds;
}
