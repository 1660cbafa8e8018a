import { DateTime, TimeDelta } from './datetime.ts';
import { TemplateError } from './errors.ts';
import { formatPercent } from './format.ts';
import { DICT_METHODS, LIST_METHODS, TEXT_METHODS } from './methods.ts';
import {
  equal,
  isMoment,
  isPlainObject,
  isText,
  iterate,
  Lazy,
  Members,
  order,
  str,
  strict,
  truthy,
  typeName,
  Undefined,
} from './values.ts';

/** The names that a template may use. */
interface Scope {
  lookup(name: string): unknown;
}

const LITERALS: Readonly<Record<string, unknown>> = { True: true, False: false, None: null };
const FORBIDDEN = new Set(['constructor', '__proto__', 'prototype', 'caller', 'callee', 'arguments']);

/** The value of a name; what is nowhere is an Undefined that tells its name and line. */
export function lookup(context: Scope, frame: Scope, name: string, line: number): unknown {
  const local = frame.lookup(name);
  const found = local === undefined ? context.lookup(name) : local;
  const value = found instanceof Lazy ? found.get() : found;
  if (value !== undefined && !FORBIDDEN.has(name)) return value;
  return name in LITERALS ? LITERALS[name] : new Undefined(name, line, missingHint(name));
}

const LOGICAL = new Set([
  'ds',
  'ds_nodash',
  'ts',
  'ts_nodash',
  'ts_nodash_with_tz',
  'logical_date',
  'data_interval_start',
  'data_interval_end',
  'prev_data_interval_start_success',
  'prev_data_interval_end_success',
]);
const missingHint = (name: string): string => (LOGICAL.has(name) ? ' (the run has no logical date)' : '');

/** `target.key` and `target[key]`. `call` is true where the member is called at once: there a method comes before a key. */
export function member(target: unknown, key: unknown, path: string, line: number, call: boolean): unknown {
  if (target instanceof Undefined) target.refuse();
  const missing = (hint = ''): Undefined => new Undefined(path, line, hint);
  if (target === null || target === undefined) return missing(`: there is no member of None`);
  if (isText(target)) return textMember(String(target), key, missing);
  if (target instanceof Members)
    return call && key === 'get' ? target.get.bind(target) : (target.find(str(key)) ?? missing());
  if (Array.isArray(target)) {
    if (typeof key === 'number')
      return key < -target.length || key >= target.length
        ? missing(`: the list has ${target.length} items`)
        : target.at(key);
    return method(LIST_METHODS, target, key) ?? missing();
  }
  const name = str(key);
  if (FORBIDDEN.has(name)) return missing();
  if (isPlainObject(target)) {
    const own = Object.hasOwn(target, name) ? target[name] : undefined;
    if (call && typeof own !== 'function') return method(DICT_METHODS, target, name) ?? own ?? missing();
    return own ?? (Object.hasOwn(target, name) ? null : (method(DICT_METHODS, target, name) ?? missing()));
  }
  const value: unknown =
    target instanceof Map
      ? target.get(key)
      : ((target instanceof Date ? DateTime.from(target) : target) as Record<string, unknown>)[name];
  if (typeof value === 'function') return value.bind(target instanceof Date ? DateTime.from(target) : target);
  return value === undefined ? missing() : value;
}

function textMember(text: string, key: unknown, missing: () => Undefined): unknown {
  if (typeof key === 'number') return [...text].at(key) ?? missing();
  return method(TEXT_METHODS, text, key) ?? missing();
}

function method<T>(
  table: Readonly<Record<string, (self: T, ...args: unknown[]) => unknown>>,
  self: T,
  key: unknown,
): unknown {
  const found = typeof key === 'string' && Object.hasOwn(table, key) ? table[key] : undefined;
  return found === undefined ? undefined : (...args: unknown[]) => found(self, ...args);
}

/** `target[start:stop:step]` of a text or a list. */
export function slice(target: unknown, start: unknown, stop: unknown, step: unknown): unknown {
  const items = isText(target) ? [...String(target)] : iterate(target);
  const by = step === null ? 1 : Number(step);
  const limit = (value: unknown, fallback: number): number => {
    if (value === null) return fallback;
    const index = Number(value) < 0 ? Number(value) + items.length : Number(value);
    return Math.min(Math.max(index, by < 0 ? -1 : 0), by < 0 ? items.length - 1 : items.length);
  };
  const picked: unknown[] = [];
  if (by > 0) for (let i = limit(start, 0), end = limit(stop, items.length); i < end; i += by) picked.push(items[i]);
  else for (let i = limit(start, items.length - 1), end = limit(stop, -1); i > end; i += by) picked.push(items[i]);
  return isText(target) ? picked.join('') : picked;
}

function refuse(operator: string, a: unknown, b: unknown): never {
  throw new TemplateError(`'${operator}' is not defined between ${typeName(a)} and ${typeName(b)}`);
}

/** Whole numbers of which one is too large for a number. */
const isBig = (a: unknown, b: unknown): a is bigint | number =>
  (typeof a === 'bigint' && (typeof b === 'bigint' || Number.isSafeInteger(b))) ||
  (typeof b === 'bigint' && Number.isSafeInteger(a));
const isNumber = (v: unknown): v is number | boolean => typeof v === 'number' || typeof v === 'boolean';

