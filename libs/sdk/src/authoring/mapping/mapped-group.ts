import type { MappedTask } from './mapped-task.ts';
import { callSite } from '../call-site.ts';
import { DagError } from '../error.ts';
import type { Node } from '../relations.ts';
import { currentScope } from '../scope.ts';
import { Output, type Item, type Resolved, type Source } from '../source.ts';
import { TaskGroup, type TaskGroupOptions } from '../task-group.ts';
import { kwargsOf, productOf, type Mapping } from './mapping.ts';

type Element<L> =
  L extends Source<infer T>
    ? Item<T>
    : L extends readonly (infer E)[]
      ? Resolved<E>
      : L extends object
        ? { [K in keyof L]: readonly [K & string, Resolved<L[K]>] }[keyof L]
        : never;
/** What the definition of a mapped group gets: an argument for each name. */
export type GroupArguments<I> = { readonly [K in keyof I]: Output<Element<I[K]>> };
type KwargArguments<L> = { readonly [K in keyof Element<L>]: Output<Element<L>[K]> };

/** What a mapped group returns, seen from outside: for each task the list of what its instances return. */
export type Gathered<T> =
  T extends MappedTask<infer Item>
    ? MappedTask<Item>
    : T extends Source<infer U>
      ? Output<readonly U[]> & Node
      : T extends readonly unknown[] | Readonly<Record<string, unknown>>
        ? { readonly [K in keyof T]: Gathered<T[K]> }
        : T;

/** A group that is still to be mapped. */
export class OpenGroup {
  readonly #options: TaskGroupOptions;
  readonly #at = callSite();
  #isMapped = false;

  constructor(options: TaskGroupOptions) {
    this.#options = options;
    const dag = options.dag ?? options.parent?.dag ?? currentScope()?.dag;
    dag?.declare(() => {
      if (!this.#isMapped)
        this.#refuse(
          'the group has no definition; allowed: taskGroup(id, () => { … }), or .expand(…) or .expandKwargs(…) on it',
        );
    });
  }

  /** An instance of the group for each combination of the items; the last argument varies fastest. */
  expand<const I extends Readonly<Record<string, Source<unknown> | readonly unknown[] | object>>, T>(
    over: I,
    define: (args: GroupArguments<I>, group: TaskGroup) => T,
  ): TaskGroup<Gathered<T>> {
    return this.#map(
      productOf(over, (reason) => this.#refuse(reason)),
      define as never,
    );
  }

  /** An instance of the group for each object of arguments. */
  expandKwargs<const L extends Source<unknown> | readonly unknown[], T>(
    list: L,
    define: (args: KwargArguments<L>, group: TaskGroup) => T,
  ): TaskGroup<Gathered<T>> {
    return this.#map(
      kwargsOf(list, (reason) => this.#refuse(reason)),
      define as never,
    );
  }

  #map<T>(mapping: Mapping, define: (args: object, group: TaskGroup) => T): TaskGroup<Gathered<T>> {
    this.#isMapped = true;
    if (typeof define !== 'function')
      this.#refuse('the definition is missing; allowed: expand({ … }, (args) => { … })');
    return new TaskGroup<Gathered<T>>(
      this.#options,
      (group) => define(argumentsOf(group, mapping), group) as Gathered<T>,
      mapping,
    );
  }

  #refuse(reason: string): never {
    throw new DagError(`group '${this.#options.id}': ${reason}`, {
      dagId: (this.#options.dag ?? currentScope()?.dag)?.dagId,
      at: this.#at,
    });
  }
}

/** The names of an `expandKwargs` are known when its list is: whatever is asked for is an argument. */
function argumentsOf(group: TaskGroup, { kind, over }: Mapping): object {
  const argument = (name: string): Output<unknown> => new Output({ kind: 'argument', group, name, path: [] });
  if (kind === 'product') return Object.fromEntries(over.map(({ name }) => [name, argument(name)]));
  return new Proxy({}, { get: (_, name) => (typeof name === 'string' ? argument(name) : undefined) });
}

type GroupOptions = Omit<TaskGroupOptions, 'id'>;

/**
 * A group whose id gets a suffix where it is taken, so that one function can make it several times. Its `result` is what
 * `define` gives back. Without `define` it is still to be mapped: `taskGroup('g').expand({ x: list }, ({ x }) => { … })`.
 */
export function taskGroup(id: string, options?: GroupOptions): OpenGroup;
export function taskGroup<T>(id: string, define: (group: TaskGroup) => T): TaskGroup<T>;
export function taskGroup<T>(id: string, options: GroupOptions, define: (group: TaskGroup) => T): TaskGroup<T>;
export function taskGroup<T>(
  id: string,
  second: GroupOptions | ((group: TaskGroup) => T) = {},
  third?: (group: TaskGroup) => T,
): TaskGroup<T> | OpenGroup {
  const [options, define] = typeof second === 'function' ? [{}, second] : [second, third];
  const all = { addSuffixOnCollision: true, ...options, id };
  return define === undefined ? new OpenGroup(all) : new TaskGroup<T>(all, define);
}
