/** Time stamps of log lines, as ISO 8601: UTC (`…Z`) where the line names its zone, without a zone where it does not. */

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

export type TimeParts = Readonly<Record<string, string | undefined>>;

const two = (text: string | undefined): string => (text ?? '0').trim().padStart(2, '0');
const monthNumber = (name: string | undefined): string =>
  two(String(MONTHS.indexOf((name ?? '').slice(0, 3).toLowerCase()) + 1));
const fraction = (text: string | undefined): string =>
  text === undefined || text === '' ? '' : `.${text.slice(0, 3).padEnd(3, '0')}`;

function hour24(parts: TimeParts): string {
  if (parts.half === undefined) return two(parts.hour);
  return two(String((Number(parts.hour) % 12) + (/^p/i.test(parts.half) ? 12 : 0)));
}

/**
 * The time that the named groups of a line's pattern stand for: `year` (two or four digits), `month` or `monthName`, `day`,
 * `hour`, `minute`, `second`, `fraction`, `zone`, `half` (AM or PM). Null where there is no date. A line without a year
 * (syslog) is of `defaultYear`.
 */
export function isoTime(parts: TimeParts, defaultYear: number): string | null {
  if (parts.day === undefined) return null;
  const year =
    parts.year === undefined ? String(defaultYear) : parts.year.length === 2 ? `20${parts.year}` : parts.year;
  const month = parts.month === undefined ? monthNumber(parts.monthName) : two(parts.month);
  const clock = `${hour24(parts)}:${two(parts.minute)}:${two(parts.second)}${fraction(parts.fraction)}`;
  const local = `${year}-${month}-${two(parts.day)}T${clock}`;
  if (parts.zone === undefined) return local;
  const zone = parts.zone === 'Z' ? 'Z' : parts.zone.trim().replace(/^([+-]\d\d):?(\d\d)$/, '$1:$2');
  const instant = new Date(local + zone);
  return Number.isNaN(instant.getTime()) ? local : instant.toISOString();
}
