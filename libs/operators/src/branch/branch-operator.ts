import {
  declareTask,
  FunctionOperator,
  type Construction,
  type FunctionArgs,
  type FunctionOptions,
  type TaskContext,
  type TaskFunction,
  type TaskOptions,
} from '@rondo/sdk';

/** What a branch chooses: task ids, group ids, or nothing. */
export type Choice = string | readonly string[] | null | undefined;

type Choose<A extends readonly unknown[]> = (ctx: TaskContext, ...args: A) => Choice | Promise<Choice>;

/** A function that chooses what follows: of the tasks directly after it, those that it does not name and that come after none that it names are skipped. */
export class BranchOperator<A extends readonly unknown[] = []> extends FunctionOperator<A, Choice> {
  constructor(options: TaskOptions & FunctionArgs<A, Choice>, construction: Construction = {}) {
    super(options, construction);
  }

  override async run(ctx: TaskContext, args: Readonly<Record<string, unknown>>): Promise<unknown> {
    const choice = (await super.run(ctx, args)) as Choice;
    ctx.flow.follow(choice);
    return choice;
  }
}

/** `const way = branch('way', (ctx, n: number) => (n > 0 ? 'load' : 'stop'))`, then `way(count).to([load, stop])`. */
export function branch<A extends readonly unknown[]>(
  id: string,
  choose: Choose<A>,
  options: FunctionOptions = {},
): TaskFunction<A, Choice> {
  return declareTask<A, Choice>(id, choose, options, (each, construction) => new BranchOperator<A>(each, construction));
}

export interface ShortCircuitArgs<A extends readonly unknown[]> extends FunctionArgs<A, unknown> {
  /** True (default): everything after it is skipped; false: what is directly after it, and trigger rules decide on the rest. */
  readonly ignoreDownstreamTriggerRules?: boolean;
}

/** A function whose falsy answer skips what comes after it, teardowns excepted. */
export class ShortCircuitOperator<A extends readonly unknown[] = []> extends FunctionOperator<A, unknown> {
  constructor(options: TaskOptions & ShortCircuitArgs<A>, construction: Construction = {}) {
    super(options, construction);
    const { ignoreDownstreamTriggerRules: ignore } = options;
    if (ignore !== undefined && typeof ignore !== 'boolean')
      this.refuse(`ignoreDownstreamTriggerRules is ${JSON.stringify(ignore)}; allowed: true or false`);
  }

  override async run(ctx: TaskContext, args: Readonly<Record<string, unknown>>): Promise<unknown> {
    const answer = await super.run(ctx, args);
    if (!answer || (Array.isArray(answer) && answer.length === 0))
      ctx.flow.shortCircuit({ ignoreDownstreamTriggerRules: args['ignoreDownstreamTriggerRules'] !== false });
    return answer;
  }
}

/** `shortCircuit('has_rows', (ctx, rows: Row[]) => rows.length > 0)`. */
export function shortCircuit<A extends readonly unknown[]>(
  id: string,
  decide: (ctx: TaskContext, ...args: A) => unknown,
  options: FunctionOptions & { readonly ignoreDownstreamTriggerRules?: boolean } = {},
): TaskFunction<A, unknown> {
  return declareTask<A, unknown>(
    id,
    decide,
    options,
    (each, construction) => new ShortCircuitOperator<A>(each, construction),
  );
}
