import { callSite, type CallSite } from '../call-site.ts';
import type { Arg, Over } from '../source.ts';
import { isKwargs, kwargsOf, mappedNames, productOf, type Mapping } from './mapping.ts';
import type { MappedTask } from './mapped-task.ts';

/** The one object of arguments that a function takes; never for a function that takes another first argument. */
type Named<A extends readonly unknown[]> = A extends readonly [infer First, ...unknown[]]
  ? First extends readonly unknown[]
    ? never
    : First extends object
      ? First
      : never
  : never;
type Lists<T> = { readonly [K in keyof T]: Over<Exclude<T[K], undefined>> };

/** How a declared function becomes a mapped task. */
export interface MappableFunction<A extends readonly unknown[], R> {
  /**
   * An instance for each combination of the items, the last list varying fastest: `add.expand(xs, ys)` calls `add(ctx, x, y)`.
   * With one object of lists the function gets an object: `add.expand({ x: xs, y: ys })` calls `add(ctx, { x, y })`.
   */
  expand(lists: Lists<Named<A>>): MappedTask<R>;
  expand(...lists: { readonly [K in keyof A]: Over<A[K]> }): MappedTask<R>;
  /** An instance for each object of arguments. */
  expandKwargs(list: Over<Named<A>>): MappedTask<R>;
  /** What all instances get, for a function that takes an object. */
  partial<const P extends { readonly [K in keyof Named<A>]?: Arg<Named<A>[K]> }>(
    fixed: P & { readonly [K in Exclude<keyof P, keyof Named<A>>]: never },
  ): PartialFunction<Omit<Named<A>, keyof P>, R>;
}

export interface PartialFunction<Open, R> {
  expand(lists: Lists<Open>): MappedTask<R>;
  expandKwargs(list: Over<Open>): MappedTask<R>;
}

/** What a declared function does with a mapping. */
export interface FunctionMapper<R> {
  readonly refuse: (reason: string) => never;
  /** `args`: those that all instances have. `call`: those of one instance. */
  readonly map: (request: {
    readonly mapping: Mapping;
    readonly args: readonly unknown[];
    readonly call: (mapped: Readonly<Record<string, unknown>>) => readonly unknown[];
    readonly unmappable: (name: string) => string | undefined;
    readonly at: CallSite | undefined;
  }) => MappedTask<R>;
}

export function mappable<A extends readonly unknown[], R>({ refuse, map }: FunctionMapper<R>): MappableFunction<A, R> {
  const named = (mapping: Mapping, fixed: Readonly<Record<string, unknown>> | undefined): MappedTask<R> => {
    const unmappable = (name: string): string | undefined =>
      fixed !== undefined && name in fixed
        ? `${name} is unmappable or already specified: partial() gives it too`
        : undefined;
    const reason = [...mappedNames(mapping)].map(unmappable).find((each) => each !== undefined);
    if (reason !== undefined) refuse(reason);
    const call = (mapped: Readonly<Record<string, unknown>>): readonly unknown[] => [{ ...fixed, ...mapped }];
    return map({ mapping, args: fixed === undefined ? [] : [fixed], call, unmappable, at: callSite() });
  };
  const positional = (lists: readonly unknown[]): MappedTask<R> => {
    const mapping = productOf({ ...lists }, refuse);
    const call = (mapped: Readonly<Record<string, unknown>>): readonly unknown[] => lists.map((_, i) => mapped[i]);
    return map({ mapping, args: [], call, unmappable: () => undefined, at: callSite() });
  };
  const partial = (fixed?: Readonly<Record<string, unknown>>) => ({
    expand: (lists: Readonly<Record<string, unknown>>) => named(productOf(lists, refuse), fixed),
    expandKwargs: (list: unknown) => named(kwargsOf(list, refuse), fixed),
  });
  return {
    ...partial(),
    expand: (...lists: readonly unknown[]) =>
      lists.length === 1 && isKwargs(lists[0]) ? partial().expand(lists[0]) : positional(lists),
    partial: (fixed: unknown) =>
      isKwargs(fixed)
        ? partial(fixed)
        : refuse('partial() takes an object; allowed: what the function gets by name in its one argument'),
  } as MappableFunction<A, R>;
}

