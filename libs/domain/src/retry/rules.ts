import type { Json, JsonObject } from '@rondo/kernel';
import type { TaskError } from '../task-instance/outcome.ts';
import { isOutOfMemory } from './matches.ts';

/** What a rule looks at besides names and texts. `outOfMemory` is a kind of `exit`. */
export const RETRY_KINDS = [
  'exception',
  'timeout',
  'exit',
  'outOfMemory',
  'lost',
  'load',
  'template',
  'branch',
  'trigger',
] as const;
export type RetryKind = (typeof RETRY_KINDS)[number];

/** Every part that is given must fit; a part with several values fits when one of them does. */
export interface ErrorMatch {
  /** Names of classes: that of the error, of one it inherits from, or of one of its causes. */
  readonly error?: readonly string[];
  /** Texts that the message must hold; `*` stands for anything between the parts. Upper and lower case differ. */
  readonly message?: readonly string[];
  readonly kind?: readonly RetryKind[];
  readonly exitCode?: readonly number[];
  readonly signal?: readonly string[];
}

/** A value for the next try: `'x2'` is twice the value of the last one, a list has one for each try that the rule grants. */
export type Growing<T extends Json = Json> = T | string | readonly T[];

/** What the next try gets instead of what the task has. */
export interface RetryWith {
  readonly pool?: string | readonly string[];
  readonly poolSlots?: Growing<number>;
  readonly queue?: string | readonly string[];
  readonly executor?: string | readonly string[];
  readonly executionTimeoutMs?: Growing<number>;
  readonly resources?: Readonly<Record<string, Growing>>;
  readonly env?: Readonly<Record<string, string | readonly string[]>>;
  /** Arguments of the operator; objects are merged, lists are values. */
  readonly args?: JsonObject;
}

export type RetryAction = 'retry' | 'fail' | 'default';

/** One rule of a task's retry policy. The first that fits decides. */
export interface RetryRule extends ErrorMatch {
  /** Shown to people. Default: its number, from 1. */
  readonly name?: string;
  readonly action: RetryAction;
  /** In place of the task's own delay; a list: one for each try that the rule grants, the last for all further ones. */
  readonly delaysMs?: readonly number[];
  /** Tries that this rule grants to an instance; then it fails. Default: as many as the task has. */
  readonly limit?: number;
  readonly with?: RetryWith;
  /** A function or a regular expression: only the child can say whether it fits, and does so with the outcome. */
  readonly inChild?: true;
}

/** What a child found: the first rule that fits. A function decides for itself what follows. */
export interface RetryAnswer {
  /** From 0. */
  readonly rule: number;
  readonly action?: RetryAction;
  readonly delayMs?: number;
  readonly with?: RetryWith;
}

/** What an attempt gets instead of what its task has. */
export interface AttemptOverrides {
  readonly pool?: string;
  readonly poolSlots?: number;
  readonly queue?: string;
  readonly executor?: string;
  readonly executionTimeoutMs?: number;
  readonly resources?: JsonObject;
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: JsonObject;
}

/** The rule that decided, as the history keeps it. */
export interface DecidingRule {
  /** From 0. */
  readonly index: number;
  readonly name?: string;
}

/** Undefined: no rule says anything, the task's own retries decide. */
export interface RetryVerdict {
  readonly rule: DecidingRule;
  readonly action: RetryAction;
  readonly delayMs: number | undefined;
  readonly with: RetryWith | undefined;
  /** Tries that the rule has granted before. */
  readonly uses: number;
}

/**
 * The first rule that fits the error. `uses`: how many tries each rule has granted to the instance since it was last cleared.
 * Pure and linear in the length of the message: it runs where runs are decided, and in the child for the right callback.
 */
export function judgeError(
  rules: readonly RetryRule[],
  error: TaskError,
  uses: ReadonlyMap<number, number>,
  answer?: RetryAnswer,
): RetryVerdict | undefined {
  const index = rules.findIndex((rule, at) => (rule.inChild === true ? answer?.rule === at : fits(rule, error)));
  const rule = rules[index];
  if (rule === undefined) return undefined;
  const used = uses.get(index) ?? 0;
  const action = (rule.inChild === true ? answer?.action : undefined) ?? rule.action;
  const delays = rule.delaysMs ?? [];
  return {
    rule: { index, ...(rule.name === undefined ? {} : { name: rule.name }) },
    action: action === 'retry' && rule.limit !== undefined && used >= rule.limit ? 'fail' : action,
    delayMs: (rule.inChild === true ? answer?.delayMs : undefined) ?? delays[Math.min(used, delays.length - 1)],
    with: (rule.inChild === true ? answer?.with : undefined) ?? rule.with,
    uses: used,
  };
}

export function fits(match: ErrorMatch, error: TaskError): boolean {
  const { error: names, message, kind, exitCode, signal } = match;
  if (names !== undefined && !names.some((name) => name === error.type || error.types?.includes(name) === true))
    return false;
  if (message !== undefined && !message.some((pattern) => holds(error.message, pattern))) return false;
  if (kind !== undefined && !kind.some((each) => isOfKind(error, each))) return false;
  if (exitCode !== undefined && (error.exitCode === undefined || !exitCode.includes(error.exitCode))) return false;
  return signal === undefined || (error.signal !== undefined && signal.includes(error.signal));
}

function isOfKind(error: TaskError, kind: RetryKind): boolean {
  return kind === 'outOfMemory' ? isOutOfMemory(error) : error.kind === kind;
}

/** The parts between the stars, one after the other: a search that never goes back. */
function holds(text: string, pattern: string): boolean {
  let from = 0;
  for (const part of pattern.split('*')) {
    const at = text.indexOf(part, from);
    if (at < 0) return false;
    from = at + part.length;
  }
  return true;
}
