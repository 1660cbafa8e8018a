import { TRIGGER_RULES, WEIGHT_RULES, type TriggerRule, type WeightRule } from '@rondo/domain';
import { parseDuration, type Duration, type Json } from '@rondo/kernel';
import * as z from 'zod';
import type { CallbackContext, TaskContext } from '../runtime/task-context.ts';
import { AssetCondition, isOutlet, type Outlet } from './asset.ts';
import { parseDate, type DateInput } from './dates.ts';
import type { ParamsInput } from './params.ts';
import { show } from './error.ts';
import { retryPolicySchema, type RetryPolicyInput } from './retry-policy.ts';
import { isLiteral } from '../templates/literal.ts';
import { isSource } from './source.ts';

/** Runs in the task's process. What it throws is logged and changes no state. */
export type Callback = (ctx: CallbackContext) => unknown;
export type Callbacks = Callback | readonly Callback[];

/** Whether a task of this run depends on its past. Asked once, when the run starts, in a process of its own. */
export type PastCondition = (ctx: TaskContext) => boolean | Promise<boolean>;

/** What every task has, whatever it does. */
export interface TaskAttributes {
  /** Default `rondo`. */
  readonly owner?: string;
  /** How often the task is tried again after a failure. Default 0. */
  readonly retries?: number;
  /** Between a failure and the next try. Default 5 minutes. */
  readonly retryDelay?: Duration;
  /** Multiplies the delay with every try; `true` is 2. Default 0: the delay stays. */
  readonly retryExponentialBackoff?: boolean | number;
  /** The delay never grows above this. Default: a day. */
  readonly maxRetryDelay?: Duration;
  /** What follows a failure, by what failed: in order, the first rule that fits decides. Default: retries and retryDelay alone. */
  readonly retryPolicy?: RetryPolicyInput;
  /** What the work may take, read by the task as `ctx.resources`; a rule of the retry policy may give the next try more. */
  readonly resources?: Readonly<Record<string, Json>>;
  /** A try that runs longer fails. Default: no limit. */
  readonly executionTimeout?: Duration;
  /**
   * What becomes of an attempt whose worker hears of no gateway for the lease (2 minutes). `end` (default): it is ended before
   * another begins elsewhere. `continue`: it goes on while another begins, so its work must bear being done twice at once.
   */
  readonly onLostContact?: 'end' | 'continue';
  /** How many attempts may be lost (machine or worker gone) before the task fails. Default 3. */
  readonly maxLostAttempts?: number;
  /** Wait for this task in the previous run. Default false. */
  readonly dependsOnPast?: boolean | PastCondition;
  /** Wait for the direct downstream of this task in the previous run as well. Default false. */
  readonly waitForDownstream?: boolean;
  /** `skip`: this task is skipped when it did not succeed in the previous run and that run has ended. Default `wait`. */
  readonly pastFailure?: 'wait' | 'skip';
  /** The first run that has this task waits for nothing. Default true. */
  readonly ignoreFirstDependsOnPast?: boolean;
  /** A skip of this task waits for the previous run too. Default false. */
  readonly waitForPastDependsBeforeSkipping?: boolean;
  /** Addresses; several in one text are parted by `,` or `;`. */
  readonly email?: string | readonly string[];
  /** Default true. */
  readonly emailOnFailure?: boolean;
  /** Default true. */
  readonly emailOnRetry?: boolean;
  /** Default `default_pool`. */
  readonly pool?: string;
  /** Slots of the pool that one attempt takes. Default 1. */
  readonly poolSlots?: number;
  /** At most so many instances of the task are queued or running at once, over all runs. Default: no limit. */
  readonly maxActiveTisPerDag?: number;
  /** The same in one run. Default: no limit. */
  readonly maxActiveTisPerDagrun?: number;
  /** Default 1. */
  readonly priorityWeight?: number;
  /** Default `downstream`. */
  readonly weightRule?: WeightRule;
  /** Which workers may take it. Default `default`. */
  readonly queue?: string;
  readonly executor?: string;
  /** What the executor is told of the task beside `resources`; `kubernetes` takes `pod`, a part of a pod's template. */
  readonly executorConfig?: Readonly<Record<string, Json>>;
  /** Runs of earlier dates do not have the task, if the DAG catches up. Default: the DAG's. */
  readonly startDate?: DateInput;
  /** Runs of later dates do not have the task. Default: none. */
  readonly endDate?: DateInput;
  /** Default `all_success`. */
  readonly triggerRule?: TriggerRule;
  readonly params?: ParamsInput;
  /** Templates that are one expression give its value instead of a text. Default: what the DAG says. */
  readonly renderTemplateAsNativeObj?: boolean;
  /** A template: what names an instance of a mapped task beside its map index. Default: nothing. */
  readonly mapIndexTemplate?: string;
  /** Markdown. */
  readonly doc?: string;
  readonly onExecute?: Callbacks;
  readonly onSuccess?: Callbacks;
  readonly onFailure?: Callbacks;
  readonly onRetry?: Callbacks;
  readonly onSkipped?: Callbacks;
  /** Store each key of a returned object as an XCom of its own as well. Default false. */
  readonly multipleOutputs?: boolean;
  /** Store what the task returns as its XCom. Default true. */
  readonly pushXcom?: boolean;
  /** Assets that the task updates when it succeeds, and aliases through which it may update others. */
  readonly outlets?: Outlet | readonly Outlet[];
  /** Assets that the task reads. */
  readonly inlets?: AssetCondition | readonly AssetCondition[];
}

