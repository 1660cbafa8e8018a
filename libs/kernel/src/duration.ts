import { err, ok, type Result } from './result.ts';

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

export interface DurationParts {
  readonly weeks?: number;
  readonly days?: number;
  readonly hours?: number;
  readonly minutes?: number;
  readonly seconds?: number;
  readonly milliseconds?: number;
}

/** A length of time: text such as `'90s'`, `'5m'`, `'1h30m'`, or parts such as `{ minutes: 5 }`. */
export type Duration = string | DurationParts;

const PART_MS: Readonly<Record<keyof DurationParts, number>> = {
  weeks: 604_800_000,
  days: 86_400_000,
  hours: 3_600_000,
  minutes: 60_000,
  seconds: 1_000,
  milliseconds: 1,
};

const allowed = `a duration is text like '90s', '5m', '1h30m', '2d' (units ${Object.keys(UNITS).join(', ')}) or an object like { minutes: 5 }`;

/** Milliseconds of a duration; never negative. Refuses anything else with a text that says what is allowed. */
export function parseDuration(input: unknown): Result<number> {
  if (typeof input === 'string') return parseText(input);
  if (typeof input === 'object' && input !== null && !Array.isArray(input)) return parseParts(input);
  return err(`${JSON.stringify(input) ?? String(input)} is not a duration: ${allowed}`);
}

function parseText(text: string): Result<number> {
  const compact = text.replaceAll(' ', '');
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d|w))+$/.test(compact)) return err(`'${text}' is not a duration: ${allowed}`);
  let total = 0;
  for (const [, amount, unit] of compact.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/g))
    total += Number(amount) * (UNITS[unit!] ?? 0);
  return ok(Math.round(total));
}

function parseParts(parts: object): Result<number> {
  let total = 0;
  for (const [key, value] of Object.entries(parts)) {
    const unit = PART_MS[key as keyof DurationParts];
    if (unit === undefined || typeof value !== 'number' || !Number.isFinite(value) || value < 0)
      return err(`{ ${key}: ${String(value)} } is not a duration: ${allowed}`);
    total += value * unit;
  }
  return ok(Math.round(total));
}

/** `93500` → `'1m 33s'`; below a second `'120ms'`, below a minute `'3.5s'`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)}ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)}s`;
  const parts: string[] = [];
  let rest = Math.floor(ms / 1_000);
  for (const [unit, size] of [
    ['d', 86_400],
    ['h', 3_600],
    ['m', 60],
    ['s', 1],
  ] as const) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count}${unit}`);
  }
  return parts.slice(0, 2).join(' ');
}
