import type { TaskContext } from '../runtime/task-context.ts';
import type { TaskAttributes } from './attributes.ts';
import { callSite, type CallSite } from './call-site.ts';
import type { Dag } from './dag.ts';
import { DagError, show } from './error.ts';
import { mappable, type MappableFunction } from './mapping/mapped-function.ts';
import { DECLARED, type Chain, type Declared, type Linkable } from './relations.ts';
import { currentScope, within, type Scope } from './scope.ts';
import type { Arg, Resolved } from './source.ts';
import { Task, type Construction, type TaskOptions } from './task.ts';
import type { TaskGroup } from './task-group.ts';

export interface FunctionOptions extends TaskAttributes {
  readonly dag?: Dag;
  readonly group?: TaskGroup;
  /** Runs when the task has failed for good, and stands for it when it succeeds. A task or group beside it, or its id. */
  readonly fallback?: Linkable;
}

type Body<A extends readonly unknown[], R> = (ctx: TaskContext, ...args: A) => R | Promise<R>;
/** Arguments of a call, each a value or the output of another task. */
export type CallArgs<A extends readonly unknown[]> = { [K in keyof A]: Arg<A[K]> };

export interface FunctionArgs<A extends readonly unknown[], R> {
  readonly fn: Body<A, R>;
  /** What the function gets after the context. Default none. Texts in it are templates. */
  readonly args?: CallArgs<A>;
}

/** A task whose body is a function. */
export class FunctionOperator<A extends readonly unknown[] = [], R = unknown> extends Task<R> {
  constructor(options: TaskOptions & FunctionArgs<A, R>, construction: Construction = {}) {
    super(options as unknown as Readonly<Record<string, unknown>>, construction);
    if (typeof options.fn !== 'function')
      this.refuse(`fn is ${show(options.fn)}; allowed: a function (ctx, …args) => …`);
  }

  override get templateFields(): readonly string[] {
    return ['args'];
  }

  override run(ctx: TaskContext, { fn, args = [] }: Readonly<Record<string, unknown>>): unknown {
    return (fn as Body<readonly unknown[], R>)(ctx, ...(args as readonly unknown[]));
  }
}

/**
 * A declared function task. Calling it makes the task (a second call makes another, with `__1` after its id); what it is
 * given becomes its upstream. Drawn an arrow to, or left alone in a DAG, it is called without arguments.
 */
export interface TaskFunction<A extends readonly unknown[], R> extends Declared, MappableFunction<A, R> {
  (...args: CallArgs<A>): Task<R>;
  /** The same function with other attributes, as a task of its own. */
  with(options: FunctionOptions & { readonly id?: string }): TaskFunction<A, R>;
  to(...next: Linkable[]): Chain;
  from(...previous: Linkable[]): Chain;
}

type Make<A extends readonly unknown[], R> = (
  options: TaskOptions & FunctionArgs<A, R>,
  construction: Construction,
) => Task<R>;

/** Declares a function task of any operator that takes `fn` and `args`. */
export function declareTask<A extends readonly unknown[], R, Out = R>(
  id: string,
  fn: Body<A, R>,
  options: FunctionOptions,
  make: (options: TaskOptions & FunctionArgs<A, R>, construction: Construction) => Task<Out>,
): TaskFunction<A, Out> {
  const at = callSite();
  const scope: Scope | undefined = scopeOf(options);
  const details = { dagId: scope?.dag.dagId, taskId: id, at };
  if (typeof fn !== 'function')
    throw new DagError(`the body is ${show(fn)}; allowed: a function (ctx, …inputs) => …`, details);
  const calls: Task<unknown>[] = [];
  let hasVariants = false;
  const create = (args: CallArgs<A>, where: CallSite | undefined): Task<Out> => {
    const made = make({ ...options, id, fn, args } as TaskOptions & FunctionArgs<A, R>, {
      suffixOnCollision: true,
      at: where,
    });
    calls.push(made);
    return made;
  };
  const alone = (): Task<unknown> => {
    const [only, another] = calls;
    if (another !== undefined)
      throw new DagError(
        `the task is called ${calls.length} times; allowed: arrows between what the calls return`,
        details,
      );
    if (only !== undefined) return only;
    if (fn.length > 1)
      throw new DagError(
        `the task takes ${fn.length - 1} input${fn.length === 2 ? '' : 's'} and is never called; allowed: ${id}(…) with an output for each`,
        details,
      );
    const here = currentScope();
    const home = scope ?? here;
    return home === undefined
      ? create([] as unknown as CallArgs<A>, at)
      : within(home, () => create([] as unknown as CallArgs<A>, at));
  };
  const call = (...args: CallArgs<A>): Task<Out> => create(args, callSite());
  const instance = (args: readonly unknown[], where: CallSite | undefined): Task<Out> =>
    make({ ...options, id, fn, args } as unknown as TaskOptions & FunctionArgs<A, R>, { at: where });
  const mapper = {
    at,
    scope: () => scope ?? currentScope(),
    options: { ...options, id, fn },
    instance,
    onMapped: (mapped: Task<unknown>) => void calls.push(mapped),
  };
  const declared: TaskFunction<A, Out> = Object.assign(call, mappable<A, Out>(mapper), {
    [DECLARED]: alone,
    with: (other: FunctionOptions & { readonly id?: string }) => {
      hasVariants = true;
      return declareTask(other.id ?? id, fn, { ...options, ...other }, make);
    },
    to: (...next: Linkable[]) => alone().to(...next),
    from: (...previous: Linkable[]) => alone().from(...previous),
  });
  scope?.dag.declare(() => (calls.length === 0 && !hasVariants ? void alone() : undefined));
  return declared;
}

function scopeOf({ dag, group }: FunctionOptions): Scope | undefined {
  const scope = currentScope();
  const home = dag ?? group?.dag ?? scope?.dag;
  return home === undefined
    ? undefined
    : { dag: home, group: group ?? (scope?.dag === home ? scope.group : undefined) };
}

/**
 * A task whose body is a function: `const extract = task('extract', async (ctx) => …)`, then `load(extract())`.
 * With inputs in place it is made at once: `task('load', { rows: extract() }, async (ctx, { rows }) => …)`.
 */
export function task<A extends readonly unknown[], R>(
  id: string,
  fn: Body<A, R>,
  options?: FunctionOptions,
): TaskFunction<A, R>;
export function task<const I, R>(
  id: string,
  inputs: I,
  fn: (ctx: TaskContext, input: Resolved<I>) => R | Promise<R>,
  options?: FunctionOptions,
): Task<R>;
export function task(id: string, second: unknown, third?: unknown, fourth?: unknown): unknown {
  const make: Make<readonly unknown[], unknown> = (options, construction) =>
    new FunctionOperator(options, construction);
  if (typeof second === 'function' && typeof third !== 'function')
    return declareTask(id, second as Body<readonly unknown[], unknown>, (third ?? {}) as FunctionOptions, make);
  const at = callSite();
  if (typeof third !== 'function')
    throw new DagError(`the body is ${show(third)}; allowed: a function (ctx, input) => …`, {
      dagId: currentScope()?.dag.dagId,
      taskId: id,
      at,
    });
  return make(
    { ...((fourth ?? {}) as FunctionOptions), id, fn: third as Body<readonly unknown[], unknown>, args: [second] },
    { at },
  );
}
