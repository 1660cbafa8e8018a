import {
  CRON_PRESETS,
  parseSchedule,
  validateTimetable,
  type ParamDefinition,
  type TimetableSpec,
} from '@rondo/domain';
import * as z from 'zod';
import { assetTimetable, type AssetSchedule } from './asset.ts';
import {
  attributesSchema,
  callbacks,
  duration,
  flag,
  idSchema,
  oneOf,
  problems,
  text,
  wholeNumber,
  type Callback,
  type Callbacks,
  type TaskAttributes,
} from './attributes.ts';
import { callSite, type CallSite } from './call-site.ts';
import { parseDate, type DateInput } from './dates.ts';
import { DagError, show } from './error.ts';
import { task as functionTask, type FunctionOptions } from './function-task.ts';
import { paramDefinitions, type ParamsInput } from './params.ts';
import type { Relation } from './relations.ts';
import { completeDag } from './resolve.ts';
import { Timetable } from './timetable.ts';
import {
  isCronInterval,
  isCronPartition,
  type CronIntervalSchedule,
  type CronPartitionSchedule,
  type ScheduleInput,
} from './schedule.ts';
import { currentScope, isPromise, within } from './scope.ts';
import { sensorSchema, type SensorAttributes } from './sensor-attributes.ts';
import type { Task } from './task.ts';
import { TaskGroup, type TaskGroupOptions } from './task-group.ts';
import { ok, type Duration, type Result } from '@rondo/kernel';

/** A filter of the user. Keyword arguments come as one object at the end. */
// oxlint-disable-next-line typescript/no-explicit-any -- whoever writes a filter knows what it is given
export type TemplateFilter = (value: any, ...args: any[]) => unknown;

export interface DagOptions {
  /** Unique among all DAGs. */
  readonly id: string;
  readonly description?: string;
  /** Markdown. */
  readonly doc?: string;
  /** A cron expression, a preset, a duration, a list of cron expressions, a timetable, or assets to wait for; null (default): only when asked to. */
  readonly schedule?: ScheduleInput | CronIntervalSchedule | CronPartitionSchedule | AssetSchedule | Timetable;
  /** The first logical date, included. Without an offset: on the clocks of `timezone`. */
  readonly startDate?: DateInput;
  /** The last logical date, included. */
  readonly endDate?: DateInput;
  /** IANA name. Default: the zone of a zoned `startDate`, else UTC. */
  readonly timezone?: string;
  /** Make up for the dates between startDate and now. Default false. */
  readonly catchup?: boolean;
  readonly tags?: readonly string[];
  /** Attributes of all tasks, and of all sensors, that do not say otherwise. */
  readonly defaultArgs?: TaskAttributes & SensorAttributes;
  /** Default 16. */
  readonly maxActiveRuns?: number;
  /** Of one run: task instances that are queued or running at once. Default 16. */
  readonly maxActiveTasks?: number;
  /** The same over all runs of the DAG. Default: no limit. */
  readonly maxActiveTasksPerDag?: number;
  /** Its runs and tasks go before those of DAGs with a smaller one. Default 0. */
  readonly priority?: number;
  /** A run that takes longer fails. Default: no limit. */
  readonly dagrunTimeout?: Duration;
  /** How often a run that has failed is tried again before it counts as failed. Default 0. */
  readonly runRetries?: number;
  /** Between its failure and its next try. Default 5 minutes. */
  readonly runRetryDelay?: Duration;
  /** What is run again: what failed and all that comes after it, or everything. Default `failed`. */
  readonly runRetryMode?: 'failed' | 'all';
  /** End a run at its first failure. Default false. */
  readonly failFast?: boolean;
  /** What people put into its runs is sealed, each run with a key of its own, so that a run can be erased. Default false. */
  readonly sealed?: boolean;
  /** Default false. */
  readonly isPausedUponCreation?: boolean;
  /** Pause the DAG after so many failed runs in a row. Default 0: never. */
  readonly maxConsecutiveFailedDagRuns?: number;
  /** Templates that are one expression give its value instead of a text. Default false. */
  readonly renderTemplateAsNativeObj?: boolean;
  /** Folders of template files, relative to the DAG file. */
  readonly templateSearchPath?: string | readonly string[];
  /** Names that templates of the DAG may use: values, and functions that are not async. */
  readonly userDefinedMacros?: Readonly<Record<string, unknown>>;
  /** Filters that templates of the DAG may use: the value first, then what stands in the brackets. */
  readonly userDefinedFilters?: Readonly<Record<string, TemplateFilter>>;
  readonly params?: ParamsInput;
  /** Files of the DAG folder that tasks need and that no argument names; globs, relative to the DAG file. */
  readonly files?: readonly string[];
  readonly onSuccess?: Callbacks;
  readonly onFailure?: Callbacks;
}

