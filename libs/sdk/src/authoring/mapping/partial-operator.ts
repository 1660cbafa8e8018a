import type { Task, TaskOptions } from '../task.ts';
import type { Over, Source } from '../source.ts';
import { callSite, type CallSite } from '../call-site.ts';
import { DagError } from '../error.ts';
import { currentScope } from '../scope.ts';
import { checkItems, unmappable, type ArgumentSchema } from './check-items.ts';
import { MappedTask } from './mapped-task.ts';
import { kwargsOf, productOf, type Mapping } from './mapping.ts';

export type Options = Readonly<Record<string, unknown>>;

/** An operator's class, as far as mapping needs it. */
export interface OperatorClass<O, Out> {
  new (options: O): Task<Out>;
  readonly prototype: Task<Out>;
  readonly schema: ArgumentSchema;
  /** Attributes of the class that are no arguments: those of sensors. */
  readonly ownKeys?: ReadonlySet<string>;
}

/** What an argument is once outputs stand in their places. */
type Plain<A> = unknown extends A ? unknown : A extends Source<infer T> ? T : never;
type Value<A> = [Plain<A>] extends [never] ? Exclude<A, undefined> : Plain<A>;
type Open<O, Fixed extends PropertyKey> = Pick<
  O,
  Exclude<keyof O, Exclude<keyof TaskOptions, 'params'> | Exclude<Fixed, 'params'>>
>;
/** A list for each argument that is not fixed. */
export type Expandable<O, Fixed extends PropertyKey> = {
  readonly [K in keyof Open<O, Fixed>]: K extends 'params'
    ? Over<Readonly<Record<string, unknown>>> | undefined
    : Over<Value<O[K & keyof O]>>;
};
/** The arguments of one instance. */
export type Kwargs<O, Fixed extends PropertyKey> = {
  readonly [K in keyof Open<O, Fixed>]: Value<O[K & keyof O]>;
};

/** An operator with the arguments that all instances have, still to be mapped. */
export class PartialOperator<O, Out, Fixed extends PropertyKey> {
  readonly #operator: OperatorClass<O, Out>;
  readonly #options: Options;
  readonly #at: CallSite | undefined;
  #isMapped = false;

  constructor(operator: OperatorClass<O, Out>, options: Options, at: CallSite | undefined) {
    this.#operator = operator;
    this.#options = options;
    this.#at = at;
    const { dag = currentScope()?.dag } = options as Partial<TaskOptions>;
    dag?.declare(() => {
      if (!this.#isMapped)
        this.#refuse('partial() is followed by nothing; allowed: partial({ … }).expand({ … }) or .expandKwargs(list)');
    });
  }

  /** An instance for each combination of the items; the last argument varies fastest. */
  expand(over: Expandable<O, Fixed>): MappedTask<Out> {
    return this.#map(productOf(over, (reason) => this.#refuse(reason)));
  }

  /** An instance for each object of arguments. */
  expandKwargs(list: Over<Kwargs<O, Fixed>>): MappedTask<Out> {
    return this.#map(kwargsOf(list, (reason) => this.#refuse(reason)));
  }

  #map(mapping: Mapping): MappedTask<Out> {
    this.#isMapped = true;
    const options = this.#options;
    const operator = this.#operator;
    const { ownKeys } = operator;
    checkItems(mapping, options, operator.schema, (reason) => this.#refuse(reason), ownKeys);
    const make = (mapped: Options): Task =>
      new operator({ ...options, ...mapped, ...paramsOf(options, mapped) } as unknown as O);
    return new MappedTask<Out>(
      options,
      { example: operator.prototype, make, unmappable: (name) => unmappable(name, options, ownKeys) },
      { schema: operator.schema, mapping, at: callSite(), ...(ownKeys === undefined ? {} : { ownKeys }) },
    );
  }

  #refuse(reason: string): never {
    const { id, dag = currentScope()?.dag } = this.#options as Partial<TaskOptions>;
    throw new DagError(reason, { dagId: dag?.dagId, taskId: id, at: this.#at });
  }
}

/** Params of the instance go over those of all. */
function paramsOf({ params: fixed }: Options, { params: own }: Options): Options {
  return own === undefined ? {} : { params: { ...(fixed as object | undefined), ...(own as object) } };
}