const isFunction = (value: unknown): boolean => typeof value === 'function';

export const text = (): z.ZodType<string> => z.string().min(1).describe('a text of at least one character');
export const flag = (): z.ZodType<boolean> => z.boolean().describe('true or false');
export const wholeNumber = (least: number): z.ZodType<number> =>
  z.int().min(least).describe(`a whole number of at least ${least}`);
export const oneOf = <const T extends readonly string[]>(values: T): z.ZodType<T[number]> =>
  z.enum(values).describe(`one of ${values.join(', ')}`);
export const callbacks = (): z.ZodType<readonly Callback[]> =>
  z
    .unknown()
    .refine((value) => isFunction(value) || (Array.isArray(value) && value.every(isFunction)))
    .transform((value) => [value].flat() as Callback[])
    .describe('a function, or a list of functions');

/** Milliseconds out of a duration. */
export const duration = (): z.ZodType<number> =>
  z.unknown().transform((value, ctx): number => {
    const parsed = parseDuration(value);
    if (parsed.ok) return parsed.value;
    ctx.addIssue({ code: 'custom', message: parsed.error, params: { whole: true } });
    return z.NEVER;
  });

/** Left as it was given: it is read on the clocks of the DAG. */
const date = (): z.ZodType<DateInput> =>
  z
    .custom<DateInput>((value) => parseDate(value, 'UTC').ok)
    .describe("ISO text such as '2024-01-01', a Date of a literal, or a Temporal value");

const emails = z
  .union([z.string(), z.array(z.string())])
  .transform((value) =>
    [value].flat().flatMap((each) =>
      each
        .split(/[,;]/)
        .map((address) => address.trim())
        .filter((address) => address !== ''),
    ),
  )
  .refine((list) => list.every((address) => /^[^\s@]+@[^\s@]+$/.test(address)))
  .describe('an address such as team@example.org, or a list of them');

function isLeaf(value: unknown): value is AssetCondition {
  return AssetCondition.is(value) && value.expression.kind !== 'all' && value.expression.kind !== 'any';
}

function assets<T extends AssetCondition>(
  is: (value: unknown) => value is T,
  allowed: string,
): z.ZodType<readonly T[]> {
  return z
    .unknown()
    .refine((value) => [value].flat().every(is))
    .transform((value) => [value].flat() as T[])
    .describe(allowed);
}

const NAME = /^[\p{L}\p{N}_.-]+$/u;
const LONGEST = 250;
export const idSchema: z.ZodType<string> = z
  .string()
  .min(1)
  .max(LONGEST)
  .regex(NAME)
  .describe(`1 to ${LONGEST} letters, digits, '_', '-' and '.'`);

const shape = {
  owner: text(),
  retries: wholeNumber(0),
  retryDelay: duration(),
  retryExponentialBackoff: z
    .union([z.boolean().transform((on) => (on ? 2 : 0)), z.number().min(0)])
    .describe('true, false, or a factor of at least 0'),
  maxRetryDelay: duration(),
  retryPolicy: retryPolicySchema(problems),
  resources: z.record(z.string(), z.json()).describe('an object of JSON values'),
  executionTimeout: duration(),
  onLostContact: oneOf(['end', 'continue']),
  maxLostAttempts: wholeNumber(0),
  dependsOnPast: z
    .union([z.boolean(), z.custom<PastCondition>(isFunction)])
    .describe('true, false, or a function of the run'),
  waitForDownstream: flag(),
  pastFailure: oneOf(['wait', 'skip']),
  ignoreFirstDependsOnPast: flag(),
  waitForPastDependsBeforeSkipping: flag(),
  email: emails,
  emailOnFailure: flag(),
  emailOnRetry: flag(),
  pool: text(),
  poolSlots: wholeNumber(1),
  maxActiveTisPerDag: wholeNumber(1),
  maxActiveTisPerDagrun: wholeNumber(1),
  priorityWeight: z.int().describe('a whole number'),
  weightRule: oneOf(WEIGHT_RULES),
  queue: text(),
  executor: text(),
  executorConfig: z.record(z.string(), z.json()).describe('an object of JSON values'),
  startDate: date(),
  endDate: date(),
  triggerRule: oneOf(TRIGGER_RULES),
  params: z.record(z.string(), z.unknown()).describe('an object of params'),
  renderTemplateAsNativeObj: flag(),
  mapIndexTemplate: z.string().describe('a template'),
  doc: z.string().describe('a text'),
  onExecute: callbacks(),
  onSuccess: callbacks(),
  onFailure: callbacks(),
  onRetry: callbacks(),
  onSkipped: callbacks(),
  multipleOutputs: flag(),
  pushXcom: flag(),
  outlets: assets(isOutlet, 'an Asset or AssetAlias, or a list of them'),
  inlets: assets(isLeaf, 'an Asset, an AssetAlias or Asset.ref(…), or a list of them'),
} satisfies Record<keyof TaskAttributes, z.ZodType>;