const identifier = z.string().regex(/^[A-Za-z_]\w*$/);
const filter = z.custom<TemplateFilter>((value) => typeof value === 'function');
const texts = z.array(text()).describe('a list of texts');
const schema = z.strictObject({
  id: idSchema,
  description: z.string().describe('a text').optional(),
  doc: z.string().describe('a text').optional(),
  schedule: z.unknown().optional(),
  startDate: z.unknown().optional(),
  endDate: z.unknown().optional(),
  timezone: text().optional(),
  catchup: flag().optional(),
  tags: texts.optional(),
  defaultArgs: attributesSchema.extend(sensorSchema.shape).strict().optional(),
  maxActiveRuns: wholeNumber(1).optional(),
  maxActiveTasks: wholeNumber(1).optional(),
  maxActiveTasksPerDag: wholeNumber(1).optional(),
  priority: z.int().describe('a whole number').optional(),
  dagrunTimeout: duration().optional(),
  runRetries: wholeNumber(0).optional(),
  runRetryDelay: duration().optional(),
  runRetryMode: oneOf(['failed', 'all']).optional(),
  failFast: flag().optional(),
  sealed: flag().optional(),
  isPausedUponCreation: flag().optional(),
  maxConsecutiveFailedDagRuns: wholeNumber(0).optional(),
  renderTemplateAsNativeObj: flag().optional(),
  templateSearchPath: z
    .union([text(), texts])
    .transform((value) => [value].flat())
    .describe('a folder, or a list of folders')
    .optional(),
  userDefinedMacros: z.record(identifier, z.unknown()).describe('an object of values and functions').optional(),
  userDefinedFilters: z.record(identifier, filter).describe('an object of functions').optional(),
  params: z.record(z.string(), z.unknown()).describe('an object of params').optional(),
  files: texts.optional(),
  onSuccess: callbacks().optional(),
  onFailure: callbacks().optional(),
});

/** Work that a teardown ends. */
export interface Surround {
  readonly teardown: Task;
  readonly inside: readonly Task[];
}

const DAG = Symbol.for('rondo.Dag');

/**
 * A pipeline. Tasks that are constructed while the definition runs belong to it, and so do those with the attribute `dag`:
 *
 *     export default new Dag({ id: 'etl', schedule: '@daily' }, () => {
 *       const rows = task('extract', async () => [1, 2, 3]);
 *       task('load', rows(), async (ctx, numbers) => ctx.log.info(numbers.length));
 *     });
 */
export class Dag {
  readonly [DAG] = true;
  readonly dagId: string;
  readonly at: CallSite | undefined;
  readonly timezone: string;
  readonly timetable: TimetableSpec;
  /** The schedule, where it is code of the author's own. */
  ownTimetable: Timetable | undefined;
  /** Epoch milliseconds. */
  readonly startDate: number | undefined;
  readonly endDate: number | undefined;
  readonly defaultArgs: TaskAttributes & SensorAttributes;
  readonly params: Readonly<Record<string, ParamDefinition>>;
  readonly options: z.output<typeof schema>;
  readonly tasks: readonly Task[] = [];
  readonly groups: readonly TaskGroup[] = [];
  readonly relations: readonly Relation[] = [];
  readonly surrounds: readonly Surround[] = [];
  /** The DAG file, relative to the DAG folder; known once the DAG has been collected from it. */
  file = '';
  readonly #byId = new Map<string, Task | TaskGroup>();
  readonly #declarations: (() => void)[] = [];
  #problems: readonly DagError[] | undefined;

  constructor(options: DagOptions, define?: (dag: Dag) => unknown) {
    this.at = callSite();
    this.dagId = typeof options?.id === 'string' ? options.id : show(options?.id);
    const parsed = schema.safeParse(options);
    if (!parsed.success) throw this.error(problems(parsed.error, options, schema).join('; '));
    this.options = parsed.data;
    this.defaultArgs = options.defaultArgs ?? {};
    this.timezone = this.#timezone(options);
    this.timetable = this.#timetable(options.schedule);
    this.startDate = this.#date('startDate', options.startDate);
    this.endDate = this.#date('endDate', options.endDate);
    if (this.startDate !== undefined && this.endDate !== undefined && this.endDate < this.startDate)
      throw this.error(`endDate is ${show(options.endDate)}; allowed: a date that is not before startDate`);
    const params = paramDefinitions(options.params ?? {}, this.timetable.kind !== 'none');
    if (!params.ok) throw this.error(params.error);
    this.params = params.value;
    const open = Object.entries(params.value).find(([, { default: fallback }]) => fallback === undefined);
    if (open !== undefined && this.timetable.kind !== 'none')
      throw this.error(
        `params.${open[0]} has no default and the DAG has a schedule; allowed: a default, or no schedule`,
      );
    if (define === undefined) return;
    const result = within({ dag: this, group: undefined }, () => define(this));
    if (isPromise(result))
      throw this.error('the definition is async; allowed: a function that returns when everything is declared');
  }

  /** True for a DAG of any copy of the SDK. */
  static is(value: unknown): value is Dag {
    return typeof value === 'object' && value !== null && DAG in value;
  }

