import type { Literal } from '../templates/literal.ts';
import { assertNever, type Json } from '@rondo/kernel';
import { callSite } from './call-site.ts';
import { DagError, show } from './error.ts';
import { currentScope } from './scope.ts';
import type { Task } from './task.ts';
import type { TaskGroup } from './task-group.ts';

export const SOURCE: unique symbol = Symbol.for('rondo.source');

export type Path = readonly (string | number)[];

/** How a value comes about that exists once tasks have run. */
export type Expression =
  /** What a task returned: the whole of it, or what is found in it along the path. */
  | { readonly kind: 'output'; readonly task: Task<unknown>; readonly path: Path }
  /** What a mapped group gives this instance of it under a name, or what is found in it along the path. */
  | { readonly kind: 'argument'; readonly group: TaskGroup; readonly name: string; readonly path: Path }
  | { readonly kind: 'map'; readonly of: Mappable; readonly fn: (item: unknown) => unknown }
  | { readonly kind: 'zip'; readonly of: readonly Mappable[]; readonly fill?: { readonly value: unknown } }
  | { readonly kind: 'concat'; readonly of: readonly Mappable[] }
  /** What is there already and is no template. */
  | { readonly kind: 'value'; readonly value: unknown };

/** A list, an object whose entries are its items, or what stands for one of them. */
export type Mappable = Source<unknown> | readonly unknown[] | Readonly<Record<string, unknown>>;

export type SourceRef<T> = Expression & {
  /** Never there; carries the type. */
  readonly type?: T;
};

/** Whatever stands for a value of type T that exists once a task has run: a task, its output, a part of it. */
export interface Source<out T> {
  readonly [SOURCE]: SourceRef<T>;
}

/**
 * What may be given where a T is wanted: a T, a task that returns one, or a list or object that holds such tasks.
 * Each task in it becomes upstream of the one that it is given to.
 */
export type Arg<T> = T | Source<T> | Literal<T> | (Json extends T ? JsonArg : Nested<T>);
type JsonArg = Json | Source<unknown> | readonly JsonArg[] | { readonly [key: string]: JsonArg };
type Nested<T> = T extends (...args: never[]) => unknown
  ? never
  : T extends object
    ? { readonly [K in keyof T]: Arg<T[K]> }
    : never;

/** What a value with tasks in it becomes when the task runs. */
export type Resolved<I> =
  I extends Source<infer T>
    ? T
    : I extends Literal<infer T>
      ? T
      : Json extends I
        ? I
        : I extends (...args: never[]) => unknown
          ? I
          : I extends object
            ? { [K in keyof I]: Resolved<I[K]> }
            : I;

/** What is gone through when T is mapped over: the items of a list, the entries of an object. */
export type Item<T> = unknown extends T
  ? unknown
  : Json extends T
    ? Json
    : T extends readonly (infer E)[]
      ? E
      : T extends object
        ? { [K in keyof T]-?: readonly [K & string, T[K]] }[keyof T]
        : never;

/** The items of several lists, side by side. */
export type Side<L> = L extends Source<infer T> ? Item<T> : L extends readonly (infer E)[] ? Resolved<E> : Json;
export type Sides<L extends readonly unknown[]> = { [K in keyof L]: Side<L[K]> };
export type FilledSides<L extends readonly unknown[], F> = { [K in keyof L]: Side<L[K]> | F };
export type Listable = Source<unknown> | readonly unknown[];

export function isSource(value: unknown): value is Source<unknown> {
  return typeof value === 'object' && value !== null && SOURCE in value;
}

/** What is given to map over where each instance wants a T: a list of them, or an object where pairs will do. */
export type Over<T> =
  | readonly Arg<T>[]
  | Source<readonly T[]>
  | (unknown extends T
      ? object
      : T extends readonly [string, infer V]
        ? { readonly [key: string]: Arg<V> } | Source<{ readonly [key: string]: V }>
        : never);

/** What can be done with a list that does not exist yet: nothing is computed before a task takes an item. */
export abstract class ListSource<out T> implements Source<T> {
  readonly [SOURCE]: SourceRef<T>;

  constructor(ref: Expression) {
    this[SOURCE] = ref;
  }

  /**
   * Each item as `fn` makes it, in the process of the task that takes it. A `Skip` that it throws skips the instance of that
   * item; another error fails it. The length stays.
   */
  map<U, R>(this: Source<U>, fn: (item: Item<U>) => R): Derived<R> {
    return mapped(this, fn);
  }

  /** The first items together, the second ones, and so on: as many as the shortest has; with a `fillvalue` as the longest has. */
  zip<U, const L extends readonly Listable[]>(this: Source<U>, ...others: L): Derived<readonly [Item<U>, ...Sides<L>]>;
  zip<U, const L extends readonly Listable[], F>(
    this: Source<U>,
    ...others: [...L, { readonly fillvalue: F }]
  ): Derived<readonly [Item<U> | F, ...FilledSides<L, F>]>;
  zip(...others: readonly unknown[]): Derived<never> {
    return zipped(this, others) as Derived<never>;
  }

