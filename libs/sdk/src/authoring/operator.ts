import type * as z from 'zod';
import type { TaskContext, TemplateAccess } from '../runtime/task-context.ts';
import { callSite } from './call-site.ts';
import { PartialOperator, type OperatorClass, type Options } from './mapping/partial-operator.ts';
import type { Arg } from './source.ts';
import { Task, type TaskOptions } from './task.ts';
import type { TriggerClass } from './trigger.ts';

/** Makes an argument that is a template field, just before the task runs; texts in what it answers are not rendered. */
export type FieldFunction<T> = (ctx: TaskContext, templates: TemplateAccess) => T | Promise<T>;

/** Templates are texts, whatever they become: a field of any type may be a template. */
export type OperatorArgs<Args extends object> = {
  readonly [K in keyof Args]: NonNullable<Args[K]> extends (...args: never[]) => unknown
    ? Arg<Args[K]>
    : Arg<Args[K]> | FieldFunction<NonNullable<Args[K]>>;
};

/**
 * A kind of task. A subclass names its arguments and what it returns:
 *
 *     class Greet extends Operator<{ name: string }, string> {
 *       static override readonly templateFields = ['name'];
 *       execute(ctx: TaskContext, { name }: { name: string }) { return `hello ${name}`; }
 *     }
 *
 * `execute` gets the arguments with templates rendered and outputs of other tasks in their place. One instance serves many
 * attempts: it must keep nothing between them.
 */
export abstract class Operator<Args extends object = object, out Out = unknown> extends Task<Out> {
  /** Arguments whose texts are templates. */
  static readonly templateFields: readonly string[] = [];
  /** A template field that ends in one of these names a file of the bundle. */
  static readonly templateExtensions: readonly string[] = [];
  /** Checks the arguments when a DAG file loads. Default: unchecked. */
  static readonly schema: z.ZodType | undefined = undefined;
  /** The kinds of trigger that `ctx.defer` may name. */
  static readonly triggers: readonly TriggerClass[] = [];

  constructor(options: TaskOptions & OperatorArgs<Args>) {
    super(options as unknown as Readonly<Record<string, unknown>>, { schema: new.target.schema });
  }

  /**
   * The arguments that all instances of a mapped task have, and its attributes: `Bash.partial({ id }).expand({ command: list })`.
   */
  static partial<O extends object, Out, const P extends Partial<O> & { readonly id: string }>(
    this: OperatorClass<O, Out>,
    options: P & { readonly [K in Exclude<keyof P, keyof O>]: never },
  ): PartialOperator<O, Out, keyof P> {
    return new PartialOperator<O, Out, keyof P>(this, options as Options, callSite());
  }

  override get templateFields(): readonly string[] {
    return (this.constructor as typeof Operator).templateFields;
  }

  override get templateExtensions(): readonly string[] {
    return (this.constructor as typeof Operator).templateExtensions;
  }

  override get triggers(): readonly TriggerClass[] {
    return (this.constructor as typeof Operator).triggers;
  }

  abstract execute(ctx: TaskContext, args: Args): Out | Promise<Out>;

  override run(ctx: TaskContext, args: Readonly<Record<string, unknown>>): unknown {
    return this.execute(ctx, args as Args);
  }
}
