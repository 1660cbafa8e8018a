import { createHash, randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { DateTime, TimeDelta } from './datetime.ts';
import { TemplateError } from './errors.ts';
import { formatInLocale } from './locale-format.ts';
import { strptime } from './strftime.ts';
import { bind, isMoment, isPlainObject, isText, splitArgs, str, truthy, typeName } from './values.ts';

/** Adds days (negative: takes away) to a date text such as `2015-01-01`. */
export function dsAdd(ds: string, days: number): string {
  return date(ds).plus(TimeDelta.of({ days })).strftime('%Y-%m-%d');
}

/** Reads a text in one format and writes it in another; formats are C's codes. */
export function dsFormat(ds: string, inputFormat: string, outputFormat: string): string {
  return new DateTime(strptime(ds, inputFormat)).strftime(outputFormat);
}

/** As `dsFormat`, in a pattern of Unicode's locale data and a language: `EEEE dd MMMM yyyy`, `de_DE`. */
export function dsFormatLocale(ds: string, inputFormat: string, outputFormat: string, locale?: string): string {
  return formatInLocale(strptime(ds, inputFormat), outputFormat, locale);
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

export interface JsonStyle {
  readonly indent?: unknown;
  readonly sortKeys?: boolean;
}

/** JSON as Python writes it: a space after commas and colons, nothing but ASCII. Maps are dicts, sets are lists, moments ISO texts. */
export function pythonJson(value: unknown, { indent, sortKeys = false }: JsonStyle = {}): string {
  const width = indent === undefined || indent === null ? undefined : Number(indent);
  const block = (open: string, items: readonly string[], close: string, depth: number): string => {
    if (items.length === 0) return open + close;
    if (width === undefined) return `${open}${items.join(', ')}${close}`;
    const line = (level: number): string => `\n${' '.repeat(width * level)}`;
    return `${open}${line(depth + 1)}${items.join(`,${line(depth + 1)}`)}${line(depth)}${close}`;
  };
  const walk = (v: unknown, depth: number): string => {
    if (v === undefined || v === null) return 'null';
    if (typeof v === 'bigint') return String(v);
    if (typeof v === 'number' && !Number.isFinite(v)) return String(v);
    if (isText(v)) return ascii(JSON.stringify(String(v)));
    if (typeof v !== 'object') return JSON.stringify(v) ?? 'null';
    if (Array.isArray(v) || v instanceof Set)
      return block(
        '[',
        Array.from(v as Iterable<unknown>, (item) => walk(item, depth + 1)),
        ']',
        depth,
      );
    if (isMoment(v)) return JSON.stringify(DateTime.from(v).isoformat());
    if (!(v instanceof Map) && 'toJSON' in v && typeof v.toJSON === 'function')
      return walk((v.toJSON as () => unknown)(), depth);
    const entries = (v instanceof Map ? [...v] : Object.entries(v)).filter(([, item]) => item !== undefined);
    const named = entries.map(([key, item]) => [str(key), item] as const);
    const ordered = sortKeys ? named.toSorted(([x], [y]) => (x < y ? -1 : Number(x > y))) : named;
    return block(
      '{',
      ordered.map(([key, item]) => `${ascii(JSON.stringify(key))}: ${walk(item, depth + 1)}`),
      '}',
      depth,
    );
  };
  return walk(value, 0);
}

const ascii = (text: string): string =>
  text.replaceAll(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

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

const require = createRequire(import.meta.url);
/** Loaded on first use: few templates ask for it. */
const yaml = () => require('yaml') as typeof import('yaml');

const namespaces = {
  NAMESPACE_DNS: '6ba7b810-9dad-11d1-80b4-00c04fd430c8',
  NAMESPACE_URL: '6ba7b811-9dad-11d1-80b4-00c04fd430c8',
};

/** The UUID of a name in a namespace: the same for the same. */
function namedUuid(algorithm: 'md5' | 'sha1', version: 3 | 5) {
  return (namespace: unknown, name: unknown): string => {
    const digest = createHash(algorithm)
      .update(Buffer.from(str(namespace).replaceAll('-', ''), 'hex'))
      .update(str(name))
      .digest()
      .subarray(0, 16);
    digest[6] = (digest[6]! & 0x0f) | (version << 4);
    digest[8] = (digest[8]! & 0x3f) | 0x80;
    return digest.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  };
}

/** What templates call as `macros.…`. `registerMacros` adds to it. */
export const macros = {
  ds_add: (...args: unknown[]) => {
    const { ds, days } = bind(['ds', 'days'], args);
    return dsAdd(str(ds), Number(days));
  },
  ds_format: (...args: unknown[]) => {
    const { ds, input_format, output_format } = bind(['ds', 'input_format', 'output_format'], args);
    return dsFormat(str(ds), str(input_format), str(output_format));
  },
  ds_format_locale: (...args: unknown[]) => {
    const { ds, input_format, output_format, locale } = bind(['ds', 'input_format', 'output_format', 'locale'], args);
    const language = locale === undefined || locale === null ? undefined : str(locale);
    return dsFormatLocale(str(ds), str(input_format), str(output_format), language);
  },
  datetime_diff_for_humans: (...args: unknown[]) => {
    const { dt, since } = bind(['dt', 'since'], args);
    return datetimeDiffForHumans(toDateTime(dt), since === undefined || since === null ? null : toDateTime(since));
  },
  datetime: DATETIME,
  timedelta,
  relativedelta: timedelta,
  dateutil: {
    parser: { parse: toDateTime, isoparse: toDateTime },
    relativedelta: { relativedelta: timedelta },
  },
  time: {
    time: () => Date.now() / 1000,
    strftime: (format: unknown) => now().strftime(str(format)),
  },
  uuid: {
    uuid4: () => randomUUID(),
    uuid3: namedUuid('md5', 3),
    uuid5: namedUuid('sha1', 5),
    ...namespaces,
  },
  random,
  json: {
    dumps: (...args: unknown[]) => {
      const { positional, kwargs } = splitArgs(args);
      return pythonJson(positional[0], { indent: kwargs['indent'], sortKeys: truthy(kwargs['sort_keys'] ?? false) });
    },
    loads: (text: unknown) => JSON.parse(str(text)) as unknown,
  },
  yaml: {
    safe_load: (text: unknown) => yaml().parse(str(text)) as unknown,
    load: (text: unknown) => yaml().parse(str(text)) as unknown,
    dump: yamlDump,
    safe_dump: yamlDump,
  },
};

function yamlDump(...args: unknown[]): string {
  const { positional, kwargs } = splitArgs(args);
  const sortMapEntries = truthy(kwargs['sort_keys'] ?? true);
  return yaml().stringify(positional[0], { sortMapEntries });
}

/** Functions, and objects of them, as templates call them: keyword arguments come as one object at the end. */
export function callable(given: unknown): unknown {
  if (typeof given === 'function')
    return (...args: unknown[]): unknown => {
      const { positional, kwargs } = splitArgs(args);
      const call = given as (...args: readonly unknown[]) => unknown;
      return Object.keys(kwargs).length === 0 ? call(...positional) : call(...positional, kwargs);
    };
  if (!isPlainObject(given)) return given;
  return Object.fromEntries(Object.entries(given).map(([name, each]) => [name, callable(each)]));
}

const BUILT_IN = new Set(Object.keys(macros));

/** Adds `macros.NAME` to the templates of every DAG file that imports the caller. Throws for a name that Rondo has. */
export function registerMacros(name: string, members: Readonly<Record<string, unknown>>): void {
  if (!/^[A-Za-z_]\w*$/.test(name) || BUILT_IN.has(name))
    throw new TypeError(
      `the name of macros is '${name}'; allowed: a name that none of these has: ${[...BUILT_IN].join(', ')}`,
    );
  Object.assign(macros, { [name]: callable(members) });
}
