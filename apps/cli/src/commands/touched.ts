import type { Context } from '../context.ts';

interface Instances {
  readonly instances: readonly { readonly taskId: string; readonly mapIndex: string; readonly to?: number }[];
}

/** Instances of one run, or of several. */
export type TouchedAnswer =
  | Instances
  | { readonly runs: readonly (Instances & { readonly runId: string; readonly refused?: string })[] };

const lastOf = (mapIndex: string): number => Number(mapIndex.split('.').at(-1) || 0);

/** What a command did to task instances, or would do. */
export function tellTouched(context: Context, answer: TouchedAnswer, verb: string): void {
  context.answer(answer, () => {
    if (!('runs' in answer)) return touchedText(answer, verb);
    if (answer.runs.length === 0) return 'no run fits';
    return answer.runs.map((run) => `${run.runId}: ${run.refused ?? touchedText(run, verb)}`).join('\n');
  });
}

function touchedText({ instances }: Instances, verb: string): string {
  const names = instances.map(({ taskId, mapIndex, to }) =>
    mapIndex === '' ? taskId : `${taskId}[${mapIndex}${to === undefined ? '' : `-${to}`}]`,
  );
  const count = instances.reduce((sum, { mapIndex, to }) => sum + (to ?? lastOf(mapIndex)) - lastOf(mapIndex) + 1, 0);
  return count === 0 ? `nothing to change: no task instance ${verb}` : `${count} ${verb}: ${names.join(', ')}`;
}
