import { err, ok, type Json, type JsonObject, type Result } from '@rondo/kernel';
import type { SensorEvent } from './sensor-event.ts';

/**
 * Which events pass: the dialects of CloudEvents Subscriptions over the attributes, and `data`, which compares values inside
 * of the event's data by their path. A list is `all`.
 */
export type EventFilter =
  | readonly EventFilter[]
  | { readonly exact: Readonly<Record<string, string>> }
  | { readonly prefix: Readonly<Record<string, string>> }
  | { readonly suffix: Readonly<Record<string, string>> }
  | { readonly all: readonly EventFilter[] }
  | { readonly any: readonly EventFilter[] }
  | { readonly not: EventFilter }
  /** Path such as `order.lines[0].sku` → the value there. */
  | { readonly data: Readonly<Record<string, Json>> };

export type EventTest = (event: SensorEvent) => boolean;

const DIALECTS = 'exact, prefix, suffix, data, all, any, not';

/** A refusal names the place in the filter, the value and what is allowed. */
export function compileFilter(filter: Json | undefined, place = 'filter'): Result<EventTest> {
  if (filter === undefined) return ok(() => true);
  if (Array.isArray(filter)) return every(filter, place);
  if (typeof filter !== 'object' || filter === null) return refuse(place, filter, `an object with one of ${DIALECTS}`);
  const entries = Object.entries(filter as JsonObject);
  if (entries.length !== 1) return refuse(place, filter, `an object with exactly one of ${DIALECTS}`);
  const [dialect, value] = entries[0]!;
  const at = `${place}.${dialect}`;
  switch (dialect) {
    case 'exact':
      return attributes(value, at, (has, wanted) => has === wanted);
    case 'prefix':
      return attributes(value, at, (has, wanted) => has.startsWith(wanted));
    case 'suffix':
      return attributes(value, at, (has, wanted) => has.endsWith(wanted));
    case 'data':
      return dataTest(value, at);
    case 'all':
      return Array.isArray(value) ? every(value, at) : refuse(at, value, 'a list of filters');
    case 'any':
      return Array.isArray(value) ? some(value, at) : refuse(at, value, 'a list of filters');
    case 'not': {
      const inner = compileFilter(value, at);
      return inner.ok ? ok((event) => !inner.value(event)) : inner;
    }
    default:
      return refuse(place, dialect, `one of ${DIALECTS}`);
  }
}

const refuse = (place: string, value: Json | undefined, allowed: string): Result<never> =>
  err(`${place} is ${JSON.stringify(value)?.slice(0, 200) ?? 'missing'}; allowed: ${allowed}`);

function compileAll(filters: readonly Json[], place: string): Result<readonly EventTest[]> {
  const tests: EventTest[] = [];
  for (const [i, filter] of filters.entries()) {
    const test = compileFilter(filter, `${place}[${i}]`);
    if (!test.ok) return test;
    tests.push(test.value);
  }
  return tests.length > 0 ? ok(tests) : refuse(place, [], 'a list of at least one filter');
}

function every(filters: readonly Json[], place: string): Result<EventTest> {
  const tests = compileAll(filters, place);
  return tests.ok ? ok((event) => tests.value.every((test) => test(event))) : tests;
}

function some(filters: readonly Json[], place: string): Result<EventTest> {
  const tests = compileAll(filters, place);
  return tests.ok ? ok((event) => tests.value.some((test) => test(event))) : tests;
}

function attributes(
  wanted: Json | undefined,
  place: string,
  compare: (has: string, wanted: string) => boolean,
): Result<EventTest> {
  const pairs = pairsOf(wanted);
  if (pairs === undefined || pairs.some(([, value]) => typeof value !== 'string' || value === ''))
    return refuse(place, wanted, 'an object of attributes and texts, for example { "subject": "orders/" }');
  return ok((event) =>
    pairs.every(([name, value]) => {
      const has = name === 'data' ? undefined : event[name];
      return has !== undefined && has !== null && compare(String(has), value as string);
    }),
  );
}

function dataTest(wanted: Json | undefined, place: string): Result<EventTest> {
  const pairs = pairsOf(wanted);
  if (pairs === undefined)
    return refuse(place, wanted, 'an object of paths and values, for example { "order.status": "paid" }');
  const tests: { readonly path: readonly string[]; readonly value: Json }[] = [];
  for (const [text, value] of pairs) {
    const path = pathOf(text);
    if (path === undefined) return refuse(place, text, 'paths such as order.lines[0].sku');
    tests.push({ path, value: value ?? null });
  }
  return ok((event) => tests.every(({ path, value }) => equal(valueAt(event.data, path), value)));
}

function pairsOf(value: Json | undefined): [string, Json | undefined][] | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const pairs = Object.entries(value as JsonObject);
  return pairs.length === 0 ? undefined : pairs;
}

/** `$.order.lines[0].sku`, the `$.` being optional. */
function pathOf(text: string): readonly string[] | undefined {
  const plain = text.replace(/^\$\.?/, '').replaceAll(/\[(\d+)\]/g, '.$1');
  const parts = plain.split('.').filter((part, i) => part !== '' || i > 0);
  return parts.length === 0 || parts.some((part) => part === '') ? undefined : parts;
}

function valueAt(data: Json | undefined, path: readonly string[]): Json | undefined {
  let at: unknown = data;
  for (const part of path) {
    if (typeof at !== 'object' || at === null || !Object.prototype.propertyIsEnumerable.call(at, part))
      return undefined;
    at = (at as Readonly<Record<string, unknown>>)[part];
  }
  return at as Json | undefined;
}

function equal(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = Object.entries(a);
  const right = b as Readonly<Record<string, Json>>;
  return (
    left.length === Object.keys(right).length &&
    left.every(([key, value]) => Object.hasOwn(right, key) && equal(value, right[key]))
  );
}
