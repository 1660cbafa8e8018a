import {
  factorOf,
  RETRY_KINDS,
  times,
  type Growing,
  type RetryAction,
  type RetryKind,
  type RetryRule,
  type RetryWith,
  type TaskError,
} from '@rondo/domain';
import { parseDuration, type Duration, type Json, type JsonObject } from '@rondo/kernel';
import * as z from 'zod';
import type { CallbackContext } from '../runtime/task-context.ts';
import { show } from './error.ts';
import { isPlain } from './source.ts';

type OneOrMore<T> = T | readonly T[];

/** What the next try gets instead of what the task has. `'x2'`: twice what the last try had; a list: one for each try. */
export interface RetryWithInput {
  readonly pool?: OneOrMore<string>;
  readonly poolSlots?: Growing<number>;
  readonly queue?: OneOrMore<string>;
  readonly executor?: OneOrMore<string>;
  /** A duration, `'x2'`, or a list of durations. */
  readonly executionTimeout?: OneOrMore<Duration>;
  /** Seen by the task as `ctx.resources`, over its attribute `resources`. */
  readonly resources?: Readonly<Record<string, Growing>>;
  readonly env?: Readonly<Record<string, OneOrMore<string>>>;
  /** Arguments of the operator; objects are merged, a list is a value. */
  readonly args?: JsonObject;
}

/** One rule of a retry policy. Every part that is given must fit the error; of a list one is enough. */
export interface RetryRuleInput {
  /** Shown to people. Default: its number. */
  readonly name?: string;
  /** A class or its name: of the error, of a class that it inherits from, or of one of its causes. */
  readonly error?: OneOrMore<string | (abstract new (...args: never[]) => Error)>;
  /** A text that the message holds (`*` stands for anything), or a regular expression. */
  readonly message?: OneOrMore<string | RegExp>;
  readonly kind?: OneOrMore<RetryKind>;
  readonly exitCode?: OneOrMore<number>;
  readonly signal?: OneOrMore<string>;
  /** Default `retry`. `default`: the task's own retries and delay. */
  readonly action?: RetryAction;
  /** In place of the task's retryDelay; a list: one for each try that the rule grants. */
  readonly delay?: OneOrMore<Duration>;
  /** Tries that this rule grants; then the task fails. Default: as many as the task has retries. */
  readonly limit?: number;
  readonly with?: RetryWithInput;
}

export interface RetryDecisionInput {
  readonly action?: RetryAction;
  readonly delay?: Duration;
  readonly with?: RetryWithInput;
}

/** Runs in the task's process with what was thrown. Nothing: it does not say anything, the next rule is asked. */
export type RetryFunction = (
  thrown: unknown,
  ctx: CallbackContext & { readonly error: TaskError },
) => RetryAction | RetryDecisionInput | undefined | Promise<RetryAction | RetryDecisionInput | undefined>;

export type RetryPolicyInput = OneOrMore<RetryRuleInput | RetryFunction>;

/** A rule after validation, and what only the task's process can ask. */
export interface CheckedRule {
  readonly rule: RetryRule;
  readonly ask?: RetryFunction;
  readonly patterns?: readonly RegExp[];
}

const list = <T extends z.ZodType>(each: T, allowed: string) =>
  z
    .union([each.transform((value) => [value]), z.array(each).min(1)])
    .transform((value) => value as z.output<T>[])
    .describe(allowed);

const name = z.string().min(1);
const className = z.union([
  name,
  z.custom<{ readonly name: string }>((value) => typeof value === 'function').transform((value) => value.name),
]);
const durationMs = z.unknown().transform((value, ctx): number => {
  const parsed = parseDuration(value);
  if (parsed.ok) return parsed.value;
  ctx.addIssue({ code: 'custom', message: parsed.error });
  return z.NEVER;
});
const durations = z
  .union([durationMs.transform((value) => [value]), z.array(durationMs).min(1)])
  .describe("a duration such as '90s', or a list of durations");
const factor = z.custom<string>((value) => factorOf(value) !== undefined);
const slots = z.union([z.int().min(1), factor]);
const json: z.ZodType<Json> = z.json() as z.ZodType<Json>;
const texts = z.union([name, z.array(name).min(1)]).describe('a text, or a list of one for each try');

const withSchema = z.strictObject({
  pool: texts.optional(),
  poolSlots: z
    .union([slots, z.array(slots).min(1)])
    .describe("a whole number of at least 1, a factor such as 'x2', or a list of one for each try")
    .optional(),
  queue: texts.optional(),
  executor: texts.optional(),
  executionTimeout: z
    .union([factor, durationMs, z.array(durationMs).min(1)])
    .describe("a duration, a factor such as 'x2', or a list of durations")
    .optional(),
  resources: z.record(z.string(), json).describe("an object of values, factors such as 'x2', or lists").optional(),
  env: z.record(z.string(), texts).describe('an object of texts').optional(),
  args: z.record(z.string(), json).describe('an object of JSON values').optional(),
});