type Shape = typeof shape;
/** Attributes after validation: durations are milliseconds, callbacks and addresses are lists. */
export type CheckedAttributes = { readonly [K in keyof Shape]?: z.output<Shape[K]> };

export const TASK_KEYS: ReadonlySet<string> = new Set(Object.keys(shape));
export const attributesSchema = z.object(shape).partial();

/** One refusal for each thing that is wrong: attribute, value, what is allowed. */
export function problems(error: z.ZodError, input: unknown, schema: z.ZodType): string[] {
  return error.issues.map((issue) => {
    const path = issue.path.map(String);
    const value = path.reduce<unknown>(
      (at, key) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined),
      input,
    );
    if (issue.code === 'custom' && issue.params?.['whole'] === true) return `${path.join('.')}: ${issue.message}`;
    if (issue.code === 'unrecognized_keys')
      return unknownKeys(issue.keys, path, Object.keys(shapeOf(schema, path) ?? {}));
    const said = issue.code === 'custom' && issue.message !== 'Invalid input' ? issue.message : undefined;
    const allowed = said ?? describedAt(schema, path) ?? issue.message;
    return `${path.join('.') || 'the value'} is ${show(value)}; allowed: ${allowed}`;
  });
}

function shapeOf(schema: z.ZodType, path: readonly string[]): Record<string, z.ZodType> | undefined {
  const at = path.reduce<z.ZodType | undefined>((each, key) => inner(each)?.[key], schema);
  return inner(at);
}

function inner(schema: z.ZodType | undefined): Record<string, z.ZodType> | undefined {
  if (schema instanceof z.ZodOptional) return inner(schema.unwrap() as z.ZodType);
  return schema instanceof z.ZodObject ? (schema.shape as Record<string, z.ZodType>) : undefined;
}

/** What the schema says of the innermost place that it says something of. */
function describedAt(schema: z.ZodType, path: readonly string[]): string | undefined {
  let found: string | undefined;
  let at: z.ZodType | undefined = schema;
  for (const key of path) {
    at = inner(at)?.[key];
    if (at === undefined) break;
    const unwrapped: z.ZodType = at instanceof z.ZodOptional ? (at.unwrap() as z.ZodType) : at;
    found = unwrapped.description ?? found;
  }
  return found;
}

export function unknownKeys(keys: readonly string[], path: readonly string[], known: readonly string[]): string {
  const where = path.length === 0 ? '' : `${path.join('.')}.`;
  return keys.map((key) => `${where}${key} is not an attribute; ${suggestion(key, known)}`).join('; ');
}

export function suggestion(key: string, known: readonly string[]): string {
  const near = known
    .map((each) => [each, distance(key.toLowerCase(), each.toLowerCase())] as const)
    .sort((a, b) => a[1] - b[1])[0];
  return near !== undefined && near[1] <= 3 ? `did you mean ${near[0]}?` : `allowed: ${[...known].sort().join(', ')}`;
}

/** Levenshtein's. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}

const isRendered = (value: unknown): boolean => isSource(value) || isLiteral(value) || isFunction(value);

/**
 * A schema of an operator's argument that may also be given by another task's output, by a template that becomes it, by a
 * function of the context, or as a literal.
 * What comes of them is the operator's to check when it runs.
 */
export function templatable<T extends z.ZodType>(schema: T): z.ZodType<z.output<T>> {
  const template = z.string().regex(/\{\{|\{%/);
  const described = z.union([schema, z.custom<z.output<T>>(isRendered), template]) as unknown as z.ZodType<z.output<T>>;
  return schema.description === undefined ? described : described.describe(schema.description);
}
