import { err, ok, type Json, type JsonObject, type Result } from '@rondo/kernel';
import { isAllowed, serialiserNamed, serialiserOf } from './serialisers.ts';

/**
 * Values as JSON. What JSON has stands as it is; everything else is `{ "$type": …, "$value": … }`:
 *
 *   date     ISO text, null for an invalid one       map      list of pairs
 *   bigint   its digits as text                      set      list
 *   bytes    base64 of a Uint8Array                  buffer   base64 of a Buffer
 *   number   "NaN", "Infinity", "-Infinity", "-0"    object   a plain object that has a key `$type`
 *
 * and for an instance of a registered class its registered name, which has a dot, with `$version`. `undefined` in a list is
 * null, a key with `undefined` is left out, in maps and sets it is `{ "$type": "undefined" }`. What stands in two places
 * becomes two values.
 */
export function encodeValue(value: unknown, allowed?: readonly string[]): Result<Json> {
  try {
    return ok(new Encoder(allowed).encode(value));
  } catch (error) {
    if (error instanceof Refusal) return err(error.message);
    throw error;
  }
}

/** The value again. Throws a TypeError for a tag, a class or a version that is not known here, or not allowed. */
export function decodeValue(json: Json, allowed?: readonly string[]): unknown {
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) return decodeList(json as readonly Json[], allowed);
  const object = json as JsonObject;
  return Object.hasOwn(object, TYPE) ? decodeTagged(object, allowed) : decodeObject(object, allowed);
}

const TYPE = '$type';
const VALUE = '$value';

class Refusal extends Error {}

const tagged = (type: string, value: Json, more: JsonObject = {}): Json => ({ [TYPE]: type, ...more, [VALUE]: value });

/** A key of an object, an index of a list, or the place of a pair of a map. */
type Step = string | number | { readonly pair: number };

class Encoder {
  readonly #allowed: readonly string[] | undefined;
  readonly #ancestors = new Set<object>();
  /** Where in the value it is: made into a text only for a refusal. */
  readonly #path: Step[] = [];

  constructor(allowed: readonly string[] | undefined) {
    this.#allowed = allowed;
  }

  encode(value: unknown): Json {
    switch (typeof value) {
      case 'string':
      case 'boolean':
        return value;
      case 'number':
        return Number.isFinite(value) && !Object.is(value, -0)
          ? value
          : tagged('number', Object.is(value, -0) ? '-0' : String(value));
      case 'bigint':
        return tagged('bigint', String(value));
      case 'object':
        return value === null ? null : this.#object(value);
      case 'undefined':
        return this.#refuse('undefined', 'null');
      default:
        return this.#refuse(`a ${typeof value}`);
    }
  }

  #refuse(what: string, advice?: string): never {
    const place = `$${this.#path.map(stepText).join('')}`;
    throw new Refusal(`${what} at ${place} cannot be stored${advice === undefined ? '' : `; use ${advice}`}`);
  }

  #object(value: object): Json {
    if (value instanceof Date) return tagged('date', Number.isNaN(value.getTime()) ? null : value.toISOString());
    if (Buffer.isBuffer(value)) return tagged('buffer', value.toString('base64'));
    if (value instanceof Uint8Array)
      return tagged('bytes', Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64'));
    if (this.#ancestors.has(value)) return this.#refuse('a reference to what holds it');
    this.#ancestors.add(value);
    const json = this.#container(value);
    this.#ancestors.delete(value);
    return json;
  }

  #container(value: object): Json {
    if (Array.isArray(value)) return this.#list(value, null);
    if (value instanceof Set) return tagged('set', this.#list([...value], UNDEFINED));
    if (value instanceof Map)
      return tagged(
        'map',
        Array.from(value, (pair, i) => this.#at({ pair: i }, () => this.#list(pair, UNDEFINED))),
      );
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === null || Object.getPrototypeOf(prototype) === null) {
      const plain = this.#fields(value);
      return Object.hasOwn(plain, TYPE) ? tagged('object', plain) : plain;
    }
    return this.#instance(value);
  }

  #at<T>(step: Step, encode: () => T): T {
    this.#path.push(step);
    const json = encode();
    this.#path.pop();
    return json;
  }

  /** `missing` stands in the place of undefined. Not by `map`: it leaves holes alone. */
  #list(list: readonly unknown[], missing: Json): Json[] {
    const items: Json[] = [];
    for (let i = 0; i < list.length; i++) {
      const item = list[i];
      this.#path.push(i);
      items.push(item === undefined ? missing : this.encode(item));
      this.#path.pop();
    }
    return items;
  }

  #fields(object: object): JsonObject {
    const plain: Record<string, Json> = {};
    for (const [key, item] of Object.entries(object)) {
      if (item === undefined) continue;
      this.#path.push(key);
      const json = this.encode(item);
      this.#path.pop();
      if (key === '__proto__')
        Object.defineProperty(plain, key, { value: json, enumerable: true, configurable: true, writable: true });
      else plain[key] = json;
    }
    return plain;
  }

  #instance(value: object): Json {
    const serialiser = serialiserOf(value);
    const name = value.constructor?.name ?? 'object';
    if (serialiser === undefined)
      return this.#refuse(`a ${name}`, ADVICE[name] ?? 'a plain object of its fields, or registerSerialiser');
    if (!isAllowed(serialiser.name, this.#allowed))
      return this.#refuse(`a ${serialiser.name}`, `one of the types that are allowed: ${this.#allowed?.join(', ')}`);
    const data = serialiser.serialise(value);
    return tagged(serialiser.name, this.encode(data ?? null), { $version: serialiser.version });
  }
}

