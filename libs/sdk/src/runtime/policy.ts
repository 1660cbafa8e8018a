import { fits, type RetryAnswer, type TaskError } from '@rondo/domain';
import { problems } from '../authoring/attributes.ts';
import { decisionOf, type CheckedRule, type RetryFunction } from '../authoring/retry-policy.ts';
import type { Task } from '../authoring/task.ts';
import type { LogSink } from './contract.ts';
import type { TaskContext } from './task-context.ts';

/** What a function may give the next try, as JSON: it becomes part of an event (I7). */
const ANSWER_CHARS = 8_192;
/** A message is looked at with a regular expression this far. */
const MESSAGE_CHARS = 4_096;

/**
 * The first rule that fits, if it is one that only this process can ask: a function, or one with a regular expression. What a
 * function throws is logged, and so is an answer that is none; the next rule is asked then.
 */
export async function askPolicy(
  task: Task,
  thrown: unknown,
  error: TaskError,
  ctx: TaskContext,
  log: LogSink,
): Promise<RetryAnswer | undefined> {
  for (const [at, checked] of (task.attributes.retryPolicy ?? []).entries()) {
    const { rule, ask } = checked;
    if (ask !== undefined) {
      const answer = await askFunction(ask, at, thrown, error, ctx, log);
      if (answer !== undefined) return answer;
    } else if (rule.inChild === true) {
      if (fitsHere(checked, error)) return { rule: at };
    } else if (fits(rule, error)) return undefined;
  }
  return undefined;
}

function fitsHere({ rule, patterns = [] }: CheckedRule, error: TaskError): boolean {
  const { message = [], ...rest } = rule;
  if (!fits(rest, error)) return false;
  const texts = message.filter((each) => !patterns.some((pattern) => String(pattern) === each));
  if (texts.length > 0 && fits({ message: texts }, error)) return true;
  const text = error.message.slice(0, MESSAGE_CHARS);
  return patterns.some((pattern) => text.search(pattern) >= 0);
}

async function askFunction(
  ask: RetryFunction,
  at: number,
  thrown: unknown,
  error: TaskError,
  ctx: TaskContext,
  log: LogSink,
): Promise<RetryAnswer | undefined> {
  const where = `rule ${at + 1} of the retry policy`;
  try {
    const about = { callback: 'onRetry' as const, reason: error.message, error };
    const given = await ask(thrown, Object.assign(Object.create(ctx) as TaskContext, about));
    if (given === undefined || given === null) return undefined;
    const decision = decisionOf(given, problems);
    if (typeof decision === 'string') log('error', `${where} is passed over: ${decision}`);
    else if (JSON.stringify(decision).length > ANSWER_CHARS)
      log('error', `${where} is passed over: its answer is over ${ANSWER_CHARS} characters of JSON`);
    else return { rule: at, ...decision };
  } catch (problem) {
    log(
      'error',
      `${where} threw and is passed over: ${problem instanceof Error ? (problem.stack ?? problem.message) : String(problem)}`,
    );
  }
  return undefined;
}