  /** These items, then those of the others. */
  concat<U, const L extends readonly Listable[]>(this: Source<U>, ...others: L): Derived<Item<U> | Side<L[number]>> {
    return new Derived({ kind: 'concat', of: [this, ...lists(others, 'concat')] });
  }
}

type Named = Extract<Expression, { readonly path: Path }>;

/** The return value of a task or the argument of a mapped group, or a part of it. */
export class Output<out T> extends ListSource<T> {
  constructor(ref: Named) {
    super(ref);
  }

  /** A part of the value: a key of an object, an index of a list (from its end when negative). */
  get<K extends keyof T & (string | number)>(key: K): Output<T[K]> {
    const ref = this[SOURCE] as Named;
    return new Output<T[K]>({ ...ref, path: [...ref.path, key] });
  }
}

/** A list that is made of others when it is taken. */
export class Derived<out E> extends ListSource<readonly E[]> {}

/** What `map` and `zip` of a list and of a task come to. */
export function mapped<R>(of: Source<unknown>, fn: (item: never) => R): Derived<R> {
  if (typeof fn !== 'function') throw misuse(`map() is given ${show(fn)}; allowed: a function of an item`);
  return new Derived({ kind: 'map', of, fn: fn as (item: unknown) => unknown });
}

export function zipped(first: Source<unknown>, others: readonly unknown[]): Derived<unknown> {
  const last = others.at(-1);
  if (!isFill(last)) return new Derived({ kind: 'zip', of: [first, ...lists(others, 'zip')] });
  const of = [first, ...lists(others.slice(0, -1), 'zip')];
  return new Derived({ kind: 'zip', of, fill: { value: last.fillvalue } });
}

export function lists(given: readonly unknown[], method: string): readonly Mappable[] {
  const stranger = given.find((each) => !isMappable(each));
  if (stranger === undefined && !given.includes(undefined)) return given as readonly Mappable[];
  throw misuse(`${method}() is given ${show(stranger)}; allowed: lists, objects and outputs of tasks`);
}

const misuse = (reason: string): DagError => new DagError(reason, { at: callSite(), dagId: currentScope()?.dag.dagId });

const isFill = (value: unknown): value is { readonly fillvalue: unknown } =>
  typeof value === 'object' &&
  value !== null &&
  !isSource(value) &&
  Object.keys(value).length === 1 &&
  'fillvalue' in value;

export function isMappable(value: unknown): value is Mappable {
  return isSource(value) || Array.isArray(value) || (typeof value === 'object' && value !== null && isPlain(value));
}

/** Every source in a value, in the order in which they are found. */
export function sourcesIn(value: unknown): Source<unknown>[] {
  const found: Source<unknown>[] = [];
  const seen = new Set<object>();
  const walk = (at: unknown): void => {
    if (typeof at !== 'object' || at === null || seen.has(at)) return;
    if (isSource(at)) {
      found.push(at);
      return;
    }
    if (!Array.isArray(at) && !isPlain(at)) return;
    seen.add(at);
    for (const each of Object.values(at)) walk(each);
  };
  walk(value);
  return found;
}

/** Tasks whose return values a value is made of. */
export function tasksBehind(value: unknown): ReadonlySet<Task<unknown>> {
  const tasks = new Set<Task<unknown>>();
  const walk = (at: unknown): void => {
    for (const source of sourcesIn(at)) {
      const ref = source[SOURCE];
      if (ref.kind === 'output') tasks.add(ref.task);
      else if (ref.kind === 'argument') walk(ref.group.mapping?.over.map(({ list }) => list));
      else if (ref.kind !== 'value') walk(ref.of);
    }
  };
  walk(value);
  return tasks;
}

/** For people to read. */
export function describeSource(source: Source<unknown>): string {
  const ref: Expression = source[SOURCE];
  const inner = (of: Mappable): string => (isSource(of) ? describeSource(of).slice(1, -1) : `${lengthOf(of)} items`);
  switch (ref.kind) {
    case 'output':
      return `<output of ${[ref.task.taskId, ...ref.path].join('.')}>`;
    case 'argument':
      return `<${[ref.name, ...ref.path].join('.')} of ${ref.group.groupId}>`;
    case 'map':
      return `<map of ${inner(ref.of)}>`;
    case 'zip':
    case 'concat':
      return `<${ref.kind} of ${ref.of.map(inner).join(', ')}>`;
    case 'value':
      return '<value>';
    default:
      return assertNever(ref, 'source');
  }
}

/** Of a literal. */
export const lengthOf = (list: readonly unknown[] | Readonly<Record<string, unknown>>): number =>
  Array.isArray(list) ? list.length : Object.keys(list).length;

export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
