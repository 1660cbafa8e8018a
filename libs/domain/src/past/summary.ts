import type { RunPlan } from '../dag-run/plan.ts';
import type { DagRunState } from '../dag-run/state.ts';

/** How the tasks of a closed run ended, as far as the next run may want to know. Said of the run once, in its closing. */
export interface RunSummary {
  /** The revision of the run's own stream at which this holds. */
  readonly revision: number;
  /** Tasks of which an instance ended neither as success nor as skipped. */
  readonly unmet?: readonly string[];
  /** Tasks which depend on their past in the DAG's newest version, and of which the run has no instance. */
  readonly absent?: readonly string[];
  /** There were too many to name: a task that depends on its past and is not named here may be one of `unmet`. */
  readonly rest?: true;
}

/** Ids of a summary together stay under this many characters. */
const SUMMARY_CHARS = 64_000;

/**
 * Undefined where no task of the run's version or of the newest one depends on its past. Tasks that the next run asks for
 * first are named first; of the others as many as there is room for, for a version that asks for them later.
 */
export function summarise(run: DagRunState, revision: number, newest: RunPlan | undefined): RunSummary | undefined {
  const { plan } = run;
  if (!plan.asksPast && newest?.asksPast !== true) return undefined;
  const asked = new Set([...askedOf(plan), ...(newest === undefined ? [] : askedOf(newest))]);
  const unmet = run.tasks.filter((task) => task.passed < task.size).map((task) => task.plan.def.taskId);
  const absent =
    newest === undefined || newest === plan
      ? []
      : newest.tasks
          .filter((task) => task.asksPast && !plan.indexOf.has(task.def.taskId))
          .map((task) => task.def.taskId);
  const named: string[] = [];
  let chars = absent.reduce((sum, id) => sum + id.length, 0);
  let rest = false;
  for (const id of [...unmet.filter((each) => asked.has(each)), ...unmet.filter((each) => !asked.has(each))]) {
    chars += id.length;
    if (chars > SUMMARY_CHARS) {
      rest = asked.has(id);
      break;
    }
    named.push(id);
  }
  return {
    revision,
    ...(named.length === 0 ? {} : { unmet: named }),
    ...(absent.length === 0 ? {} : { absent }),
    ...(rest ? { rest: true } : {}),
  };
}

/** The tasks whose end in this run the next run's tasks look at. */
function askedOf(plan: RunPlan): string[] {
  return plan.tasks.flatMap((task) => {
    if (!task.asksPast) return [];
    const below = task.def.waitForDownstream ? Array.from(task.downstream, (i) => plan.tasks[i]!.def.taskId) : [];
    return [task.def.taskId, ...below];
  });
}

export function isSameSummary(a: RunSummary | undefined, b: RunSummary | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.rest === b.rest && isSameList(a.unmet, b.unmet) && isSameList(a.absent, b.absent);
}

function isSameList(a: readonly string[] = [], b: readonly string[] = []): boolean {
  return a.length === b.length && a.every((id, at) => id === b[at]);
}