const UNDEFINED: Json = { [TYPE]: 'undefined' };

function stepText(step: Step): string {
  if (typeof step === 'number') return `[${step}]`;
  return typeof step === 'string' ? keyText(step) : `<${step.pair}>`;
}

const keyText = (key: string): string => (/^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`);

const ADVICE: Readonly<Record<string, string>> = {
  Error: 'its message',
  RegExp: 'its source',
  URL: 'its href',
  ArrayBuffer: 'a Uint8Array',
  Promise: 'await',
};

/** The same list where nothing in it is tagged: most values are plain, and large ones need no copy. */
function decodeList(list: readonly Json[], allowed: readonly string[] | undefined): unknown[] {
  let copy: unknown[] | undefined;
  for (let i = 0; i < list.length; i++) {
    const item = decodeValue(list[i]!, allowed);
    if (item !== list[i]) (copy ??= [...list])[i] = item;
  }
  return copy ?? (list as unknown[]);
}

function decodeObject(object: JsonObject, allowed: readonly string[] | undefined): object {
  let changed = false;
  const entries = Object.entries(object).map(([key, item]) => {
    const value = decodeValue(item, allowed);
    changed ||= value !== item;
    return [key, value] as const;
  });
  return changed ? (Object.fromEntries(entries) as object) : object;
}

function decodeTagged(json: JsonObject, allowed: readonly string[] | undefined): unknown {
  const type = json[TYPE];
  const value = json[VALUE] ?? null;
  switch (type) {
    case 'undefined':
      return undefined;
    case 'date':
      return new Date(value === null ? Number.NaN : String(value));
    case 'bigint':
      return BigInt(String(value));
    case 'number':
      return Number(value);
    case 'bytes':
      return new Uint8Array(Buffer.from(String(value), 'base64'));
    case 'buffer':
      return Buffer.from(String(value), 'base64');
    case 'map':
      return new Map(decodeList(value as readonly Json[], allowed) as [unknown, unknown][]);
    case 'set':
      return new Set(decodeList(value as readonly Json[], allowed));
    case 'object':
      return decodeObject(value as JsonObject, allowed);
    default:
      return decodeInstance(String(type), value, Number(json['$version']), allowed);
  }
}

function decodeInstance(name: string, value: Json, version: number, allowed: readonly string[] | undefined): unknown {
  const serialiser = serialiserNamed(name);
  if (serialiser === undefined)
    throw new TypeError(`a value of type '${name}' cannot be read: this DAG file registers no serialiser of that name`);
  if (!isAllowed(name, allowed))
    throw new TypeError(`a value of type '${name}' is not allowed here; allowed: ${allowed?.join(', ')}`);
  if (!(version >= 1 && version <= serialiser.version))
    throw new TypeError(
      `a value of type '${name}' was written by version ${version} of its serialiser; this DAG file has version ${serialiser.version}`,
    );
  return serialiser.deserialise(decodeValue(value, allowed), version);
}

const TAGS = ['date', 'bigint', 'number', 'bytes', 'buffer', 'map', 'set', 'object', 'undefined'];

/** What is wrong with JSON that should be a value as `encodeValue` writes it; undefined: nothing. Classes are not looked up. */
export function problemOfEncoded(json: Json, path = '$'): string | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  if (Array.isArray(json)) return firstProblem(json.map((item: Json, i) => [item, `${path}[${i}]`]));
  const object = json as JsonObject;
  const type = object[TYPE];
  if (type === undefined) return firstProblem(Object.entries(object).map(([key, item]) => [item, path + keyText(key)]));
  const known = typeof type === 'string' && (TAGS.includes(type) || type.includes('.'));
  if (!known) return `$type at ${path} is ${JSON.stringify(type)}; allowed: ${TAGS.join(', ')}, or the name of a class`;
  try {
    if (TAGS.includes(type)) decodeValue(json, []);
  } catch (error) {
    // A class inside of it is not known here.
    if (!(error instanceof TypeError && error.message.startsWith("a value of type '"))) return `${path} is no ${type}`;
  }
  return problemOfEncoded(object[VALUE] ?? null, `${path}.${VALUE}`);
}

function firstProblem(items: readonly (readonly [Json, string])[]): string | undefined {
  for (const [item, path] of items) {
    const problem = problemOfEncoded(item, path);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
