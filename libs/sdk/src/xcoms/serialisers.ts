import { show } from '../authoring/error.ts';

/** How instances of a class become XComs and come back. */
export interface Serialiser<T extends object, D = unknown> {
  /** Stands with each value: words with dots between them, such as `acme.Money`. */
  readonly name: string;
  /** From 1. Grows when `serialise` gives something else than before. */
  readonly version: number;
  /** The class itself: instances of its subclasses need serialisers of their own. */
  readonly type: abstract new (...args: never[]) => T;
  /** Anything that may be an XCom itself. */
  serialise(value: T): D;
  /** `version`: that of the serialiser which wrote it, at most its own. */
  deserialise(data: D, version: number): T;
}

type AnySerialiser = Serialiser<object>;

/** One registry for all copies of the SDK in a process. */
const REGISTRY = Symbol.for('rondo.serialisers');
const NAME = /^[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*)+$/;

function registry(): Map<string, AnySerialiser> {
  const holder = globalThis as { [REGISTRY]?: Map<string, AnySerialiser> };
  return (holder[REGISTRY] ??= new Map());
}

/**
 * Lets instances of a class be XComs, in every task whose DAG file registers it: what is not registered is neither written nor
 * read. To be called at the top of a DAG file, or of a module that DAG files import. Throws for a name that another class has.
 */
export function registerSerialiser<T extends object, D>(serialiser: Serialiser<T, D>): void {
  const { name, version, type } = serialiser;
  if (!NAME.test(name))
    throw new TypeError(`the name of a serialiser is ${show(name)}; allowed: words with dots, such as 'acme.Money'`);
  if (!Number.isSafeInteger(version) || version < 1)
    throw new TypeError(`serialiser '${name}': version is ${show(version)}; allowed: a whole number from 1`);
  if (typeof type !== 'function') throw new TypeError(`serialiser '${name}': type is ${show(type)}; allowed: a class`);
  const known = registry().get(name);
  // The same file loaded again brings the same class as another object.
  if (known !== undefined && known.type !== type && known.type.name !== type.name)
    throw new TypeError(`serialiser '${name}' is that of class ${known.type.name} already; allowed: another name`);
  registry().set(name, serialiser as unknown as AnySerialiser);
}

export function serialiserNamed(name: string): AnySerialiser | undefined {
  return registry().get(name);
}

export function serialiserOf(value: object): AnySerialiser | undefined {
  const prototype: unknown = Object.getPrototypeOf(value);
  for (const serialiser of registry().values()) if (serialiser.type.prototype === prototype) return serialiser;
  return undefined;
}

/** Patterns are names, or `acme.*`; none: every registered type is allowed. */
export function isAllowed(name: string, patterns: readonly string[] | undefined): boolean {
  if (patterns === undefined) return true;
  return patterns.some((pattern) => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern));
}
