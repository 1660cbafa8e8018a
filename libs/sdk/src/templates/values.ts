import { DateTime, TimeDelta } from './datetime.ts';
import { TemplateError } from './errors.ts';
import { isLiteral, literalValue } from './literal.ts';

/** A name or member that is not there. Any use of it but `is defined` and `default` is an error (Jinja's StrictUndefined). */
export class Undefined {
  readonly path: string;
  readonly line: number | undefined;
  readonly hint: string;

  constructor(path: string, line?: number, hint = '') {
    this.path = path;
    this.line = line;
    this.hint = hint;
  }

  refuse(): never {
    throw new TemplateError(`'${this.path}' is undefined${this.hint}`, { line: this.line });
  }
}

/** A name whose value is looked up when a template asks for it. */
export class Lazy {
  readonly get: () => unknown;

  constructor(get: () => unknown) {
    this.get = get;
  }
}

/** Members that are found by name when a template asks for them: variables, connections. */
export class Members {
  readonly find: (name: string) => unknown;

  constructor(find: (name: string) => unknown) {
    this.find = find;
  }

  /** `var.value.get('key', 'fallback')`. */
  get(name: unknown, fallback: unknown = null): unknown {
    return this.find(str(name)) ?? fallback;
  }
}

/** The value; an undefined one is refused. */
export function strict<T>(value: T): Exclude<T, Undefined> {
  if (value instanceof Undefined) value.refuse();
  return value as Exclude<T, Undefined>;
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** nunjucks marks what a macro or `safe` returns with an object that is a text. */
export function isText(value: unknown): value is string {
  return typeof value === 'string' || value instanceof String;
}

/** What `{{ value }}` prints: Python's `str()`. */
export function str(value: unknown): string {
  return isText(value) ? String(value) : repr(strict(value));
}

/** Python's `repr()`: inside lists and dicts texts are quoted. */
export function repr(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (isText(value)) return quote(String(value));
  if (Array.isArray(value)) return `[${value.map(repr).join(', ')}]`;
  if (value instanceof Set) return value.size === 0 ? 'set()' : `{${[...value].map(repr).join(', ')}}`;
  if (value instanceof Date) return DateTime.from(value).toString();
  if (value instanceof Uint8Array) return `b${quote(Buffer.from(value).toString('latin1'))}`;
  if (isLiteral(value)) return repr(literalValue(value));
  if (value instanceof Map) return `{${[...value].map(([k, v]) => `${repr(k)}: ${repr(v)}`).join(', ')}}`;
  if (isPlainObject(value))
    return `{${Object.entries(value)
      .map(([k, v]) => `${quote(k)}: ${repr(v)}`)
      .join(', ')}}`;
  return String(value);
}

function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t')
    .replaceAll(mark, `\\${mark}`);
  return `${mark}${escaped}${mark}`;
}

/** Python's truth: empty texts, lists and dicts, 0 and None are false. */
export function truthy(value: unknown): boolean {
  const v = strict(value);
  if (isText(v) || Array.isArray(v)) return v.length > 0;
  if (v instanceof Map || v instanceof Set) return v.size > 0;
  if (v instanceof TimeDelta) return v.total_seconds() !== 0;
  if (isPlainObject(v)) return Object.keys(v).length > 0;
  return Boolean(v);
}

export function equal(a: unknown, b: unknown): boolean {
  if (isText(a) && isText(b)) return String(a) === String(b);
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => equal(item, b[i]));
  if (isPlainObject(a) && isPlainObject(b)) {
    const keys = Object.keys(a);
    return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]));
  }
  if (isMoment(a) && isMoment(b)) return DateTime.from(a).ms === DateTime.from(b).ms;
  if (a instanceof TimeDelta && b instanceof TimeDelta) return a.total_seconds() === b.total_seconds();
  if ((a ?? null) === null && (b ?? null) === null) return true;
  if (isNumeric(a) && isNumeric(b))
    return typeof a === 'bigint' && typeof b === 'bigint' ? a === b : Number(a) === Number(b);
  return a === b;
}

export function isMoment(value: unknown): value is DateTime | Date {
  return value instanceof DateTime || value instanceof Date;
}

/** Below 0, 0, above 0; values without an order are refused. */
export function order(a: unknown, b: unknown): number {
  if (isText(a) && isText(b)) return String(a) < String(b) ? -1 : Number(String(a) > String(b));
  if (isNumeric(a) && isNumeric(b)) return a < b ? -1 : Number(a > b);
  if (isMoment(a) && isMoment(b)) return DateTime.from(a).ms - DateTime.from(b).ms;
  if (a instanceof TimeDelta && b instanceof TimeDelta) return a.total_seconds() - b.total_seconds();
  if (Array.isArray(a) && Array.isArray(b)) {
    for (let i = 0; i < Math.min(a.length, b.length); i++) {
      const each = order(a[i], b[i]);
      if (each !== 0) return each;
    }
    return a.length - b.length;
  }
  throw new TemplateError(`${typeName(a)} and ${typeName(b)} have no order`);
}

function isNumeric(value: unknown): value is number | bigint | boolean {
  return typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean';
}

/** Python's name of a value's type, for messages. */
export function typeName(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (isText(value)) return 'a text';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'number' || typeof value === 'bigint') return 'a number';
  if (typeof value === 'boolean') return 'a boolean';
  if (typeof value === 'function') return 'a function';
  if (isMoment(value)) return 'a datetime';
  if (value instanceof TimeDelta) return 'a timedelta';
  return 'a dict';
}

export interface Kwargs {
  readonly [name: string]: unknown;
}

/** nunjucks hands keyword arguments over as a marked last argument. */
export function splitArgs(args: readonly unknown[]): {
  readonly positional: readonly unknown[];
  readonly kwargs: Kwargs;
} {
  const last = args.at(-1);
  if (typeof last !== 'object' || last === null || !Object.hasOwn(last, '__keywords'))
    return { positional: args, kwargs: {} };
  const { __keywords: _, ...kwargs } = last as Record<string, unknown>;
  return { positional: args.slice(0, -1), kwargs };
}

/** The arguments of a call by the names of its parameters, positional ones first. */
export function bind(names: readonly string[], args: readonly unknown[]): Record<string, unknown> {
  const { positional, kwargs } = splitArgs(args);
  return {
    ...Object.fromEntries(positional.map((value, i) => [names[i] ?? `argument ${i + 1}`, strict(value)])),
    ...kwargs,
  };
}

/** What a `for` loop or a list filter goes through. */
export function iterate(value: unknown): unknown[] {
  const v = strict(value);
  if (Array.isArray(v)) return v;
  if (isText(v)) return [...String(v)];
  if (v instanceof Map) return [...v.keys()];
  if (typeof v === 'object' && v !== null && Symbol.iterator in v) return [...(v as Iterable<unknown>)];
  if (isPlainObject(v)) return Object.keys(v);
  throw new TemplateError(`${typeName(v)} cannot be iterated`);
}