const ruleSchema = z.strictObject({
  name: name.describe('a text of at least one character').optional(),
  error: list(className, 'a class, its name, or a list of them').optional(),
  message: list(z.union([name, z.instanceof(RegExp)]), 'a text, a regular expression, or a list of them').optional(),
  kind: list(z.enum(RETRY_KINDS), `one of ${RETRY_KINDS.join(', ')}, or a list of them`).optional(),
  exitCode: list(z.int().min(0).max(255), 'an exit code from 0 to 255, or a list of them').optional(),
  signal: list(name, "a signal such as 'SIGKILL', or a list of them").optional(),
  action: z.enum(['retry', 'fail', 'default']).describe("'retry', 'fail' or 'default'").optional(),
  delay: durations.optional(),
  limit: z.int().min(1).describe('a whole number of at least 1').optional(),
  with: withSchema.optional(),
});

const decisionSchema = ruleSchema.pick({ action: true, with: true }).extend({ delay: durationMs.optional() });

export type Explain = (error: z.ZodError, input: unknown, schema: z.ZodType) => readonly string[];

/** `explain`: says what is wrong with an object by its schema. */
export function retryPolicySchema(explain: Explain): z.ZodType<readonly CheckedRule[]> {
  return z
    .unknown()
    .transform((value, ctx): readonly CheckedRule[] =>
      [value].flat().flatMap((each, at): readonly CheckedRule[] => {
        const refuse = (message: string): readonly CheckedRule[] => {
          const place = Array.isArray(value) ? `rule ${at + 1}: ` : '';
          ctx.addIssue({ code: 'custom', message: `${place}${message}`, params: { whole: true } });
          return [];
        };
        if (typeof each === 'function') return [askRule(each as RetryFunction)];
        if (typeof each !== 'object' || each === null || !isPlain(each))
          return refuse(
            `${show(each)} is no rule; allowed: an object such as { error: 'TimeoutError', action: 'fail' }, or a function`,
          );
        const parsed = ruleSchema.safeParse(each);
        if (!parsed.success) return refuse(explain(parsed.error, each, ruleSchema).join('; '));
        return [checkedRule(parsed.data)];
      }),
    )
    .describe('a rule, a function, or a list of them');
}

function askRule(ask: RetryFunction): CheckedRule {
  return {
    rule: {
      ...(ask.name === '' || ask.name === 'retryPolicy' ? {} : { name: ask.name }),
      action: 'default',
      inChild: true,
    },
    ask,
  };
}

function checkedRule(given: z.output<typeof ruleSchema>): CheckedRule {
  const { message, delay, with: change, action = 'retry', ...rest } = given;
  const patterns = message?.filter((each) => each instanceof RegExp) ?? [];
  const rule = defined({
    ...rest,
    message: message?.map(String),
    action,
    delaysMs: delay,
    with: change === undefined ? undefined : checkedWith(change),
    inChild: patterns.length > 0 ? true : undefined,
  }) as unknown as RetryRule;
  return patterns.length === 0 ? { rule } : { rule, patterns };
}

function checkedWith({ executionTimeout, ...rest }: z.output<typeof withSchema>): RetryWith {
  return defined({ ...rest, executionTimeoutMs: executionTimeout }) as RetryWith;
}

function defined(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined));
}

/** What a function answered, or why that is no answer. */
export function decisionOf(
  answer: unknown,
  explain: Explain,
): { readonly action: RetryAction; readonly delayMs?: number; readonly with?: RetryWith } | string {
  const given = typeof answer === 'string' ? { action: answer } : answer;
  const parsed = decisionSchema.safeParse(given);
  if (!parsed.success) return explain(parsed.error, given, decisionSchema).join('; ');
  const { action = 'retry', delay, with: change } = parsed.data;
  return {
    action,
    ...(delay === undefined ? {} : { delayMs: delay }),
    ...(change === undefined ? {} : { with: checkedWith(change) }),
  };
}

/** A factor needs something that it can multiply; undefined: it has. */
export function growthProblem(
  rules: readonly CheckedRule[],
  task: { readonly resources?: JsonObject | undefined; readonly executionTimeout?: number | undefined },
): string | undefined {
  for (const { rule } of rules) {
    for (const [key, value] of Object.entries(rule.with?.resources ?? {}))
      if (factorOf(value) !== undefined && times(task.resources?.[key], 1) === undefined)
        return `retryPolicy: with.resources.${key} is ${show(value)} and the task's resources.${key} is ${show(task.resources?.[key])}; allowed: a number such as 4, or one with a unit such as '4g', in the attribute resources`;
    if (factorOf(rule.with?.executionTimeoutMs) !== undefined && task.executionTimeout === undefined)
      return `retryPolicy: with.executionTimeout is ${show(rule.with?.executionTimeoutMs)} and the task has no executionTimeout; allowed: an executionTimeout to multiply, or a duration`;
  }
  return undefined;
}
