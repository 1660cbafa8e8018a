import type { DateTime } from './datetime.ts';
import { TemplateError } from './errors.ts';
import { formatPercent } from './format.ts';
import { pythonJson, toDateTime } from './macros.ts';
import { TEXT_METHODS } from './methods.ts';
import { contains, member } from './operations.ts';
import {
  bind,
  equal,
  isPlainObject,
  isText,
  iterate,
  order,
  splitArgs,
  str,
  truthy,
  typeName,
  Undefined,
} from './values.ts';

type Filter = (value: unknown, ...args: unknown[]) => unknown;
type Test = (value: unknown, ...args: unknown[]) => boolean;

const orNone =
  (format: (moment: DateTime) => string): Filter =>
  (value) =>
    value === null ? null : format(toDateTime(value));

export const TIMESTAMPS = { ds: '%Y-%m-%d', ds_nodash: '%Y%m%d', ts_nodash: '%Y%m%dT%H%M%S' } as const;

/** `2024-12-01T01:00:00+00:00` → `20241201T010000+0000`. */
export const nodashWithTz = (moment: DateTime): string =>
  moment.isoformat().replaceAll('-', '').replaceAll(':', '').replace(/\.\d+/, '');

function attribute(item: unknown, path: unknown): unknown {
  return str(path)
    .split('.')
    .reduce<unknown>((at, key) => member(at, /^\d+$/.test(key) ? Number(key) : key, str(path), 1, false), item);
}

function keyed(attr: unknown): (item: unknown) => unknown {
  return attr === undefined || attr === null ? (item) => item : (item) => attribute(item, attr);
}

function extreme(direction: 1 | -1): Filter {
  return (value, ...args) => {
    const key = keyed(bind(['case_sensitive', 'attribute'], args)['attribute']);
    const items = iterate(value);
    return items.length === 0
      ? new Undefined('the least or greatest of an empty list')
      : items.reduce((best, item) => (order(key(item), key(best)) * direction < 0 ? item : best));
  };
}

function unique(value: unknown, ...args: unknown[]): unknown[] {
  const key = keyed(bind(['case_sensitive', 'attribute'], args)['attribute']);
  const seen: unknown[] = [];
  return iterate(value).filter((item) => {
    if (seen.some((each) => equal(each, key(item)))) return false;
    seen.push(key(item));
    return true;
  });
}

