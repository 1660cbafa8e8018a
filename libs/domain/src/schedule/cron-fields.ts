import { err, ok, type Result } from '@rondo/kernel';
import { CronExpressionParser } from 'cron-parser';

/** A parsed cron expression: sorted values of each field, and the rule of its days. */
export interface CronFields {
  readonly seconds: readonly number[];
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  /** Indexed 1 to 12. */
  readonly months: readonly boolean[];
  /** The hour field names every hour. */
  readonly everyHour: boolean;
  /** Whether a day fits, `month` 1 to 12. Day of month and day of week both given: either will do. */
  readonly matchesDay: (year: number, month: number, day: number) => boolean;
}

const CACHE_LIMIT = 4_096;
const cache = new Map<string, Result<CronFields>>();

/** Five fields, or six with the seconds last. A refusal says what is wrong with which value. Parsed once per text. */
export function parseCron(expression: string): Result<CronFields> {
  const known = cache.get(expression);
  if (known !== undefined) return known;
  const parsed = parse(expression);
  if (cache.size >= CACHE_LIMIT) cache.clear();
  cache.set(expression, parsed);
  return parsed;
}

interface FieldRange {
  readonly min: number;
  readonly max: number;
  readonly names: readonly string[];
}
const FIELDS: readonly FieldRange[] = [
  { min: 0, max: 59, names: [] },
  { min: 0, max: 23, names: [] },
  { min: 1, max: 31, names: [] },
  { min: 1, max: 12, names: ['', 'jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'] },
  { min: 0, max: 6, names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] },
  { min: 0, max: 59, names: [] },
];

function parse(expression: string): Result<CronFields> {
  const atoms = expression.trim().split(/\s+/);
  if (atoms.length < 5 || atoms.length > 6)
    return err(
      `[${expression}] is not acceptable: 5 fields (minute hour day-of-month month day-of-week), or 6 with the seconds last, got ${atoms.length}`,
    );
  if (atoms.some((atom) => /H/.test(atom)))
    return err(`[${expression}] is not acceptable: hashed values (H) are not supported`);
  const [minute, hour, dayOfMonth, month, dayOfWeek, second = '0'] = atoms.map((atom, i) =>
    unwrapRanges(atom, FIELDS[i]!),
  );
  const fieldsOf = (months: string | undefined): Parsed =>
    CronExpressionParser.parse([second, minute, hour, dayOfMonth, months, dayOfWeek].join(' '), { currentDate: 0 })
      .fields;
  try {
    // The parser drops days that the months do not have, so that `*` in April would no longer be every day.
    return ok(compile(fieldsOf(month), fieldsOf('*')));
  } catch (error) {
    return err(refusal(expression, error instanceof Error ? error.message : String(error)));
  }
}

function refusal(expression: string, message: string): string {
  if (message.includes('Constraint error'))
    return `[${expression}] is not acceptable, out of range: ${message.replace('Constraint error, ', '')}`;
  if (message.includes('explicit day of month'))
    return `[${expression}] is not acceptable: no month that it names has that day`;
  return `[${expression}] is not acceptable: ${message}`;
}

/** `22-2` becomes `22,23,0,1,2`; `fri-mon` becomes `5,6,0,1`. */
function unwrapRanges(field: string, range: FieldRange): string {
  return field
    .split(',')
    .map((item) => unwrapRange(item, range))
    .join(',');
}

function unwrapRange(item: string, { min, max, names }: FieldRange): string {
  const m = /^(\d+|[a-z]{3})-(\d+|[a-z]{3})(?:\/(\d+))?$/i.exec(item);
  if (m === null) return item;
  const [low, high] = [m[1]!, m[2]!].map((text) =>
    /^\d/.test(text) ? Number(text) : names.indexOf(text.toLowerCase()),
  );
  const step = Number(m[3] ?? 1);
  if (low === undefined || high === undefined || high < min || low > max || low <= high || step < 1) return item;
  const values: number[] = [];
  for (let value = low; value <= high + (max - min + 1); value += step)
    values.push(value > max ? value - (max - min + 1) : value);
  return values.join(',');
}

type Parsed = ReturnType<typeof CronExpressionParser.parse>['fields'];

function compile(fields: Parsed, days: Parsed): CronFields {
  const months: boolean[] = Array.from({ length: 13 }, () => false);
  for (const month of fields.month.values) months[Number(month)] = true;
  return {
    seconds: numbers(fields.second.values),
    minutes: numbers(fields.minute.values),
    hours: numbers(fields.hour.values),
    months,
    everyHour: fields.hour.values.length === 24,
    matchesDay: dayRule(days),
  };
}

function numbers(values: readonly unknown[]): readonly number[] {
  return [...new Set(values.map(Number))].sort((a, b) => a - b);
}

export function daysInMonth(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}

function dayRule(fields: Parsed): CronFields['matchesDay'] {
  const days = new Set<number>();
  let lastDay = false;
  for (const value of fields.dayOfMonth.values)
    if (typeof value === 'number') days.add(value);
    else lastDay = true;
  const weekdays = new Set<number>();
  const lastWeekdays = new Set<number>();
  for (const value of fields.dayOfWeek.values) {
    const weekday = Number.parseInt(String(value), 10) % 7;
    (typeof value === 'number' ? weekdays : lastWeekdays).add(weekday);
  }
  const nth = fields.dayOfWeek.nthDay;
  const anyDay = days.size === 31;
  const anyWeekday = weekdays.size === 7 && nth === 0;

  const fitsMonth = (year: number, month: number, day: number): boolean =>
    days.has(day) || (lastDay && day === daysInMonth(year, month));
  const fitsWeek = (year: number, month: number, day: number): boolean => {
    const weekday = new Date(Date.UTC(year, month - 1, day)).getUTCDay();
    if (weekdays.has(weekday) && (nth === 0 || Math.ceil(day / 7) === nth)) return true;
    return lastWeekdays.has(weekday) && day + 7 > daysInMonth(year, month);
  };
  if (anyDay && anyWeekday) return () => true;
  if (anyWeekday) return fitsMonth;
  if (anyDay) return fitsWeek;
  return (year, month, day) => fitsMonth(year, month, day) || fitsWeek(year, month, day);
}
