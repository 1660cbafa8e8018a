import { err, ok, parseDuration, type Duration, type Result } from '@rondo/kernel';
import { assetLeaves, assetsOf, type AssetExpression } from '../asset/index.ts';
import { cronTicks } from './cron.ts';
import { isPositive, parseDelta, type CalendarDelta } from './delta.ts';
import { parseCron } from './cron-fields.ts';
import { describeSchedule } from './describe.ts';
import { mapPartitionKey, PARTITION_MAPPERS, partitionKeyAt } from './partition.ts';
import type { PartitionMapperSpec, RunImmediately, TimetableSpec } from './types.ts';
import { isTimeZone } from './wall-time.ts';

export const CRON_PRESETS: Readonly<Record<string, string>> = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
  '@quarterly': '0 0 1 */3 *',
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
};

/** `cron`: one expression or several; `timezone` overrides the DAG's. */
export interface CronSchedule {
  readonly cron: string | readonly string[];
  readonly timezone?: string;
  /** Length of the data interval that ends at the tick. Default 0. */
  readonly interval?: Duration;
  /** See `RunImmediately`, with a duration in place of milliseconds. Default false. */
  readonly runImmediately?: boolean | Duration;
}

export interface EventsSchedule {
  /** Instants: Date, epoch milliseconds, or ISO 8601 text (UTC where it names no offset). */
  readonly events: readonly (string | number | Date)[];
  readonly restrictToEvents?: boolean;
  readonly description?: string;
}

/** What an author may write as the schedule of a DAG. */
export type ScheduleInput =
  | null
  | undefined
  | string
  | readonly string[]
  | Duration
  | CalendarDelta
  | CronSchedule
  | EventsSchedule
  | TimetableSpec;

export interface ParseScheduleOptions {
  /** A cron expression or a delta makes data intervals, and a run waits for the end of its interval. Default false. */
  readonly dataIntervals?: boolean;
}

const allowed =
  `a schedule is null, a cron expression, a preset (${Object.keys(CRON_PRESETS).join(', ')}, @once, @continuous), a list of cron ` +
  `expressions, a duration ('5m', { hours: 6 }, { months: 1 }), { cron }, { events }, or a timetable with a kind`;

/** The timetable of what an author wrote. A refusal names the value and what is allowed. `timezone` is an IANA name. */
export function parseSchedule(
  input: unknown,
  timezone: string,
  options: ParseScheduleOptions = {},
): Result<TimetableSpec> {
  if (!isTimeZone(timezone)) return err(notAZone(timezone));
  const dataIntervals = options.dataIntervals === true;
  if (input === null || input === undefined) return ok({ kind: 'none' });
  if (typeof input === 'string') return parseText(input.trim(), timezone, dataIntervals);
  if (Array.isArray(input)) return parseCronSchedule({ cron: input as readonly string[] }, timezone, dataIntervals);
  if (typeof input === 'object') {
    if ('kind' in input) return validateTimetable(input as TimetableSpec);
    if ('cron' in input) return parseCronSchedule(input as CronSchedule, timezone, dataIntervals);
    if ('events' in input) return parseEvents(input as EventsSchedule);
    return deltaSchedule(input as Duration, dataIntervals);
  }
  return err(`${JSON.stringify(input) ?? String(input)} is not a schedule: ${allowed}`);
}

function notAZone(name: unknown): string {
  return `${JSON.stringify(name)} is not a time zone: an IANA name such as 'Europe/Zurich' or 'UTC'`;
}

function parseText(text: string, timezone: string, dataIntervals: boolean): Result<TimetableSpec> {
  if (text === '@once') return ok({ kind: 'once' });
  if (text === '@continuous') return ok({ kind: 'continuous' });
  if (/^-?\d[\w.]*$/.test(text)) return deltaSchedule(text, dataIntervals);
  if (text.startsWith('@') && CRON_PRESETS[text] === undefined) return err(`'${text}' is not a preset: ${allowed}`);
  return parseCronSchedule({ cron: text }, timezone, dataIntervals);
}

function deltaSchedule(input: Duration, dataIntervals: boolean): Result<TimetableSpec> {
  if (isNegative(input)) return err(notPositive(JSON.stringify(input)));
  const delta = parseDelta(input);
  if (!delta.ok) return err(`${delta.error}; ${allowed}`);
  return validateTimetable({ kind: dataIntervals ? 'delta_interval' : 'delta_trigger', ...delta.value });
}

function isNegative(input: Duration): boolean {
  if (typeof input === 'string') return input.startsWith('-');
  return Object.values(input).some((part) => typeof part === 'number' && part < 0);
}

function notPositive(value: string): string {
  return `schedule interval must be positive, not ${value}`;
}

function parseCronSchedule(input: CronSchedule, dagTimezone: string, dataIntervals: boolean): Result<TimetableSpec> {
  const timezone = input.timezone ?? dagTimezone;
  const texts: readonly unknown[] = Array.isArray(input.cron) ? input.cron : [input.cron];
  const expressions: string[] = [];
  for (const text of texts) {
    if (typeof text !== 'string')
      return err(`${JSON.stringify(text) ?? String(text)} is not a cron expression: ${allowed}`);
    expressions.push(CRON_PRESETS[text.trim()] ?? text.trim());
  }
  const interval = input.interval === undefined ? undefined : parseDuration(input.interval);
  if (interval?.ok === false) return err(`interval: ${interval.error}`);
  const immediately = parseRunImmediately(input.runImmediately);
  if (!immediately.ok) return immediately;
  const extras = {
    ...(interval === undefined || interval.value === 0 ? {} : { intervalMs: interval.value }),
    ...(immediately.value === undefined ? {} : { runImmediately: immediately.value }),
  };
  if (expressions.length !== 1)
    return validateTimetable({ kind: 'multi_cron_trigger', expressions, timezone, ...extras });
  const expression = expressions[0]!;
  if (dataIntervals) return validateTimetable({ kind: 'cron_interval', expression, timezone });
  return validateTimetable({ kind: 'cron_trigger', expression, timezone, ...extras });
}