/** Filters that nunjucks lacks, or has with JavaScript's idea of values. `filter` and `test` find others by name. */
export function filtersWith(
  filter: (name: string) => Filter,
  test: (name: string) => Test,
): Readonly<Record<string, Filter>> {
  const pick =
    (keep: boolean, byAttribute: boolean): Filter =>
    (value, ...args) => {
      const { positional } = splitArgs(args);
      const [attr, name, ...rest] = byAttribute ? positional : [undefined, ...positional];
      const key = keyed(attr);
      return iterate(value).filter(
        (item) => (name === undefined ? truthy(definedOr(key(item))) : test(str(name))(key(item), ...rest)) === keep,
      );
    };
  const map: Filter = (value, ...args) => {
    const { positional, kwargs } = splitArgs(args);
    if ('attribute' in kwargs)
      return iterate(value).map((item) => withDefault(attribute(item, kwargs['attribute']), kwargs['default']));
    return iterate(value).map((item) => filter(str(positional[0]))(item, ...positional.slice(1)));
  };
  return {
    ds: orNone((m) => m.strftime(TIMESTAMPS.ds)),
    ds_nodash: orNone((m) => m.strftime(TIMESTAMPS.ds_nodash)),
    ts: orNone((m) => m.isoformat()),
    ts_nodash: orNone((m) => m.strftime(TIMESTAMPS.ts_nodash)),
    ts_nodash_with_tz: orNone(nodashWithTz),
    // For HTML and the quotes of a shell, as Jinja has it.
    tojson: (value, ...args) =>
      pythonJson(value, { indent: bind(['indent'], args)['indent'], sortKeys: true }).replaceAll(
        /[<>&']/g,
        (c) => `\\u00${c.charCodeAt(0).toString(16)}`,
      ),
    string: (value) => str(value),
    format: (value, ...args) => formatPercent(str(value), args.length === 1 && isPlainObject(args[0]) ? args[0] : args),
    join: (value, ...args) => {
      const { d = '', attribute: attr } = bind(['d', 'attribute'], args);
      return iterate(value)
        .map((item) => str(keyed(attr)(item)))
        .join(str(d));
    },
    length: size,
    count: size,
    list: (value) => [...iterate(value)],
    items: (value) => (isPlainObject(value) ? Object.entries(value) : []),
    attr: (value, name) => member(value, str(name), str(name), 1, false),
    first: (value) => iterate(value)[0] ?? new Undefined('the first item of an empty list'),
    last: (value) => iterate(value).at(-1) ?? new Undefined('the last item of an empty list'),
    min: extreme(1),
    max: extreme(-1),
    unique,
    sort: (value, ...args) => {
      const {
        reverse = false,
        attribute: attr,
        case_sensitive = false,
      } = bind(['reverse', 'case_sensitive', 'attribute'], args);
      const fold = (v: unknown): unknown => (isText(v) && !truthy(case_sensitive) ? String(v).toLowerCase() : v);
      const sorted = [...iterate(value)].sort((a, b) => order(fold(keyed(attr)(a)), fold(keyed(attr)(b))));
      return truthy(reverse) ? sorted.reverse() : sorted;
    },
    sum: (value, ...args) =>
      iterate(value).reduce(
        (total: number, item) => total + Number(keyed(bind(['attribute', 'start'], args)['attribute'])(item)),
        Number(bind(['attribute', 'start'], args)['start'] ?? 0),
      ),
    int: (value, ...args) => {
      const number = isText(value) ? Number.parseFloat(String(value)) : Number(value);
      return Number.isNaN(number) ? Number(bind(['default'], args)['default'] ?? 0) : Math.trunc(number);
    },
    upper: (value) => str(value).toUpperCase(),
    lower: (value) => str(value).toLowerCase(),
    trim: (value) => str(value).trim(),
    replace: (value, from, to, count) => TEXT_METHODS['replace']?.(str(value), from, to, count),
    map,
    select: pick(true, false),
    reject: pick(false, false),
    selectattr: pick(true, true),
    rejectattr: pick(false, true),
    // The two that take what is undefined.
    default: defaultFilter,
    d: defaultFilter,
  };
}

function size(value: unknown): number {
  if (isText(value)) return [...String(value)].length;
  if (value === null || typeof value === 'number' || typeof value === 'boolean')
    throw new TemplateError(`${typeName(value)} has no length`);
  return iterate(value).length;
}

const definedOr = (value: unknown): unknown => (value instanceof Undefined ? null : value);
const withDefault = (value: unknown, fallback: unknown): unknown =>
  value instanceof Undefined && fallback !== undefined ? fallback : value;

const defaultFilter: Filter = (value, ...args) => {
  const { default_value = '', boolean = false } = bind(['default_value', 'boolean'], args);
  return value instanceof Undefined || (truthy(boolean) && !truthy(value)) ? default_value : value;
};

/** These look at a value that may be undefined; every other filter and test refuses it. */
export const LENIENT = new Set(['default', 'd', 'defined', 'undefined']);

export const TESTS: Readonly<Record<string, Test>> = {
  defined: (value) => !(value instanceof Undefined),
  undefined: (value) => value instanceof Undefined,
  none: (value) => value === null,
  null: (value) => value === null,
  true: (value) => value === true,
  false: (value) => value === false,
  boolean: (value) => typeof value === 'boolean',
  number: (value) => typeof value === 'number',
  integer: (value) => Number.isInteger(value),
  float: (value) => typeof value === 'number' && !Number.isInteger(value),
  string: isText,
  mapping: isPlainObject,
  sequence: (value) => isText(value) || Array.isArray(value),
  iterable: (value) => isText(value) || (typeof value === 'object' && value !== null),
  callable: (value) => typeof value === 'function',
  in: (value, container) => contains(value, container),
  eq: equal,
  equalto: equal,
  sameas: (a, b) => a === b,
  ne: (a, b) => !equal(a, b),
  lt: (a, b) => order(a, b) < 0,
  lessthan: (a, b) => order(a, b) < 0,
  le: (a, b) => order(a, b) <= 0,
  gt: (a, b) => order(a, b) > 0,
  greaterthan: (a, b) => order(a, b) > 0,
  ge: (a, b) => order(a, b) >= 0,
  even: (value) => Number(value) % 2 === 0,
  odd: (value) => Math.abs(Number(value) % 2) === 1,
  divisibleby: (value, by) => Number(value) % Number(by) === 0,
  upper: (value) => str(value) === str(value).toUpperCase(),
  lower: (value) => str(value) === str(value).toLowerCase(),
};
