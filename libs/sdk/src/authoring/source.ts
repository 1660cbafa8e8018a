import type { Json } from '@rondo/kernel';
import type { Task } from './task.ts';

export const SOURCE: unique symbol = Symbol.for('rondo.source');

/** A value that a task will have returned: the whole of it, or what is found in it along a path. */
export interface SourceRef<out T> {
  readonly task: Task<unknown>;
  readonly path: readonly (string | number)[];
  /** Never there; carries the type. */
  readonly type?: T;
}

/** Whatever stands for a value of type T that exists once a task has run: a task, its output, a part of it. */
export interface Source<out T> {
  readonly [SOURCE]: SourceRef<T>;
}

/**
 * What may be given where a T is wanted: a T, a task that returns one, or a list or object that holds such tasks.
 * Each task in it becomes upstream of the one that it is given to.
 */
export type Arg<T> = T | Source<T> | (Json extends T ? JsonArg : Nested<T>);
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
    : Json extends I
      ? I
      : I extends (...args: never[]) => unknown
        ? I
        : I extends object
          ? { [K in keyof I]: Resolved<I[K]> }
          : I;

export function isSource(value: unknown): value is Source<unknown> {
  return typeof value === 'object' && value !== null && SOURCE in value;
}

/** The return value of a task, or a part of it. */
export class Output<out T> implements Source<T> {
  readonly [SOURCE]: SourceRef<T>;

  constructor(task: Task<unknown>, path: readonly (string | number)[] = []) {
    this[SOURCE] = { task, path };
  }

  /** A part of the value: a key of an object, an index of a list. */
  get<K extends keyof T & (string | number)>(key: K): Output<T[K]> {
    const { task, path } = this[SOURCE];
    return new Output<T[K]>(task, [...path, key]);
  }

  toString(): string {
    const { task, path } = this[SOURCE];
    return `<output of ${[task.taskId, ...path].join('.')}>`;
  }
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

export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
