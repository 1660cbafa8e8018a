import type { TaskContext, Wait } from '../runtime/task-context.ts';
import { poke } from '../runtime/poke.ts';
import { Deferral } from '../runtime/signals.ts';
import { problems } from './attributes.ts';
import { show } from './error.ts';
import { declareTask, type FunctionArgs, type FunctionOptions, type TaskFunction } from './function-task.ts';
import { callSite } from './call-site.ts';
import { PartialOperator, type OperatorClass, type Options } from './mapping/partial-operator.ts';
import type { Poked } from './poke-return.ts';
import { SENSOR_KEYS, sensingOf, sensorSchema, type Sensing, type SensorAttributes } from './sensor-attributes.ts';
import type { OperatorArgs } from './operator.ts';
import { Task, type Construction, type TaskOptions } from './task.ts';
import type * as z from 'zod';

const SENSOR = Symbol.for('rondo.Sensor');

/** A task that waits, and holds no worker's slot while it does. */
export abstract class WaitingTask<out Out = unknown> extends Task<Out> {
  readonly sensing: Sensing;

  constructor(options: Readonly<Record<string, unknown>>, construction: Construction = {}) {
    super(options, { ...construction, ownKeys: SENSOR_KEYS });
    const given = Object.fromEntries(
      Object.entries({ ...this.dag.defaultArgs, ...this.group?.inheritedArgs(), ...options }).filter(
        ([key, value]) => SENSOR_KEYS.has(key) && value !== undefined,
      ),
    );
    const parsed = sensorSchema.safeParse(given);
    if (!parsed.success) this.refuse(problems(parsed.error, given, sensorSchema).join('; '));
    this.sensing = sensingOf(parsed.data);
    if (this.sensing.softFail && this.sensing.neverFail)
      this.refuse('softFail and neverFail are both true; allowed: one of them');
  }

  override get shown(): Readonly<Record<string, unknown>> {
    return { ...this.given, ...this.sensing };
  }
}

/** A task that asks again and again. */
export abstract class PollingTask<out Out = unknown> extends WaitingTask<Out> {
  readonly [SENSOR] = true;

  /** True for a sensor of any copy of the SDK. */
  static is(value: unknown): value is PollingTask {
    return typeof value === 'object' && value !== null && SENSOR in value;
  }

  /** One look; throws what the body throws. */
  abstract look(ctx: TaskContext, args: Readonly<Record<string, unknown>>): unknown;

  /** The first poke of a try. One that finds nothing makes the task wait for polls, which are made elsewhere. */
  override async run(ctx: TaskContext, args: Readonly<Record<string, unknown>>): Promise<unknown> {
    const found = await poke(this, ctx, args);
    if (found !== undefined) return found.value;
    const { pokeIntervalMs, timeoutMs, softFail, exponentialBackoff, maxWaitMs } = this.sensing;
    throw new Deferral({
      kind: 'defer',
      wait: {
        kind: 'poll',
        everyMs: pokeIntervalMs,
        ...(exponentialBackoff ? { backoff: true as const } : {}),
        ...(maxWaitMs === undefined ? {} : { maxEveryMs: maxWaitMs }),
      },
      timeoutMs,
      onTimeout: softFail ? 'skip' : 'fail',
    });
  }
}

/**
 * A sensor: an operator that is asked until it says yes.
 *
 *     class RowsSensor extends Sensor<{ table: string }> {
 *       static override readonly templateFields = ['table'];
 *       async poke(ctx: TaskContext, { table }: { table: string }) { return (await count(table)) > 0; }
 *     }
 *
 * The first poke of a try is made like the body of any task; the others, every `pokeInterval`, in a process beside thousands
 * of others, where a poke that blocks delays those of the same DAG file. One instance serves many attempts.
 */
export abstract class Sensor<Args extends object = object, out Out = unknown> extends PollingTask<Out> {
  /** Arguments whose texts are templates; rendered when the wait begins. */
  static readonly templateFields: readonly string[] = [];
  static readonly templateExtensions: readonly string[] = [];
  static readonly schema: z.ZodType | undefined = undefined;
  static readonly ownKeys: ReadonlySet<string> = SENSOR_KEYS;

  constructor(options: TaskOptions & SensorAttributes & OperatorArgs<Args>) {
    super(options as unknown as Readonly<Record<string, unknown>>, { schema: new.target.schema });
  }

