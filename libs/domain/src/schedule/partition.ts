import { err, ok, type Result } from '@rondo/kernel';
import { fromWall, isTimeZone, toWall } from './wall-time.ts';

export const PARTITION_MAPPERS = ['identity', 'hourly', 'daily', 'weekly', 'monthly', 'quarterly', 'yearly'] as const;
export type PartitionMapper = (typeof PARTITION_MAPPERS)[number];

export interface PartitionMapping {
  /** IANA name in which a key without an offset is read and the period is cut. Default `UTC`. */
  readonly timezone?: string;
  /** Default `%Y-%m-%dT%H:%M:%S`. */
  readonly inputFormat?: string;
  /** Default: that of the mapper, such as `%Y-%m-%d (W%V)`. Besides the directives, `{quarter}`. */
  readonly outputFormat?: string;
}

const INPUT_FORMAT = '%Y-%m-%dT%H:%M:%S';
const OUTPUT_FORMATS: Readonly<Record<Exclude<PartitionMapper, 'identity'>, string>> = {
  hourly: '%Y-%m-%dT%H',
  daily: '%Y-%m-%d',
  weekly: '%Y-%m-%d (W%V)',
  monthly: '%Y-%m',
  quarterly: '%Y-Q{quarter}',
  yearly: '%Y',
};
const DAY_MS = 86_400_000;

/** The key of the period that holds the upstream key: `2026-02-10T14:30:45` is `2026-02-09 (W07)` by week. */
export function mapPartitionKey(mapper: PartitionMapper, key: string, mapping: PartitionMapping = {}): Result<string> {
  if (mapper === 'identity') return ok(key);
  const { timezone = 'UTC', inputFormat = INPUT_FORMAT, outputFormat = OUTPUT_FORMATS[mapper] } = mapping;
  if (!isTimeZone(timezone)) return err(`${JSON.stringify(timezone)} is not a time zone: an IANA name such as 'UTC'`);
  const wall = parseKey(key, inputFormat, timezone);
  return wall.ok ? formatKey(startOf(mapper, wall.value), outputFormat) : wall;
}

/** The key of the partition that stands for an instant, by the clocks of a time zone. Default format `%Y-%m-%dT%H:%M:%S`. */
export function partitionKeyAt(instant: number, timezone: string, format = INPUT_FORMAT): Result<string> {
  return formatKey(toWall(instant, timezone), format);
}

function startOf(mapper: Exclude<PartitionMapper, 'identity'>, wall: number): number {
  const date = new Date(wall);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  const day = Math.floor(wall / DAY_MS) * DAY_MS;
  switch (mapper) {
    case 'hourly':
      return Math.floor(wall / 3_600_000) * 3_600_000;
    case 'daily':
      return day;
    case 'weekly':
      return day - ((date.getUTCDay() + 6) % 7) * DAY_MS;
    case 'monthly':
      return Date.UTC(year, month, 1);
    case 'quarterly':
      return Date.UTC(year, month - (month % 3), 1);
    case 'yearly':
      return Date.UTC(year, 0, 1);
  }
}

const PATTERNS: Readonly<Record<string, string>> = {
  Y: '\\d{4}',
  m: '\\d{1,2}',
  d: '\\d{1,2}',
  H: '\\d{1,2}',
  M: '\\d{1,2}',
  S: '\\d{1,2}',
  z: 'Z|[+-]\\d{2}:?\\d{2}',
};

function parseKey(key: string, format: string, timezone: string): Result<number> {
  const names: string[] = [];
  const source = format.replace(/%(.)|[\\^$.*+?()[\]{}|]/g, (text, directive: string | undefined) => {
    if (directive === undefined) return `\\${text}`;
    if (PATTERNS[directive] === undefined) return `\\${text}`;
    names.push(directive);
    return `(${PATTERNS[directive]})`;
  });
  const match = new RegExp(`^${source}$`).exec(key);
  if (match === null) return err(`partition key '${key}' does not match the format '${format}'`);
  const part = (name: string, missing: number): number => {
    const at = names.indexOf(name);
    return at < 0 ? missing : Number(match[at + 1]);
  };
  const [year, month, day] = [part('Y', 1900), part('m', 1), part('d', 1)];
  const wall = Date.UTC(year, month - 1, day, part('H', 0), part('M', 0), part('S', 0));
  if (new Date(wall).getUTCDate() !== day || month > 12) return err(`partition key '${key}' is not a date`);
  const offset = names.includes('z') ? match[names.indexOf('z') + 1] : undefined;
  return ok(toWall(offset === undefined ? fromWall(wall, timezone) : wall - offsetMs(offset), timezone));
}

function offsetMs(text: string): number {
  if (text === 'Z') return 0;
  const minutes = Number(text.slice(1, 3)) * 60 + Number(text.slice(-2));
  return (text.startsWith('-') ? -minutes : minutes) * 60_000;
}

function formatKey(wall: number, format: string): Result<string> {
  const date = new Date(wall);
  const two = (value: number): string => String(value).padStart(2, '0');
  const fields: Readonly<Record<string, string>> = {
    Y: String(date.getUTCFullYear()).padStart(4, '0'),
    m: two(date.getUTCMonth() + 1),
    d: two(date.getUTCDate()),
    H: two(date.getUTCHours()),
    M: two(date.getUTCMinutes()),
    S: two(date.getUTCSeconds()),
    V: two(isoWeek(wall)),
    '%': '%',
  };
  const unknown = [...format.matchAll(/%(.)/g)].find((m) => fields[m[1]!] === undefined);
  if (unknown !== undefined)
    return err(
      `format '${format}' has '${unknown[0]}': allowed are ${Object.keys(fields)
        .map((name) => `%${name}`)
        .join(' ')} and {quarter}`,
    );
  const quarter = String(Math.floor(date.getUTCMonth() / 3) + 1);
  return ok(format.replace(/%(.)/g, (_, name: string) => fields[name]!).replaceAll('{quarter}', quarter));
}

/** ISO 8601: the week that holds the year's first Thursday is week 1. */
function isoWeek(wall: number): number {
  const day = Math.floor(wall / DAY_MS);
  const thursday = day - ((new Date(wall).getUTCDay() + 6) % 7) + 3;
  const firstOfYear = Date.UTC(new Date(thursday * DAY_MS).getUTCFullYear(), 0, 1) / DAY_MS;
  return Math.floor((thursday - firstOfYear) / 7) + 1;
}
