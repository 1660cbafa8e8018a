import { TemplateError } from './errors.ts';

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const DAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];

const pad = (n: number, width = 2, fill = '0'): string => String(n).padStart(width, fill);

/** Weeks that begin on the given weekday (1 Monday … 7 Sunday); days before the first are week 0. */
function weekOfYear(z: Temporal.ZonedDateTime, firstDay: number): number {
  const sinceStart = (z.dayOfWeek - firstDay + 7) % 7;
  return Math.floor((z.dayOfYear + 6 - sinceStart) / 7);
}

function offsetDigits(z: Temporal.ZonedDateTime): string {
  return z.offset.replaceAll(':', '');
}

const FORMAT: Readonly<Record<string, (z: Temporal.ZonedDateTime) => string>> = {
  Y: (z) => pad(z.year, 4),
  y: (z) => pad(z.year % 100),
  C: (z) => pad(Math.floor(z.year / 100)),
  m: (z) => pad(z.month),
  d: (z) => pad(z.day),
  e: (z) => pad(z.day, 2, ' '),
  H: (z) => pad(z.hour),
  I: (z) => pad(z.hour % 12 === 0 ? 12 : z.hour % 12),
  M: (z) => pad(z.minute),
  S: (z) => pad(z.second),
  f: (z) => pad(z.millisecond, 3) + pad(z.microsecond, 3),
  p: (z) => (z.hour < 12 ? 'AM' : 'PM'),
  j: (z) => pad(z.dayOfYear, 3),
  a: (z) => DAYS[z.dayOfWeek - 1]!.slice(0, 3),
  A: (z) => DAYS[z.dayOfWeek - 1]!,
  b: (z) => MONTHS[z.month - 1]!.slice(0, 3),
  h: (z) => MONTHS[z.month - 1]!.slice(0, 3),
  B: (z) => MONTHS[z.month - 1]!,
  u: (z) => String(z.dayOfWeek),
  w: (z) => String(z.dayOfWeek % 7),
  V: (z) => pad(z.weekOfYear ?? 0),
  G: (z) => pad(z.yearOfWeek ?? z.year, 4),
  U: (z) => pad(weekOfYear(z, 7)),
  W: (z) => pad(weekOfYear(z, 1)),
  z: offsetDigits,
  Z: (z) =>
    z.timeZoneId === 'UTC'
      ? 'UTC'
      : (new Intl.DateTimeFormat('en', { timeZone: z.timeZoneId, timeZoneName: 'short' })
          .formatToParts(z.epochMilliseconds)
          .find((p) => p.type === 'timeZoneName')?.value ?? z.offset),
  s: (z) => String(Math.floor(z.epochMilliseconds / 1000)),
  D: (z) => strftime(z, '%m/%d/%y'),
  F: (z) => strftime(z, '%Y-%m-%d'),
  T: (z) => strftime(z, '%H:%M:%S'),
  X: (z) => strftime(z, '%H:%M:%S'),
  R: (z) => strftime(z, '%H:%M'),
  x: (z) => strftime(z, '%m/%d/%y'),
  c: (z) => strftime(z, '%a %b %e %H:%M:%S %Y'),
  n: () => '\n',
  t: () => '\t',
  '%': () => '%',
};

/** Formats with C's codes, as Python does; `%-d` leaves the padding out. */
export function strftime(z: Temporal.ZonedDateTime, format: string): string {
  return format.replaceAll(/%(-?)([A-Za-z%])/g, (code, bare: string, letter: string) => {
    const part = FORMAT[letter];
    if (part === undefined)
      throw new TemplateError(
        `'${code}' is not a date code; known: ${Object.keys(FORMAT)
          .map((l) => `%${l}`)
          .join(' ')}`,
      );
    return bare === '' ? part(z) : part(z).replace(/^[0 ]+(?=.)/, '');
  });
}

