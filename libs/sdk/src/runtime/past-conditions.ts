import { PAST_ERRORS_KEPT, type PastAnswers, type TaskError } from '@rondo/domain';
import { show } from '../authoring/error.ts';
import { loggerOf, openSession, taskContext } from './attempt-context.ts';
import type { RunCallbackOptions } from './contract.ts';
import { taskError } from './task-error.ts';

const MESSAGE = 1_000;

/** Asks every function of `dependsOnPast` of the DAG about one run. One that fails counts as true, and is told. */
export async function askPastConditions({ input, ...host }: RunCallbackOptions): Promise<PastAnswers> {
  const ctx = taskContext(openSession(host, input, undefined));
  const depends: string[] = [];
  const errors: Record<string, TaskError> = {};
  const failed = (taskId: string, error: TaskError): void => {
    depends.push(taskId);
    loggerOf(host).error(`dependsOnPast of task ${taskId} failed: ${error.stack ?? error.message}`);
    if (Object.keys(errors).length >= PAST_ERRORS_KEPT) return;
    const { stack: _stack, ...rest } = error;
    errors[taskId] = { ...rest, message: rest.message.slice(0, MESSAGE) };
  };
  for (const { taskId, attributes } of host.dag.tasks) {
    const { dependsOnPast: ask } = attributes;
    if (typeof ask !== 'function') continue;
    try {
      const answer: unknown = await ask(ctx);
      if (answer === true) depends.push(taskId);
      else if (answer !== false)
        failed(taskId, {
          kind: 'exception',
          message: `dependsOnPast answered ${show(answer)}; allowed: true or false`,
        });
    } catch (thrown) {
      failed(taskId, taskError(thrown, host.mask ?? ((text) => text)));
    }
  }
  return { depends, ...(Object.keys(errors).length === 0 ? {} : { errors }) };
}
