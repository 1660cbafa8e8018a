import { strftime } from './strftime.ts';

/** A moment as templates see it: an instant with its zone, and the methods that template authors know. */
export class DateTime {
  readonly #z: Temporal.ZonedDateTime;

  constructor(z: Temporal.ZonedDateTime) {
    this.#z = z;
  }

  /** Of a number (epoch milliseconds), a Date, an ISO text (UTC unless it says else) or another moment. */
  static from(
    value: DateTime | Date | number | string | Temporal.Instant | Temporal.ZonedDateTime,
    timezone = 'UTC',
  ): DateTime {
    if (value instanceof DateTime) return value;
    if (value instanceof Temporal.ZonedDateTime) return new DateTime(value);
    if (value instanceof Temporal.Instant) return new DateTime(value.toZonedDateTimeISO(timezone));
    if (typeof value === 'string') return DateTime.parse(value, timezone);
    return new DateTime(
      Temporal.Instant.fromEpochMilliseconds(value instanceof Date ? value.getTime() : value).toZonedDateTimeISO(
        timezone,
      ),
    );
  }

  static parse(text: string, timezone = 'UTC'): DateTime {
    const iso = text.trim().replace(/^(\d{4}-\d{2}-\d{2}) (?=\d)/, '$1T');
    const offset = /(?:Z|([+-]\d{2}):?(\d{2}))$/i.exec(iso);
    if (offset === null || !iso.includes('T'))
      return new DateTime(Temporal.PlainDateTime.from(iso).toZonedDateTime(timezone));
    return new DateTime(
      Temporal.Instant.from(iso).toZonedDateTimeISO(offset[1] === undefined ? 'UTC' : `${offset[1]}:${offset[2]}`),
    );
  }

