import { callSite, type CallSite } from '../call-site.ts';
import { DagError } from '../error.ts';
import { within, type Scope } from '../scope.ts';
import type { Arg, Over } from '../source.ts';
import type { Task } from '../task.ts';
import { isKwargs, kwargsOf, mappedNames, productOf, type Mapping } from './mapping.ts';
import { MappedTask } from './mapped-task.ts';

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

type Args = Readonly<Record<string, unknown>>;

/** A declared function, as far as mapping needs it. */
export interface FunctionKind<R> {
  readonly at: CallSite | undefined;
  /** Where the mapped task will be. */
  readonly scope: () => Scope | undefined;
  readonly options: Args & { readonly id: string };
  /** The task of one instance, with what the function gets after the context. */
  readonly instance: (args: readonly unknown[], at: CallSite | undefined) => Task<R>;
  readonly onMapped: (mapped: MappedTask<R>) => void;
}

export function mappable<A extends readonly unknown[], R>(kind: FunctionKind<R>): MappableFunction<A, R> {
  const refuse = (reason: string): never => {
    throw new DagError(reason, { dagId: kind.scope()?.dag.dagId, taskId: kind.options.id, at: callSite() ?? kind.at });
  };
  const partial = (fixed?: Args) => ({
    expand: (lists: Args) => named(kind, productOf(lists, refuse), fixed, refuse),
    expandKwargs: (list: unknown) => named(kind, kwargsOf(list, refuse), fixed, refuse),
  });
  return {
    ...partial(),
    expand: (...lists: readonly unknown[]) =>
      lists.length === 1 && isKwargs(lists[0])
        ? partial().expand(lists[0])
        : mapFunction(
            kind,
            productOf(Object.fromEntries(lists.entries()), refuse),
            { fixed: [], call: (mapped) => lists.map((_, i) => mapped[i]), unmappable: () => undefined },
            refuse,
          ),
    partial: (fixed: unknown) =>
      isKwargs(fixed)
        ? partial(fixed)
        : refuse('partial() takes an object; allowed: what the function gets by name in its one argument'),
  } as MappableFunction<A, R>;
}

/** The function gets one object: what is fixed, and what the mapping gives. */
function named<R>(
  kind: FunctionKind<R>,
  mapping: Mapping,
  fixed: Args | undefined,
  refuse: (reason: string) => never,
): MappedTask<R> {
  const unmappable = (name: string): string | undefined =>
    fixed !== undefined && Object.hasOwn(fixed, name)
      ? `${name} is unmappable or already specified: partial() gives it too`
      : undefined;
  const reason = [...mappedNames(mapping)].map(unmappable).find((each) => each !== undefined);
  if (reason !== undefined) refuse(reason);
  const call = (mapped: Args): readonly unknown[] => [{ ...fixed, ...mapped }];
  return mapFunction(kind, mapping, { fixed: fixed === undefined ? [] : [fixed], call, unmappable }, refuse);
}

interface HowToCall {
  /** What all instances get. */
  readonly fixed: readonly unknown[];
  /** What one instance gets. */
  readonly call: (mapped: Args) => readonly unknown[];
  readonly unmappable: (name: string) => string | undefined;
}

function mapFunction<R>(
  { scope, options, instance, onMapped }: FunctionKind<R>,
  mapping: Mapping,
  { fixed, call, unmappable }: HowToCall,
  refuse: (reason: string) => never,
): MappedTask<R> {
  const at = callSite();
  const home = scope() ?? refuse('the task is mapped in no DAG; allowed: inside of new Dag({ … }, () => { … })');
  const example = within({ ...home, apart: options.id }, () => instance([], at));
  const mapped = new MappedTask<R>(
    { ...options, args: fixed },
    { example, make: (own) => instance(call(own), at), unmappable },
    { suffixOnCollision: true, mapping, at },
  );
  onMapped(mapped);
  return mapped;
}
