import fc from 'fast-check';
import { decideMarkRun, nextWake, type DagRunEvent } from '@rondo/domain';
import { readyOf, RunHarness, viewOf } from '@rondo/testing';
import { effort, seed } from './effort.ts';
import { scenarios, type Scenario } from './scenario.ts';

/** A decision that was made, and how its message, delivered again, is decided again. */
interface Step {
  readonly from: number;
  readonly paused: boolean;
  readonly now: number;
  /** Whether the decision counts as made once its first event is written; if not it is always made again. */
  readonly once: boolean;
  readonly make: (harness: RunHarness) => void;
  readonly after: unknown;
  readonly ready: readonly string[];
}

/** A life of one message a decision, of which every step is remembered. */
function live(
  { definition, window, outcomeOf }: Scenario,
  dice: readonly number[],
): { harness: RunHarness; steps: Step[] } {
  const harness = new RunHarness(definition, { window });
  const steps: Step[] = [];
  const step = (make: (on: RunHarness) => void, once = false): void => {
    const from = harness.history.length;
    make(harness);
    const { paused, now } = harness;
    steps.push({ from, paused, now, once, make, after: viewOf(harness.run), ready: readyOf(harness.run) });
  };
  step((on) => on.start(), true);
  const taskId = (pick: number): string => definition.tasks[pick % definition.tasks.length]!.taskId;
  for (const die of dice) {
    const pick = Math.floor(die / 10);
    const open = harness.openInstances;
    const chosen = open[pick % Math.max(1, open.length)];
    const action = die % 10;
    if (harness.run.state === 'queued') step((on) => on.resume(), true);
    else if (action === 0)
      step((on) => void on.clearSelection({ taskIds: [taskId(pick)], includeDownstream: pick % 2 === 0 }), true);
    else if (action === 1)
      step((on) => void on.mark(taskId(pick), (['success', 'failed', 'skipped'] as const)[pick % 3]!), true);
    else if (action === 2) harness.paused = pick % 3 === 0;
    else if (action === 3 && pick % 5 === 0)
      step((on) => void on.decide((d) => decideMarkRun(d, pick % 2 === 0 ? 'success' : 'failed', 'marked')));
    else if (chosen !== undefined) {
      const { taskId: id } = chosen.task.def;
      const attempt = harness.attempt(id);
      const report = harness.endReport(id, outcomeOf(attempt), attempt);
      step((on) => void on.report(report));
    } else {
      harness.now = Math.max(harness.now, nextWake({ run: harness.run }) ?? harness.now);
      step((on) => on.decide(() => undefined));
    }
  }
  return { harness, steps };
}

const dice = fc.array(fc.nat(1_000_000), { minLength: 1, maxLength: 80 });

describe(`properties of recovery (RONDO_SEED=${seed})`, () => {
  it('a decision that is cut anywhere is completed after a restart', () => {
    const property = fc.property(scenarios(14), dice, (scenario, throws) => {
      const { harness, steps } = live(scenario, throws);
      for (const [at, step] of steps.entries()) {
        const end = steps[at + 1]?.from ?? harness.history.length;
        for (let cut = step.from; cut <= end; cut++)
          completed(scenario, step, harness.history.slice(0, cut), cut - step.from);
      }
    });
    fc.assert(property, { numRuns: 60 * effort, seed, interruptAfterTimeLimit: 20_000 });
  });
});

/** Reads back what was written, decides the message again unless it is known to be done, and carries the run on. */
function completed(
  { definition, window }: Scenario,
  step: Step,
  history: readonly DagRunEvent[],
  written: number,
): void {
  const { paused, now } = step;
  const back = new RunHarness(definition, { window, paused, now, history });
  if (written === 0 || !step.once) step.make(back);
  else back.decide(() => undefined);
  // A run that was cleared after its end is reopened by its DAG, whose stream was written first (I4).
  const isCutReopening = back.run.state !== 'queued' && (step.after as { readonly state: string }).state === 'queued';
  if (isCutReopening) back.run.state = 'queued';
  const view = viewOf(back.run);
  if (isCutReopening) expect(view.instances).toEqual((step.after as typeof view).instances);
  else expect(view).toEqual(step.after);
  if (back.run.state === 'running') expect(readyOf(back.run)).toEqual(step.ready);
}
