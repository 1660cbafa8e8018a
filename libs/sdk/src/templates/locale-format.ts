import { TemplateError } from './errors.ts';

const NAMED = ['short', 'medium', 'long', 'full'] as const;
type Named = (typeof NAMED)[number];

const pad = (n: number, width: number): string => String(n).padStart(width, '0');

type Field = (z: Temporal.ZonedDateTime, length: number, locale: string) => string;

function part(
  z: Temporal.ZonedDateTime,
  locale: string,
  type: Intl.DateTimeFormatPartTypes,
  options: Intl.DateTimeFormatOptions,
): string {
  const format = new Intl.DateTimeFormat(locale, { ...options, timeZone: z.timeZoneId });
  return format.formatToParts(z.epochMilliseconds).find((each) => each.type === type)?.value ?? '';
}

const WIDTHS = ['short', 'long', 'narrow'] as const;
const widthOf = (length: number): (typeof WIDTHS)[number] => WIDTHS[Math.max(0, length - 3)] ?? 'short';

const month =
  (alone: boolean): Field =>
  (z, length, locale) => {
    if (length <= 2) return pad(z.month, length);
    // With a day beside it, a language has the form that stands within a date.
    return part(z, locale, 'month', { month: widthOf(length), ...(alone ? {} : { day: 'numeric' }) });
  };

const weekday: Field = (z, length, locale) => part(z, locale, 'weekday', { weekday: widthOf(Math.max(3, length)) });

const FIELDS: Readonly<Record<string, Field>> = {
  G: (z, length, locale) => part(z, locale, 'era', { era: length <= 3 ? 'short' : 'long' }),
  y: (z, length) => (length === 2 ? pad(z.year % 100, 2) : pad(z.year, length)),
  Y: (z, length) => pad(z.yearOfWeek ?? z.year, length),
  Q: (z, length) => (length <= 2 ? pad(Math.ceil(z.month / 3), length) : `Q${Math.ceil(z.month / 3)}`),
  M: month(false),
  L: month(true),
  w: (z, length) => pad(z.weekOfYear ?? 0, length),
  d: (z, length) => pad(z.day, length),
  D: (z, length) => pad(z.dayOfYear, length),
  E: weekday,
  e: (z, length, locale) => (length <= 2 ? pad(z.dayOfWeek, length) : weekday(z, length, locale)),
  c: (z, length, locale) => (length <= 2 ? pad(z.dayOfWeek, length) : weekday(z, length, locale)),
  a: (z, _length, locale) => part(z, locale, 'dayPeriod', { hour: 'numeric', hourCycle: 'h12' }),
  h: (z, length) => pad(z.hour % 12 === 0 ? 12 : z.hour % 12, length),
  H: (z, length) => pad(z.hour, length),
  K: (z, length) => pad(z.hour % 12, length),
  k: (z, length) => pad(z.hour === 0 ? 24 : z.hour, length),
  m: (z, length) => pad(z.minute, length),
  s: (z, length) => pad(z.second, length),
  S: (z, length) => (pad(z.millisecond, 3) + pad(z.microsecond, 3)).padEnd(length, '0').slice(0, length),
  z: (z, length, locale) => part(z, locale, 'timeZoneName', { timeZoneName: length <= 3 ? 'short' : 'long' }),
  Z: (z) => z.offset.replace(':', ''),
};

/**
 * A moment in the pattern of Unicode's locale data (`EEEE, d MMMM yyyy`; `'…'` is literal), or by a name (`short` to `full`).
 * `locale`: like `de_DE`; default `en_US`.
 */
export function formatInLocale(z: Temporal.ZonedDateTime, pattern: string, locale: string | undefined): string {
  const tag = (locale ?? 'en_US').replaceAll('_', '-');
  if (!isLocale(tag)) throw new TemplateError(`'${String(locale)}' is no locale; it should look like en_US`);
  if ((NAMED as readonly string[]).includes(pattern))
    return new Intl.DateTimeFormat(tag, {
      dateStyle: pattern as Named,
      timeStyle: pattern as Named,
      timeZone: z.timeZoneId,
    }).format(z.epochMilliseconds);
  return pattern.replaceAll(/'((?:[^']|'')*)'|([A-Za-z])\2*/g, (all, quoted: string | undefined, letter?: string) => {
    if (quoted !== undefined) return quoted === '' ? "'" : quoted.replaceAll("''", "'");
    const field = FIELDS[letter!];
    if (field === undefined)
      throw new TemplateError(`'${all}' is not a field of a date; known: ${Object.keys(FIELDS).join(' ')}`);
    return field(z, all.length, tag);
  });
}

function isLocale(tag: string): boolean {
  try {
    return Intl.DateTimeFormat.supportedLocalesOf(tag).length > 0;
  } catch {
    return false;
  }
}
