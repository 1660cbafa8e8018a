import type { Json, JsonObject } from '@rondo/kernel';
import type { AttemptOverrides, RetryWith } from './rules.ts';

/** What the task itself says: where growth begins. */
export interface OverrideBase {
  readonly poolSlots: number;
  readonly executionTimeoutMs?: number;
  readonly resources?: JsonObject;
  readonly args: JsonObject;
}

const FACTOR = /^x(\d+(?:\.\d+)?)$/;
const QUANTITY = /^(\d+(?:\.\d+)?)(\s*[A-Za-z%]*)$/;

/** The factor of `'x2'`; undefined for anything else. */
export function factorOf(value: unknown): number | undefined {
  const match = typeof value === 'string' ? FACTOR.exec(value) : null;
  return match === null ? undefined : Number(match[1]);
}

/** Times a factor: a number, or a number with a unit (`'4g'`); undefined for what is no quantity. */
export function times(value: Json | undefined, factor: number): Json | undefined {
  if (typeof value === 'number') return rounded(value * factor);
  const match = typeof value === 'string' ? QUANTITY.exec(value) : null;
  return match === null ? undefined : `${rounded(Number(match[1]) * factor)}${match[2]}`;
}

/** What three digits after the point do not tell is noise of the arithmetic. */
const rounded = (value: number): number => Math.round(value * 1_000) / 1_000;

/**
 * What the next try gets: what the last one got, changed by the rule. `uses`: tries that the rule has granted before. A factor
 * of what is no quantity changes nothing.
 */
export function overridesOf(
  change: RetryWith,
  uses: number,
  base: OverrideBase,
  last: AttemptOverrides = {},
): AttemptOverrides {
  const next = <T extends Json>(value: T | string | readonly T[] | undefined, from: T | undefined): T | undefined =>
    grown(value, uses, from) as T | undefined;
  const { env } = change;
  const resources = grownEach(change.resources, uses, { ...base.resources, ...last.resources });
  return defined({
    pool: next(change.pool, last.pool) ?? last.pool,
    poolSlots: whole(next(change.poolSlots, last.poolSlots ?? base.poolSlots)) ?? last.poolSlots,
    queue: next(change.queue, last.queue) ?? last.queue,
    executor: next(change.executor, last.executor) ?? last.executor,
    executionTimeoutMs:
      whole(next(change.executionTimeoutMs, last.executionTimeoutMs ?? base.executionTimeoutMs)) ??
      last.executionTimeoutMs,
    resources: resources === undefined ? last.resources : { ...last.resources, ...resources },
    env: env === undefined ? last.env : { ...last.env, ...(grownEach(env, uses, {}) as Record<string, string>) },
    args: change.args === undefined ? last.args : merged(change.args, last.args ?? {}, base.args),
  });
}

const whole = (value: number | undefined): number | undefined =>
  value === undefined ? undefined : Math.max(1, Math.round(value));

function grown(value: Json | undefined, uses: number, from: Json | undefined): Json | undefined {
  if (Array.isArray(value)) {
    const list = value as readonly Json[];
    return grown(list[Math.min(uses, list.length - 1)], uses, from);
  }
  const factor = factorOf(value);
  return factor === undefined ? value : (times(from, factor) ?? from);
}

function grownEach(
  values: Readonly<Record<string, Json>> | undefined,
  uses: number,
  from: JsonObject,
): JsonObject | undefined {
  if (values === undefined) return undefined;
  const result: Record<string, Json> = {};
  for (const [name, value] of Object.entries(values)) {
    const next = grown(value, uses, from[name]);
    if (next !== undefined) result[name] = next;
  }
  return result;
}

/** Objects are merged, a factor is of the last try's value, else of the task's; everything else takes its place. */
function merged(change: JsonObject, last: JsonObject, base: JsonObject): JsonObject {
  const result: Record<string, Json> = { ...last };
  for (const [name, value] of Object.entries(change)) {
    const own = objectOf(value);
    const factor = factorOf(value);
    const next =
      own !== undefined
        ? merged(own, objectOf(last[name]) ?? {}, objectOf(base[name]) ?? {})
        : factor !== undefined
          ? times(last[name] ?? base[name], factor)
          : value;
    if (next !== undefined) result[name] = next;
  }
  return result;
}

function objectOf(value: Json | undefined): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
}

function defined(overrides: { readonly [K in keyof AttemptOverrides]: AttemptOverrides[K] | undefined }) {
  return Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined)) as AttemptOverrides;
}

/** What a task was given with what a try has been given put over it: objects are merged. */
export function withArgs(
  given: Readonly<Record<string, unknown>>,
  over: JsonObject | undefined,
): Readonly<Record<string, unknown>> {
  if (over === undefined) return given;
  const result: Record<string, unknown> = { ...given };
  for (const [name, value] of Object.entries(over)) {
    const own = objectOf(value);
    const under = given[name];
    const isObject = typeof under === 'object' && under !== null && Object.getPrototypeOf(under) === Object.prototype;
    result[name] = own !== undefined && isObject ? withArgs(under as Readonly<Record<string, unknown>>, own) : value;
  }
  return result;
}
