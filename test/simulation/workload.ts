import type { Assignment, AttemptOutcome, DagDefinition, Pool, TaskDefinition } from '@rondo/domain';
import type { DagCommand } from '@rondo/contracts';
import { aDefinition, aTask } from '@rondo/testing';
import { NAIVE_RULES } from '../properties/naive-rules.ts';
import type { Dice } from './engine/dice.ts';
import { Dice as NewDice } from './engine/dice.ts';
import type { Script } from './engine/worker-host.ts';

/** Something that somebody outside does. */
export type Action =
  /** `isLast`: when nothing else comes that it might overtake. */
  | {
      readonly kind: 'command';
      readonly at: number;
      readonly dagId: string;
      readonly command: DagCommand;
      readonly isLast?: true;
    }
  | { readonly kind: 'event'; readonly at: number; readonly id: string; readonly type: string };

export interface Workload {
  readonly dags: readonly DagDefinition[];
  readonly pools: readonly Pool[];
  readonly actions: readonly Action[];
  readonly script: Script;
  /** What comes out does not depend on the order in which things happen. */
  readonly isConfluent: boolean;
  readonly runs: readonly { readonly dagId: string; readonly runId: string }[];
}

const EVENT_TYPES = ['arrived', 'signed', 'paid'];
const LATEST_RUN_MS = 40_000;

/** A few small DAGs with their runs, and what people and other systems do to them. */
export function workloadOf(dice: Dice): Workload {
  const throws = dice.fork('workload');
  const isConfluent = throws.chance(0.5);
  const pools: Pool[] = [
    { name: 'narrow', slots: throws.between(1, 2), includeDeferred: false },
    { name: 'wide', slots: throws.between(3, 5), includeDeferred: throws.chance(0.3) },
  ];
  const dags = Array.from({ length: throws.between(1, 4) }, (_, n) => dagOf(throws, `d${n}`, isConfluent));
  const runs = dags.flatMap(({ dagId }) =>
    Array.from({ length: throws.between(1, 3) }, (_, n) => ({ dagId, runId: `r${n}` })),
  );
  const actions: Action[] = runs.map(({ dagId, runId }) => ({
    kind: 'command',
    at: throws.between(2_000, LATEST_RUN_MS),
    dagId,
    command: { type: 'triggerRun', runId, runType: 'manual', triggeredBy: 'user' },
  }));
  for (const type of EVENT_TYPES)
    for (let n = 0; n < throws.between(1, 3); n++)
      actions.push({ kind: 'event', at: throws.between(0, 90_000), id: `${type}-${n}`, type });
  if (!isConfluent) actions.push(...disturbances(throws, dags, runs));
  return { dags, pools, actions, script: scriptOf(dice.fork('bodies'), isConfluent), isConfluent, runs };
}

function dagOf(dice: Dice, dagId: string, isConfluent: boolean): DagDefinition {
  const isMapped = dice.chance(0.3);
  const size = dice.between(1, 8);
  const tasks: TaskDefinition[] = [];
  for (let n = 0; n < size; n++) tasks.push(taskOf(dice, n, isMapped, isConfluent));
  if (isMapped)
    for (let n = 0; n < dice.between(1, 2); n++)
      tasks.push(aTask(`m${n}`, { ...manner(dice, isConfluent), ...upstreamOf(dice, size, 1), ...mappingOf(dice) }));
  return aDefinition(dagId, tasks, {
    maxActiveTasks: dice.pick([2, 4, 16]),
    maxActiveRuns: dice.pick([1, 2, 16]),
    callbacks: dice.chance(0.2) ? ['onSuccess', 'onFailure'] : [],
  });
}

/** Half of all tasks have the default rule, as in real DAGs; where something is mapped all have. */
function taskOf(dice: Dice, n: number, isMapped: boolean, isConfluent: boolean): TaskDefinition {
  const rule = isMapped || dice.chance(0.5) ? 'all_success' : dice.pick(isConfluent ? CALM_RULES : OTHER_RULES);
  return aTask(`t${n}`, {
    ...manner(dice, isConfluent),
    ...upstreamOf(dice, n, 2),
    triggerRule: rule as TaskDefinition['triggerRule'],
    runs: dice.chance(0.1) ? 'empty' : 'child',
  });
}

const OTHER_RULES = NAIVE_RULES.filter((rule) => rule !== 'all_done_setup_success');
/** Without skips: whether a failure or a skip comes first decides what `all_success` says. */
const CALM_RULES = ['all_done', 'one_success', 'none_failed', 'none_failed_min_one_success', 'always'];

const upstreamOf = (dice: Dice, n: number, most: number): Pick<TaskDefinition, 'upstream'> =>
  n === 0
    ? { upstream: [] }
    : { upstream: [...new Set(Array.from({ length: dice.between(0, most) }, () => `t${dice.between(0, n - 1)}`))] };