function parseRunImmediately(input: boolean | Duration | undefined): Result<RunImmediately | undefined> {
  if (input === undefined || typeof input === 'boolean') return ok(input);
  const ms = parseDuration(input);
  return ms.ok ? ms : err(`runImmediately is true, false or a duration: ${ms.error}`);
}

function parseEvents(input: EventsSchedule): Result<TimetableSpec> {
  const dates: number[] = [];
  for (const event of input.events) {
    const date = typeof event === 'string' ? parseInstant(event) : Number(event);
    if (date === undefined || !Number.isSafeInteger(date))
      return err(
        `event ${JSON.stringify(event) ?? String(event)} is not an instant: a Date, epoch milliseconds or ISO 8601 text`,
      );
    dates.push(date);
  }
  return validateTimetable({
    kind: 'events',
    eventDates: [...new Set(dates)].sort((a, b) => a - b),
    ...(input.restrictToEvents === undefined ? {} : { restrictToEvents: input.restrictToEvents }),
    ...(input.description === undefined ? {} : { description: input.description }),
  });
}

/** Epoch milliseconds of ISO 8601 text; text without an offset is UTC. Undefined for anything else. */
export function parseInstant(text: string): number | undefined {
  const m = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?))?(Z|[+-]\d{2}:?\d{2})?$/i.exec(text.trim());
  if (m === null) return undefined;
  const ms = Date.parse(`${m[1]}T${m[2] ?? '00:00:00'}${m[3] ?? 'Z'}`);
  return Number.isNaN(ms) ? undefined : ms;
}

/** Checks a timetable that did not come from `parseSchedule`; the refusal names what is wrong. */
export function validateTimetable(spec: TimetableSpec): Result<TimetableSpec> {
  switch (spec.kind) {
    case 'none':
    case 'once':
    case 'continuous':
    case 'custom':
      return ok(spec);
    case 'cron_trigger':
    case 'cron_interval':
      return validateCrons(spec, [spec.expression], spec.timezone);
    case 'multi_cron_trigger':
      return spec.expressions.length === 0
        ? err('cron expression required')
        : validateCrons(spec, spec.expressions, spec.timezone);
    case 'delta_trigger':
    case 'delta_interval':
      return isPositive(spec) ? ok(spec) : err(notPositive(`${spec.deltaMs} ms`));
    case 'events':
      return ok(spec);
    case 'asset': {
      const { mapping, byAsset = {} } = spec.partitions ?? {};
      for (const each of [mapping ?? [], Object.values(byAsset)].flat()) {
        const mapped = validateMapping(each);
        if (!mapped.ok) return mapped;
      }
      return validateAssets(spec, spec.assets);
    }
    case 'cron_partition': {
      const { runOffset = 0, keyFormat } = spec;
      if (!Number.isSafeInteger(runOffset) || Math.abs(runOffset) > MOST_OFFSET)
        return err(`runOffset is ${runOffset}; allowed: a whole number from -${MOST_OFFSET} to ${MOST_OFFSET}`);
      const crons = validateCrons(spec, [spec.expression], spec.timezone);
      if (!crons.ok) return crons;
      const key = partitionKeyAt(0, spec.timezone, keyFormat);
      return key.ok ? crons : key;
    }
    case 'asset_or_time': {
      const time = validateTimetable(spec.timetable);
      if (!time.ok) return time;
      const { kind } = spec.timetable;
      if (assetsOf(spec.timetable) === undefined && kind !== 'none' && kind !== 'cron_partition')
        return validateAssets(spec, spec.assets);
      return err(
        `the time of an asset-or-time schedule is ${describeSchedule(spec.timetable)}; allowed: cron, intervals, moments`,
      );
    }
    default:
      return err(`${JSON.stringify(spec)} is not a timetable: ${allowed}`);
  }
}

function validateCrons(spec: TimetableSpec, expressions: readonly string[], timezone: string): Result<TimetableSpec> {
  if (!isTimeZone(timezone)) return err(notAZone(timezone));
  for (const expression of expressions) {
    const fields = parseCron(expression);
    if (!fields.ok) return fields;
    if (cronTicks(fields.value, 'UTC').next(0) === undefined)
      return err(`[${expression}] is not acceptable: it never comes`);
  }
  return ok(spec);
}

const MOST_OFFSET = 1_000;

/** JSON bytes of a condition: it stands in the events of its DAG (I7). */
const CONDITION_BYTES = 16_384;

function validateAssets(spec: TimetableSpec, condition: AssetExpression): Result<TimetableSpec> {
  if (assetLeaves(condition).length === 0) return err('the schedule waits for no asset; allowed: at least one');
  const bytes = JSON.stringify(condition).length;
  if (bytes > CONDITION_BYTES)
    return err(
      `the asset condition has ${bytes} bytes of JSON; allowed are ${CONDITION_BYTES}: wait for fewer assets, or for an alias`,
    );
  return ok(spec);
}

function validateMapping({ mapper, ...mapping }: PartitionMapperSpec): Result<unknown> {
  if (!PARTITION_MAPPERS.includes(mapper))
    return err(`partition mapper ${JSON.stringify(mapper)} is not known; allowed: ${PARTITION_MAPPERS.join(', ')}`);
  const { inputFormat: _, ...rest } = mapping;
  return mapPartitionKey(mapper, '2000-01-01T00:00:00', rest);
}