export function add(left: unknown, right: unknown): unknown {
  const [a, b] = [strict(left), strict(right)];
  if (isNumber(a) && isNumber(b)) return Number(a) + Number(b);
  if (isBig(a, b)) return BigInt(a) + BigInt(b as number);
  if (isText(a) && isText(b)) return String(a) + String(b);
  if (Array.isArray(a) && Array.isArray(b)) return [...a, ...b];
  if (isMoment(a) && b instanceof TimeDelta) return DateTime.from(a).plus(b);
  if (a instanceof TimeDelta && isMoment(b)) return DateTime.from(b).plus(a);
  if (a instanceof TimeDelta && b instanceof TimeDelta) return a.plus(b);
  return refuse('+', a, b);
}

export function sub(left: unknown, right: unknown): unknown {
  const [a, b] = [strict(left), strict(right)];
  if (isNumber(a) && isNumber(b)) return Number(a) - Number(b);
  if (isBig(a, b)) return BigInt(a) - BigInt(b as number);
  if (isMoment(a))
    return b instanceof TimeDelta
      ? DateTime.from(a).minus(b)
      : isMoment(b)
        ? DateTime.from(a).minus(DateTime.from(b))
        : refuse('-', a, b);
  if (a instanceof TimeDelta && b instanceof TimeDelta) return a.plus(b.negated());
  return refuse('-', a, b);
}

export function mul(left: unknown, right: unknown): unknown {
  const [a, b] = [strict(left), strict(right)];
  if (isNumber(a) && isNumber(b)) return Number(a) * Number(b);
  if (isBig(a, b)) return BigInt(a) * BigInt(b as number);
  if (isNumber(a)) return mul(b, a);
  if (isText(a) && isNumber(b)) return String(a).repeat(Math.max(0, Number(b)));
  if (Array.isArray(a) && isNumber(b)) return Array.from({ length: Math.max(0, Number(b)) }, () => a).flat();
  if (a instanceof TimeDelta && isNumber(b)) return a.times(Number(b));
  return refuse('*', a, b);
}

function divisor(operator: string, a: unknown, b: unknown): number {
  if (!isNumber(a) || !isNumber(b)) return refuse(operator, a, b);
  if (Number(b) === 0) throw new TemplateError('division by zero');
  return Number(b);
}

export function div(left: unknown, right: unknown): unknown {
  const [a, b] = [strict(left), strict(right)];
  if (a instanceof TimeDelta)
    return b instanceof TimeDelta ? a.total_seconds() / b.total_seconds() : a.times(1 / divisor('/', 1, b));
  return Number(a) / divisor('/', a, b);
}

export function floorDiv(left: unknown, right: unknown): unknown {
  const [a, b] = [strict(left), strict(right)];
  return Math.floor(Number(a) / divisor('//', a, b));
}

/** Python's remainder takes the divisor's sign; of a text it is formatting. */
export function mod(left: unknown, right: unknown): unknown {
  const [a, b] = [strict(left), strict(right)];
  if (isText(a)) return formatPercent(String(a), b);
  const by = divisor('%', a, b);
  return ((Number(a) % by) + by) % by;
}

export function pow(left: unknown, right: unknown): unknown {
  const [a, b] = [strict(left), strict(right)];
  return isNumber(a) && isNumber(b) ? Number(a) ** Number(b) : refuse('**', a, b);
}

export function neg(value: unknown): unknown {
  const v = strict(value);
  return v instanceof TimeDelta ? v.negated() : isNumber(v) ? -Number(v) : refuse('-', 0, v);
}

export const concat = (a: unknown, b: unknown): string => str(a) + str(b);
export const not = (a: unknown): boolean => !truthy(a);

export function and(a: unknown, b: () => unknown): unknown {
  return truthy(a) ? b() : a;
}

export function or(a: unknown, b: () => unknown): unknown {
  return truthy(a) ? a : b();
}

export function compare(left: unknown, operator: string, right: unknown): boolean {
  const [a, b] = [strict(left), strict(right)];
  switch (operator) {
    case '==':
    case '===':
      return equal(a, b);
    case '!=':
    case '!==':
      return !equal(a, b);
    case '<':
      return order(a, b) < 0;
    case '<=':
      return order(a, b) <= 0;
    case '>':
      return order(a, b) > 0;
    default:
      return order(a, b) >= 0;
  }
}

export function contains(item: unknown, container: unknown): boolean {
  const [a, b] = [strict(item), strict(container)];
  if (isText(b)) return String(b).includes(str(a));
  return iterate(b).some((each) => equal(each, a));
}

/** What a `for` goes through; with several names a dict gives its pairs. */
export function each(value: unknown, names: number): unknown[] {
  const v = strict(value);
  return names > 1 && isPlainObject(v) ? Object.entries(v) : iterate(v);
}

export function call(target: unknown, path: string, args: readonly unknown[]): unknown {
  const fn = strict(target);
  if (typeof fn !== 'function') throw new TemplateError(`'${path}' is ${typeName(fn)}, which cannot be called`);
  const value: unknown = fn(...args.map(strict));
  if (value instanceof Promise)
    throw new TemplateError(
      `'${path}' answers a promise, and a template cannot wait; allowed: a function that is not async`,
    );
  return value;
}

export { str, truthy };
