import { randomUUID } from 'node:crypto';
import { DateTime, TimeDelta } from './datetime.ts';
import { TemplateError } from './errors.ts';
import { strptime } from './strftime.ts';
import { bind, isMoment, isText, splitArgs, str, typeName } from './values.ts';

/** Adds days (negative: takes away) to a date text such as `2015-01-01`. */
export function dsAdd(ds: string, days: number): string {
  return date(ds).plus(TimeDelta.of({ days })).strftime('%Y-%m-%d');
}

/** Reads a text in one format and writes it in another; formats are C's codes. */
export function dsFormat(ds: string, inputFormat: string, outputFormat: string): string {
  return new DateTime(strptime(ds, inputFormat)).strftime(outputFormat);
}

const NEARLY: readonly (readonly [
  unit: string,
  of: (d: Temporal.Duration) => number,
  next?: (d: Temporal.Duration) => boolean,
])[] = [
  ['year', (d) => d.years],
  ['month', (d) => d.months, (d) => d.weeks * 7 + d.days >= 27],
  ['week', (d) => d.weeks, (d) => d.days > 3],
  ['day', (d) => d.days, (d) => d.hours >= 22],
  ['hour', (d) => d.hours],
  ['minute', (d) => d.minutes],
  ['second', (d) => (d.seconds > 10 ? d.seconds : 0)],
];

/** `'1 day before'`, `'2 weeks after'`; against the present moment (no `since`) `'… ago'` and `'in …'`. */
export function datetimeDiffForHumans(
  moment: DateTime | Date | string,
  since?: DateTime | Date | string | null,
): string {
  const from = toDateTime(moment);
  const relative = since === undefined || since === null;
  const to = relative ? DateTime.from(Date.now()) : toDateTime(since);
  const past = from.ms < to.ms;
  const [early, late] = past ? [from, to] : [to, from];
  const gap = early.zoned
    .withTimeZone('UTC')
    .until(late.zoned.withTimeZone('UTC'), { largestUnit: 'years', smallestUnit: 'seconds' });
  const words = describe(splitWeeks(gap));
  if (relative) return past ? `${words} ago` : `in ${words}`;
  return `${words} ${past ? 'before' : 'after'}`;
}

function splitWeeks(d: Temporal.Duration): Temporal.Duration {
  return d.with({ weeks: Math.floor(d.days / 7), days: d.days % 7, milliseconds: 0, microseconds: 0, nanoseconds: 0 });
}

function describe(d: Temporal.Duration): string {
  if (d.years === 0 && d.months === 11 && d.weeks * 7 + d.days > 15) return '1 year';
  for (const [unit, of, roundsUp] of NEARLY) {
    const whole = of(d);
    if (whole <= 0) continue;
    const count = whole + (roundsUp?.(d) === true ? 1 : 0);
    return `${count} ${unit}${count === 1 ? '' : 's'}`;
  }
  return 'a few seconds';
}

/** A moment out of what a template may hand over. */
export function toDateTime(value: unknown): DateTime {
  if (isMoment(value) || typeof value === 'number') return DateTime.from(value);
  if (isText(value)) return date(String(value));
  throw new TemplateError(`${typeName(value)} is not a date`);
}

function date(text: string): DateTime {
  try {
    return DateTime.parse(text);
  } catch {
    throw new TemplateError(`'${text}' is not a date; it should look like 2024-12-01 or 2024-12-01T01:00:00+00:00`);
  }
}

/** JSON as Python writes it: a space after commas and colons. */
export function pythonJson(value: unknown, indent?: unknown): string {
  if (indent !== undefined && indent !== null) return JSON.stringify(value, null, Number(indent));
  const walk = (v: unknown): string => {
    if (Array.isArray(v)) return `[${v.map(walk).join(', ')}]`;
    if (typeof v === 'object' && v !== null && !('toJSON' in v))
      return `{${Object.entries(v)
        .filter(([, e]) => e !== undefined)
        .map(([k, e]) => `${JSON.stringify(k)}: ${walk(e)}`)
        .join(', ')}}`;
    return JSON.stringify(v) ?? 'null';
  };
  return walk(value);
}

function datetime(...args: unknown[]): DateTime {
  const parts = bind(['year', 'month', 'day', 'hour', 'minute', 'second', 'microsecond'], args);
  const field = (name: string, fallback: number): number => Number(parts[name] ?? fallback);
  return new DateTime(
    Temporal.ZonedDateTime.from(
      {
        timeZone: 'UTC',
        year: field('year', 1970),
        month: field('month', 1),
        day: field('day', 1),
        hour: field('hour', 0),
        minute: field('minute', 0),
        second: field('second', 0),
        millisecond: Math.floor(field('microsecond', 0) / 1000),
      },
      { overflow: 'reject' },
    ),
  );
}

const now = (timezone?: unknown): DateTime => DateTime.from(Date.now(), isText(timezone) ? String(timezone) : 'UTC');

const DATETIME = Object.assign(datetime, {
  now,
  utcnow: () => now(),
  today: () => now(),
  strptime: (text: unknown, format: unknown) => new DateTime(strptime(str(text), str(format))),
  fromisoformat: (text: unknown) => toDateTime(text),
  fromtimestamp: (seconds: unknown) => DateTime.from(Number(seconds) * 1000),
});

/** A length of time by keywords; positional arguments are days, seconds, microseconds, … as in Python. */
function timedelta(...args: unknown[]): TimeDelta {
  return TimeDelta.of(bind(['days', 'seconds', 'microseconds', 'milliseconds', 'minutes', 'hours', 'weeks'], args));
}

const random = Object.assign(() => Math.random(), {
  random: () => Math.random(),
  randint: (low: unknown, high: unknown) => Number(low) + Math.floor(Math.random() * (Number(high) - Number(low) + 1)),
  choice: (items: readonly unknown[]) => items[Math.floor(Math.random() * items.length)],
});

/** What templates call as `macros.…`. */
export const macros = {
  ds_add: (...args: unknown[]) => {
    const { ds, days } = bind(['ds', 'days'], args);
    return dsAdd(str(ds), Number(days));
  },
  ds_format: (...args: unknown[]) => {
    const { ds, input_format, output_format } = bind(['ds', 'input_format', 'output_format'], args);
    return dsFormat(str(ds), str(input_format), str(output_format));
  },
  datetime_diff_for_humans: (...args: unknown[]) => {
    const { dt, since } = bind(['dt', 'since'], args);
    return datetimeDiffForHumans(toDateTime(dt), since === undefined || since === null ? null : toDateTime(since));
  },
  datetime: DATETIME,
  timedelta,
  relativedelta: timedelta,
  dateutil: { parser: { parse: toDateTime }, relativedelta: { relativedelta: timedelta } },
  time: { time: () => Date.now() / 1000 },
  uuid: { uuid4: () => randomUUID() },
  random,
  json: {
    dumps: (...args: unknown[]) => pythonJson(splitArgs(args).positional[0], splitArgs(args).kwargs['indent']),
    loads: (text: unknown) => JSON.parse(str(text)) as unknown,
  },
};
