import type { PastAnswers, TaskError } from '../task-instance/index.ts';
import type { Decision } from './decision.ts';
import type { DagRunEvent } from './events.ts';
import { look, type DagRunState } from './state.ts';

/** `failed`: its function did, and it waits as if it had said that it depends. */
export type PastAnswer = 'depends' | 'free' | 'failed';

/** The answers of a child, or why there are none. What was answered once is never asked again. */
export function decidePastAnswers(d: Decision, answers: PastAnswers | undefined, error?: TaskError): boolean {
  const { plan, started, pastAnswers } = d.run;
  if (!plan.asksConditions || started === undefined || pastAnswers !== undefined) return false;
  const { depends = [], errors } = answers ?? {};
  const said = answers === undefined && error !== undefined ? { error } : {};
  d.emit({
    type: 'PastConditionsAnswered',
    data: { at: d.now, depends, ...(errors === undefined ? {} : { errors }), ...said },
  });
  return true;
}

/** Folds PastConditionsAnswered: what waited for the answer is looked at again. */
export function foldPastAnswers(
  run: DagRunState,
  { depends, errors = {}, error }: Extract<DagRunEvent, { type: 'PastConditionsAnswered' }>['data'],
): void {
  const dependent = new Set(depends);
  const answers = new Map<string, PastAnswer>();
  for (const { def } of run.plan.tasks)
    if (def.pastCondition === true) {
      const { taskId } = def;
      const failed = error !== undefined || errors[taskId] !== undefined;
      answers.set(taskId, failed ? 'failed' : dependent.has(taskId) ? 'depends' : 'free');
    }
  run.pastAnswers = answers;
  for (const index of run.past.tasks()) for (const inst of run.past.of(index)) look(run, inst);
}
