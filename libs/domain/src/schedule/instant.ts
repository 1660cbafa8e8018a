/** `2016-01-01T00:00:00+00:00`; with milliseconds `2016-01-01T00:00:00.250000+00:00`. The separator is `T` unless given. */
export function isoInstant(ms: number, separator = 'T'): string {
  const text = new Date(ms).toISOString();
  const fraction = text.endsWith('.000Z') ? '' : `${text.slice(-5, -1).padEnd(4, '0')}000`;
  return `${text.slice(0, text.length - 14)}${separator}${text.slice(-13, -5)}${fraction}+00:00`;
}