const mappingOf = (dice: Dice): Pick<TaskDefinition, 'expand'> => ({
  expand: { kind: 'product', over: [{ name: 'x', length: { kind: 'literal', length: dice.between(1, 4) } }] },
});

function manner(dice: Dice, isConfluent: boolean): Partial<TaskDefinition> {
  return {
    retries: dice.pick([0, 0, 1, 2]),
    retryDelayMs: dice.between(0, 10_000),
    maxLostAttempts: isConfluent ? 1_000 : dice.pick([1, 3, 10]),
    pool: dice.pick(['default_pool', 'default_pool', 'narrow', 'wide']),
    poolSlots: 1,
    priorityWeight: dice.between(1, 3),
    callbacks: dice.chance(0.2) ? ['onFailure', 'onRetry'] : [],
  };
}

function disturbances(dice: Dice, dags: readonly DagDefinition[], runs: Workload['runs']): Action[] {
  return Array.from({ length: dice.between(1, 6) }, (): Action[] => {
    const { dagId, runId } = dice.pick(runs);
    const { tasks } = dags.find((dag) => dag.dagId === dagId)!;
    const selection = { taskIds: [dice.pick(tasks).taskId], includeDownstream: dice.chance(0.5) };
    const command = dice.pick<DagCommand>([
      { type: 'clearTasks', runId, selection },
      { type: 'clearTasks', runId, selection },
      { type: 'markTasks', runId, selection, state: dice.pick(['success', 'failed', 'skipped'] as const) },
      { type: 'abortRun', runId },
      { type: 'holdTasks', runId, selection, held: true },
      { type: 'setRetries', runId, selection, retries: dice.between(0, 3) },
      { type: 'pauseDag' },
    ]);
    const at = dice.between(5_000, 80_000);
    const undo = undoOf(command);
    const action = { kind: 'command', at, dagId, command } as const;
    return undo === undefined ? [action] : [action, { ...action, command: undo, isLast: true }];
  }).flat();
}

/** What was held back is let go again, or nothing would ever end. */
function undoOf(command: DagCommand): DagCommand | undefined {
  if (command.type === 'pauseDag') return { type: 'unpauseDag' };
  if (command.type === 'holdTasks') return { ...command, selection: {}, held: false };
  return undefined;
}

/** What a body does is told by its instance and try, not by when or how often it runs. */
function scriptOf(dice: Dice, isConfluent: boolean): Script {
  return {
    body: (assignment) => {
      const { attempt, resume, reschedules = 0 } = assignment;
      const { dagId, runId, taskId, mapIndex, tryNumber } = attempt;
      const own = new NewDice(dice.fork(`${dagId}:${runId}:${taskId}[${mapIndex.join('.')}]:${tryNumber}`).seed);
      const durationMs = own.chance(0.15) ? own.between(5_000, 40_000) : own.between(20, 3_000);
      const value = own.between(0, 1_000_000);
      const outcome = outcomeOf(own, assignment, resume !== undefined, reschedules, value);
      const isSkip = outcome !== 'crash' && outcome.kind === 'skipped';
      return { outcome: isSkip && isConfluent ? { kind: 'success' } : outcome, durationMs };
    },
  };
}

const ERROR = { kind: 'exception', type: 'Error', message: 'boom' } as const;

function outcomeOf(
  dice: Dice,
  { run }: Assignment,
  isResumed: boolean,
  reschedules: number,
  value: number,
): AttemptOutcome | 'crash' {
  const success: AttemptOutcome = { kind: 'success', xcoms: { return_value: { value } } };
  const roll = dice.between(1, 100);
  const isEvent = dice.chance(0.5);
  const eventType = dice.pick(EVENT_TYPES);
  if (roll <= 12) return { kind: 'failed', error: ERROR, retryable: true, callbacksRan: true };
  if (roll <= 15) return { kind: 'failed', error: ERROR, retryable: false, callbacksRan: true };
  if (roll <= 17) return 'crash';
  if (roll <= 20) return { kind: 'skipped', reason: 'nothing to do' };
  if (roll <= 24 && reschedules < 2)
    return { kind: 'reschedule', until: run.startedAt + ((1_000 * (reschedules + 1) * value) % 60_000) };
  if (roll > 36 || isResumed) return success;
  const resume = roll % 2 === 0 ? { resume: 'next' } : {};
  if (roll <= 28) return { kind: 'defer', wait: { kind: 'poll', everyMs: 1_000 }, ...resume };
  const wait = isEvent
    ? ({ kind: 'event', eventType, lookBackFrom: 0 } as const)
    : ({ kind: 'time', until: run.startedAt + (value % 30_000) } as const);
  return { kind: 'defer', wait, ...resume };
}