  /** The arguments and attributes that all instances of a mapped sensor have; `.expand({ … })` gives the others. */
  static partial<O extends object, Out, const P extends Partial<O> & { readonly id: string }>(
    this: OperatorClass<O, Out>,
    options: P & { readonly [K in Exclude<keyof P, keyof O>]: never },
  ): PartialOperator<O, Out, keyof P> {
    return new PartialOperator<O, Out, keyof P>(this, options as Options, callSite());
  }

  override get templateFields(): readonly string[] {
    return (this.constructor as typeof Sensor).templateFields;
  }

  override get templateExtensions(): readonly string[] {
    return (this.constructor as typeof Sensor).templateExtensions;
  }

  abstract poke(ctx: TaskContext, args: Args): Poked<Out> | Promise<Poked<Out>>;

  override look(ctx: TaskContext, args: Readonly<Record<string, unknown>>): unknown {
    return this.poke(ctx, args as Args);
  }
}

/**
 * A sensor whose wait the platform answers from its history and its clock: an event, a time, a run, an asset. It is never
 * polled, and wakes when it happens.
 */
export abstract class WaitSensor<Args extends object = object, Out = unknown> extends WaitingTask<Out> {
  static readonly templateFields: readonly string[] = [];
  static readonly templateExtensions: readonly string[] = [];
  static readonly schema: z.ZodType | undefined = undefined;
  static readonly ownKeys: ReadonlySet<string> = SENSOR_KEYS;

  constructor(options: TaskOptions & SensorAttributes & OperatorArgs<Args>) {
    super(options as unknown as Readonly<Record<string, unknown>>, { schema: new.target.schema });
  }

  /** The arguments and attributes that all instances of a mapped sensor have; `.expand({ … })` gives the others. */
  static partial<O extends object, Out, const P extends Partial<O> & { readonly id: string }>(
    this: OperatorClass<O, Out>,
    options: P & { readonly [K in Exclude<keyof P, keyof O>]: never },
  ): PartialOperator<O, Out, keyof P> {
    return new PartialOperator<O, Out, keyof P>(this, options as Options, callSite());
  }

  override get templateFields(): readonly string[] {
    return (this.constructor as typeof WaitSensor).templateFields;
  }

  override get templateExtensions(): readonly string[] {
    return (this.constructor as typeof WaitSensor).templateExtensions;
  }

  /** Undefined: it has happened already. */
  abstract waitFor(ctx: TaskContext, args: Args): Wait | undefined | Promise<Wait | undefined>;

  override async run(ctx: TaskContext, args: Readonly<Record<string, unknown>>): Promise<void> {
    const wait = await this.waitFor(ctx, args as Args);
    if (wait === undefined) return;
    const { timeoutMs, softFail, neverFail } = this.sensing;
    throw new Deferral({
      kind: 'defer',
      wait,
      timeoutMs,
      onTimeout: softFail ? 'skip' : 'fail',
      ...(softFail || neverFail ? { onFailed: 'skip' as const } : {}),
    });
  }
}

type Look<A extends readonly unknown[], R> = (ctx: TaskContext, ...args: A) => Poked<R> | Promise<Poked<R>>;
type SensorFunctionArgs<A extends readonly unknown[], R> = FunctionArgs<A, Poked<R>>;
export type SensorOptions = FunctionOptions & SensorAttributes;

/** A sensor whose poke is a function. */
export class FunctionSensor<A extends readonly unknown[] = [], R = unknown> extends PollingTask<R> {
  constructor(options: TaskOptions & SensorAttributes & SensorFunctionArgs<A, R>, construction: Construction = {}) {
    super(options as unknown as Readonly<Record<string, unknown>>, construction);
    if (typeof options.fn !== 'function')
      this.refuse(`fn is ${show(options.fn)}; allowed: a function (ctx, …args) => …`);
  }

  override get templateFields(): readonly string[] {
    return ['args'];
  }

  override look(ctx: TaskContext, { fn, args = [] }: Readonly<Record<string, unknown>>): unknown {
    return (fn as Look<readonly unknown[], R>)(ctx, ...(args as readonly unknown[]));
  }
}

/** `const ready = sensor('ready', async (ctx) => exists('/data/in.csv'), { pokeInterval: '30s' })`, then `ready().to(load)`. */
export function sensor<A extends readonly unknown[], R = void>(
  id: string,
  look: Look<A, R>,
  options: SensorOptions = {},
): TaskFunction<A, R> {
  return declareTask<A, Poked<R>, R>(
    id,
    look,
    options,
    (each, construction) => new FunctionSensor<A, R>(each, construction),
  );
}