  get zoned(): Temporal.ZonedDateTime {
    return this.#z;
  }
  get ms(): number {
    return this.#z.epochMilliseconds;
  }
  get year(): number {
    return this.#z.year;
  }
  get month(): number {
    return this.#z.month;
  }
  get day(): number {
    return this.#z.day;
  }
  get hour(): number {
    return this.#z.hour;
  }
  get minute(): number {
    return this.#z.minute;
  }
  get second(): number {
    return this.#z.second;
  }
  get microsecond(): number {
    return this.#z.millisecond * 1000 + this.#z.microsecond;
  }
  /** Monday is 0. */
  get day_of_week(): number {
    return this.#z.dayOfWeek - 1;
  }
  get day_of_year(): number {
    return this.#z.dayOfYear;
  }
  get quarter(): number {
    return Math.ceil(this.#z.month / 3);
  }
  get int_timestamp(): number {
    return Math.floor(this.ms / 1000);
  }
  get timezone_name(): string {
    return this.#z.timeZoneId;
  }

  weekday(): number {
    return this.#z.dayOfWeek - 1;
  }
  isoweekday(): number {
    return this.#z.dayOfWeek;
  }
  timestamp(): number {
    return this.ms / 1000;
  }
  strftime(format: string): string {
    return strftime(this.#z, format);
  }
  isoformat(separator = 'T'): string {
    return (
      this.strftime(`%Y-%m-%d${separator}%H:%M:%S`) +
      (this.microsecond === 0 ? '' : this.strftime('.%f')) +
      this.#z.offset
    );
  }
  date(): DateTime {
    return this.start_of('day');
  }
  to_date_string(): string {
    return this.strftime('%Y-%m-%d');
  }
  to_time_string(): string {
    return this.strftime('%H:%M:%S');
  }
  to_datetime_string(): string {
    return this.strftime('%Y-%m-%d %H:%M:%S');
  }
  to_iso8601_string(): string {
    return this.#z.offset === '+00:00' ? `${this.isoformat().slice(0, -6)}Z` : this.isoformat();
  }
  add(parts: DurationKwargs = {}): DateTime {
    return this.plus(TimeDelta.of(parts));
  }
  subtract(parts: DurationKwargs = {}): DateTime {
    return this.plus(TimeDelta.of(parts).negated());
  }
  replace(parts: Readonly<Record<string, number>> = {}): DateTime {
    const { year, month, day, hour, minute, second, microsecond } = parts;
    const fields = {
      year,
      month,
      day,
      hour,
      minute,
      second,
      ...(microsecond === undefined
        ? {}
        : { millisecond: Math.floor(microsecond / 1000), microsecond: microsecond % 1000 }),
    };
    return new DateTime(this.#z.with(Object.fromEntries(Object.entries(fields).filter(([, v]) => v !== undefined))));
  }
  start_of(unit: string): DateTime {
    const midnight = this.#z.startOfDay();
    if (unit === 'day') return new DateTime(midnight);
    if (unit === 'month') return new DateTime(midnight.with({ day: 1 }));
    if (unit === 'year') return new DateTime(midnight.with({ day: 1, month: 1 }));
    if (unit === 'week') return new DateTime(midnight.subtract({ days: midnight.dayOfWeek - 1 }));
    return new DateTime(this.#z.round({ smallestUnit: unit as 'hour' | 'minute' | 'second', roundingMode: 'trunc' }));
  }
  in_timezone(timezone: string): DateTime {
    return new DateTime(this.#z.withTimeZone(timezone));
  }
  in_tz(timezone: string): DateTime {
    return this.in_timezone(timezone);
  }
  astimezone(timezone: string): DateTime {
    return this.in_timezone(timezone);
  }
  plus(delta: TimeDelta): DateTime {
    return new DateTime(this.#z.add(delta.duration));
  }
  minus(other: DateTime | TimeDelta): DateTime | TimeDelta {
    if (other instanceof TimeDelta) return this.plus(other.negated());
    return new TimeDelta(Temporal.Duration.from({ milliseconds: this.ms - other.ms }));
  }
  /** `2024-12-01 01:00:00+00:00`. */
  toString(): string {
    return this.isoformat(' ');
  }
  toJSON(): string {
    return this.isoformat();
  }
}

export type DurationKwargs = Readonly<Record<string, unknown>>;

const UNITS = [
  'years',
  'months',
  'weeks',
  'days',
  'hours',
  'minutes',
  'seconds',
  'milliseconds',
  'microseconds',
] as const;

/** A length of time: exact, or with months and years that depend on where they are added. */
export class TimeDelta {
  readonly duration: Temporal.Duration;

  constructor(duration: Temporal.Duration) {
    this.duration = duration;
  }

  static of(parts: DurationKwargs): TimeDelta {
    let total = new Temporal.Duration();
    for (const unit of UNITS) {
      const amount = Number(parts[unit] ?? 0);
      const whole = Math.trunc(amount);
      const calendar = unit === 'years' || unit === 'months';
      const rest = calendar ? 0 : Math.round((amount - whole) * MS[unit]);
      total = Temporal.Duration.from(
        merge(total, { [unit]: whole, milliseconds: rest + (unit === 'milliseconds' ? whole : 0) }),
      );
    }
    return new TimeDelta(total);
  }

  get days(): number {
    return Math.floor(this.total_seconds() / 86_400);
  }
  get seconds(): number {
    return Math.floor(this.total_seconds() - this.days * 86_400);
  }
  total_seconds(): number {
    return this.duration.total({ unit: 'seconds', relativeTo: '2000-01-01' });
  }
  total_minutes(): number {
    return this.total_seconds() / 60;
  }
  total_hours(): number {
    return this.total_seconds() / 3600;
  }
  in_days(): number {
    return Math.trunc(this.total_seconds() / 86_400);
  }
  in_hours(): number {
    return Math.trunc(this.total_hours());
  }
  negated(): TimeDelta {
    return new TimeDelta(this.duration.negated());
  }
  plus(other: TimeDelta): TimeDelta {
    return new TimeDelta(Temporal.Duration.from(merge(this.duration, partsOf(other.duration))));
  }
  times(factor: number): TimeDelta {
    return TimeDelta.of(Object.fromEntries(UNITS.map((unit) => [unit, this.duration[unit] * factor])));
  }
  /** `1 day, 2:03:04`. */
  toString(): string {
    const { days, seconds } = this;
    const clock = `${Math.floor(seconds / 3600)}:${String(Math.floor(seconds / 60) % 60).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`;
    return days === 0 ? clock : `${days} day${Math.abs(days) === 1 ? '' : 's'}, ${clock}`;
  }
}

const MS: Readonly<Record<string, number>> & { readonly [unit in (typeof UNITS)[number]]: number } = {
  years: 0,
  months: 0,
  weeks: 604_800_000,
  days: 86_400_000,
  hours: 3_600_000,
  minutes: 60_000,
  seconds: 1000,
  milliseconds: 1,
  microseconds: 0.001,
};

type Parts = Partial<Record<(typeof UNITS)[number], number>>;

function partsOf(duration: Temporal.Duration): Parts {
  return Object.fromEntries(UNITS.map((unit) => [unit, duration[unit]]));
}

/** Sums exact parts in milliseconds and calendar parts apart, so that no two parts differ in sign. */
function merge(a: Temporal.Duration, b: Parts): Parts {
  const sum = (unit: (typeof UNITS)[number]): number => a[unit] + (b[unit] ?? 0);
  const days = sum('weeks') * 7 + sum('days');
  const ms = UNITS.slice(4).reduce((total, unit) => total + sum(unit) * MS[unit], 0);
  const months = sum('years') * 12 + sum('months');
  const wholeDays = Math.sign(days) === -Math.sign(ms) && days !== 0 && ms !== 0;
  const exact = wholeDays ? { milliseconds: Math.round(days * MS.days + ms) } : { days, milliseconds: Math.round(ms) };
  return { months, ...exact };
}
