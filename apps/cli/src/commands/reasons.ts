import { isFinished } from '@rondo/nest-platform/progress';
import type { Context } from '../context.ts';
import type { ReasonAnswer } from '../http/answers.ts';
import { table } from '../output/format.ts';

export interface WhyAnswer {
  readonly state: string;
  readonly reasons: readonly ReasonAnswer[];
}

/** The rules between a run or a task instance and what is next for it, those that hold it back first. */
export function tellReasons(context: Context, name: string, answer: WhyAnswer): void {
  context.answer(answer, () => {
    const failing = answer.reasons.filter((reason) => !reason.passed);
    const waits = failing.length === 0 ? 'nothing holds it back' : 'it waits because:';
    const head = `${name} is ${answer.state}${isFinished(answer.state) ? '' : `; ${waits}`}`;
    const rows = [...failing, ...answer.reasons.filter((reason) => reason.passed)];
    return `${head}\n${table(
      ['', 'RULE', 'REASON'],
      rows.map((r) => [r.passed ? '✔' : '✖', r.rule, r.reason]),
    )}`;
  });
}