const PARSE: Readonly<Record<string, string>> = {
  Y: String.raw`\d{4}`,
  y: String.raw`\d{2}`,
  m: String.raw`1[0-2]|0?[1-9]`,
  d: String.raw`3[01]|[12]\d|0?[1-9]`,
  H: String.raw`2[0-3]|[01]?\d`,
  I: '1[0-2]|0?[1-9]',
  M: String.raw`[0-5]?\d`,
  S: String.raw`6[01]|[0-5]?\d`,
  f: String.raw`\d{1,6}`,
  j: String.raw`\d{1,3}`,
  p: '[AaPp][Mm]',
  b: MONTHS.map((m) => m.slice(0, 3)).join('|'),
  B: MONTHS.join('|'),
  a: DAYS.map((d) => d.slice(0, 3)).join('|'),
  A: DAYS.join('|'),
  z: String.raw`Z|[+-]\d{2}:?\d{2}`,
  Z: '[A-Za-z]{1,5}',
};
const EXPAND: Readonly<Record<string, string>> = {
  '%F': '%Y-%m-%d',
  '%T': '%H:%M:%S',
  '%D': '%m/%d/%y',
  '%R': '%H:%M',
};

/** Reads a text by C's codes. Without an offset in it, the time is UTC. */
export function strptime(text: string, format: string): Temporal.ZonedDateTime {
  const letters: string[] = [];
  const pattern = format
    .replaceAll(/%[FTDR]/g, (code) => EXPAND[code]!)
    .replaceAll(/%([A-Za-z%])|[.*+?^${}()|[\]\\]|\s+/g, (token, letter: string | undefined) => {
      if (letter === undefined) return token.trim() === '' ? String.raw`\s+` : `\\${token}`;
      if (letter === '%') return '%';
      const part = PARSE[letter];
      if (part === undefined)
        throw new TemplateError(
          `'${token}' cannot be read from a text; codes: ${Object.keys(PARSE)
            .map((l) => `%${l}`)
            .join(' ')}`,
        );
      letters.push(letter);
      return `(${part})`;
    });
  const match = new RegExp(`^${pattern}$`, 'i').exec(text);
  if (match === null) throw new TemplateError(`'${text}' does not match the format '${format}'`);
  return assemble(Object.fromEntries(letters.map((letter, i) => [letter, match[i + 1]!])), text);
}

function assemble(part: Readonly<Record<string, string>>, text: string): Temporal.ZonedDateTime {
  const monthName = (part['B'] ?? part['b'])?.slice(0, 3).toLowerCase();
  const month =
    monthName === undefined
      ? Number(part['m'] ?? 1)
      : MONTHS.findIndex((m) => m.slice(0, 3).toLowerCase() === monthName) + 1;
  const short = Number(part['y'] ?? 0);
  const year =
    part['Y'] === undefined ? (part['y'] === undefined ? 1900 : short + (short < 69 ? 2000 : 1900)) : Number(part['Y']);
  const half = part['p']?.toLowerCase();
  const hour = part['I'] === undefined ? Number(part['H'] ?? 0) : (Number(part['I']) % 12) + (half === 'pm' ? 12 : 0);
  const micros = Number((part['f'] ?? '').padEnd(6, '0'));
  const zone =
    part['z'] === undefined || /^z$/i.test(part['z']) ? 'UTC' : part['z'].replace(/^([+-]\d{2}):?(\d{2})$/, '$1:$2');
  try {
    const date = Temporal.ZonedDateTime.from(
      {
        timeZone: zone,
        year,
        month,
        day: Number(part['d'] ?? 1),
        hour,
        minute: Number(part['M'] ?? 0),
        second: Number(part['S'] ?? 0),
        millisecond: Math.floor(micros / 1000),
        microsecond: micros % 1000,
      },
      { overflow: 'reject' },
    );
    return part['j'] === undefined ? date : date.with({ month: 1, day: 1 }).add({ days: Number(part['j']) - 1 });
  } catch (error) {
    throw new TemplateError(`'${text}' is not a date: ${error instanceof Error ? error.message : String(error)}`);
  }
}