  /** Declares a function task, as `task()` does inside of a definition. */
  readonly task: typeof functionTask = ((id: string, ...rest: readonly unknown[]) => {
    const last = rest.at(-1);
    const hasOptions = rest.length > 1 && typeof last !== 'function';
    const options: FunctionOptions = { ...(hasOptions ? (last as FunctionOptions) : {}), dag: this };
    const call = functionTask as unknown as (...args: readonly unknown[]) => unknown;
    return call(id, ...(hasOptions ? rest.slice(0, -1) : rest), options);
  }) as typeof functionTask;

  group<T>(options: Omit<TaskGroupOptions, 'dag'>, define?: (group: TaskGroup) => T): TaskGroup<T> {
    return new TaskGroup<T>({ ...options, dag: this }, define);
  }

  /** What is wrong with the whole: cycles, unknown ids, trigger rules that do not fit. Empty: nothing. */
  complete(): readonly DagError[] {
    if (this.#problems === undefined) {
      this.#problems = [];
      try {
        for (const declaration of this.#declarations.splice(0)) declaration();
        this.#problems = completeDag(this);
      } catch (error) {
        if (!DagError.is(error)) throw error;
        this.#problems = [error];
      }
    }
    return this.#problems;
  }

  whoHas(id: string): Task | TaskGroup | undefined {
    return this.#byId.get(id);
  }

  /** `id__1`, or the next number that is free. */
  freeId(id: string): string {
    const stem = id.replace(/__\d+$/, '');
    for (let n = 1; ; n++) if (!this.#byId.has(`${stem}__${n}`)) return `${stem}__${n}`;
  }

  callbacksOf(name: 'onSuccess' | 'onFailure'): readonly Callback[] {
    return this.options[name] ?? [];
  }

  add(task: Task): void {
    this.#byId.set(task.taskId, task);
    (this.tasks as Task[]).push(task);
    this.#problems = undefined;
  }

  addGroup(group: TaskGroup): void {
    this.#byId.set(group.groupId, group);
    (this.groups as TaskGroup[]).push(group);
  }

  declare(complete: () => void): void {
    this.#declarations.push(complete);
    this.#problems = undefined;
  }

  relate(relation: Relation): void {
    (this.relations as Relation[]).push(relation);
    this.#problems = undefined;
  }

  /** Tasks made by `define` come after the teardown's setups, and the teardown after them. */
  surround<T>(teardown: Task, define: () => T): T {
    const inside: Task[] = [];
    (this.surrounds as Surround[]).push({ teardown, inside });
    const group = currentScope()?.dag === this ? currentScope()?.group : undefined;
    return within({ dag: this, group, onTask: (task) => void inside.push(task) }, define);
  }

  error(reason: string, taskId?: string): DagError {
    return new DagError(reason, { dagId: this.dagId, taskId, at: this.at });
  }

  #timezone({ timezone, startDate }: DagOptions): string {
    const name = timezone ?? (startDate instanceof Temporal.ZonedDateTime ? startDate.timeZoneId : 'UTC');
    try {
      return new Temporal.ZonedDateTime(0n, name).timeZoneId;
    } catch {
      throw this.error(`timezone is ${show(name)}; allowed: an IANA name such as 'Europe/Berlin'`);
    }
  }

  #timetable(schedule: unknown): TimetableSpec {
    const ofAssets = assetTimetable(schedule, (time) => this.#timeOf(time));
    const checked = ofAssets?.ok === true ? validateTimetable(ofAssets.value) : (ofAssets ?? this.#timeOf(schedule));
    if (!checked.ok) throw this.error(`schedule: ${checked.error}`);
    return checked.value;
  }

  #timeOf(schedule: unknown): Result<TimetableSpec> {
    if (Timetable.is(schedule)) {
      this.ownTimetable = schedule;
      const { description } = schedule;
      return ok({
        kind: 'custom',
        name: schedule.constructor.name,
        ...(description === undefined ? {} : { description }),
      });
    }
    if (isCronPartition(schedule)) {
      const { partition: _, cron, timezone = this.timezone, ...rest } = schedule;
      return validateTimetable({ kind: 'cron_partition', expression: CRON_PRESETS[cron] ?? cron, timezone, ...rest });
    }
    const interval = isCronInterval(schedule);
    const input = interval
      ? { cron: schedule.cron, ...(schedule.timezone === undefined ? {} : { timezone: schedule.timezone }) }
      : schedule;
    return parseSchedule(input, this.timezone, { dataIntervals: interval });
  }

  #date(name: string, input: DateInput | undefined): number | undefined {
    if (input === undefined) return undefined;
    const parsed = parseDate(input, this.timezone);
    if (!parsed.ok) throw this.error(`${name} is ${parsed.error}`);
    return parsed.value;
  }
}

/** `dag('etl', { schedule: '@daily' }, () => { … })`. */
export function dag(id: string, define: (dag: Dag) => unknown): Dag;
export function dag(id: string, options: Omit<DagOptions, 'id'>, define?: (dag: Dag) => unknown): Dag;
export function dag(
  id: string,
  second: Omit<DagOptions, 'id'> | ((dag: Dag) => unknown),
  third?: (dag: Dag) => unknown,
): Dag {
  return typeof second === 'function' ? new Dag({ id }, second) : new Dag({ ...second, id }, third);
}
