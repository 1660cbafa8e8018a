import {
  explainSetups,
  explainTriggerRule,
  evaluateSetupConstraint,
  evaluateTriggerRule,
} from '../trigger-rule/index.ts';
import { describeWait, isTerminal } from '../task-instance/index.ts';
import { upstreamOf } from './advance.ts';
import { explainBlocks } from './block-reasons.ts';
import { seenThroughBlocks } from './block-view.ts';
import { pastOfTask, type DecisionContext } from './decision.ts';
import { isPlaceholder, type DagRunState, type InstanceState } from './state.ts';

/** One rule of "why not yet". */
export interface Reason {
  readonly rule:
    | 'task_state'
    | 'past'
    | 'setups'
    | 'trigger_rule'
    | 'branch'
    | 'group'
    | 'fallback'
    | 'mapped'
    | 'retry_period'
    | 'rescheduled'
    | 'waiting_for'
    | 'held'
    | 'run_state'
    | 'run_held'
    | 'dag_paused'
    | 'publish_window';
  readonly passed: boolean;
  readonly reason: string;
}

type Rule = (run: DagRunState, inst: InstanceState, context: DecisionContext) => Reason | readonly Reason[] | undefined;

/**
 * The rules of a run in the order in which they are looked at (§2), each from the predicate that decides. Undefined: the rule
 * does not concern the instance. What comes after them, limits, pools and workers, is the gateway's to tell.
 */
const RULES: readonly Rule[] = [
  (_run, inst) => ({ rule: 'task_state', passed: !inst.open && !isTerminal(inst.state), reason: stateText(inst) }),
  byPast,
  bySetups,
  byTriggerRule,
  byBranch,
  explainBlocks,
  (_run, inst) =>
    isPlaceholder(inst)
      ? { rule: 'mapped', passed: false, reason: 'it waits to be mapped: how often is not known yet' }
      : undefined,
  byTime,
  (_run, { waitFor }) =>
    waitFor === undefined ? undefined : { rule: 'waiting_for', passed: false, reason: describeWait(waitFor) },
  (_run, { onHold }) => ({
    rule: 'held',
    passed: !onHold,
    reason: onHold ? 'the task instance is held, until it is released' : 'the task instance is not held',
  }),
  (run) => ({ rule: 'run_state', passed: run.state === 'running', reason: `the run is ${run.state}${tryText(run)}` }),
  (_run, _inst, { isHeld = false }) => ({
    rule: 'run_held',
    passed: !isHeld,
    reason: isHeld ? 'the run is held, until it is released' : 'the run is not held',
  }),
  (_run, _inst, { paused, isHeld = false, isDagPaused = paused && !isHeld }) => ({
    rule: 'dag_paused',
    passed: !isDagPaused,
    reason: isDagPaused ? 'the DAG is paused' : 'the DAG is not paused',
  }),
  byWindow,
];

/** Every rule between an instance and its next attempt, as far as its run knows them. */
export function explain(run: DagRunState, inst: InstanceState, context: DecisionContext): readonly Reason[] {
  return RULES.flatMap((rule) => rule(run, inst, context) ?? []);
}

function byPast(_run: DagRunState, inst: InstanceState, context: DecisionContext): Reason | undefined {
  if (!inst.task.asksPast) return undefined;
  const past = pastOfTask(context, inst.task);
  return { rule: 'past', passed: past.met || inst.open || inst.sameTry, reason: past.reason };
}

/** Setups further up, which come before the trigger rule. */
function bySetups(run: DagRunState, inst: InstanceState): Reason | undefined {
  const { rule, direct, indirectSetups, mapIndex = -1 } = seenThroughBlocks(run, inst, upstreamOf(inst));
  if (indirectSetups === undefined || rule === 'always' || direct.total === 0) return undefined;
  const verdict = evaluateSetupConstraint(indirectSetups, mapIndex);
  return {
    rule: 'setups',
    passed: verdict.met && verdict.state === null,
    reason: explainSetups(indirectSetups, mapIndex),
  };
}

function byTriggerRule(run: DagRunState, inst: InstanceState): Reason {
  const { rule, direct, mapIndex = -1 } = seenThroughBlocks(run, inst, upstreamOf(inst));
  const verdict = direct.total === 0 ? undefined : evaluateTriggerRule(rule, direct, mapIndex);
  return {
    rule: 'trigger_rule',
    passed: verdict === undefined || (verdict.met && verdict.state === null),
    reason: explainTriggerRule(rule, direct, mapIndex),
  };
}

function byBranch(_run: DagRunState, { skipVotes }: InstanceState): Reason {
  return {
    rule: 'branch',
    passed: skipVotes === 0,
    reason:
      skipVotes === 0 ? 'no branch or short-circuit skips it' : 'a branch or short-circuit upstream chose otherwise',
  };
}

function byTime(_run: DagRunState, { state, wakeAt }: InstanceState, { now }: DecisionContext): Reason {
  const isDue = wakeAt === undefined || wakeAt <= now;
  if (state === 'up_for_reschedule')
    return {
      rule: 'rescheduled',
      passed: isDue,
      reason: isDue ? 'its time has come' : `looks again at ${new Date(wakeAt).toISOString()}`,
    };
  return {
    rule: 'retry_period',
    passed: isDue,
    reason: isDue ? 'no retry delay is running' : `waits until ${new Date(wakeAt).toISOString()}`,
  };
}

function byWindow(run: DagRunState, inst: InstanceState, { window }: DecisionContext): Reason {
  const waiting = run.ready.scheduledLike(inst);
  return {
    rule: 'publish_window',
    passed: inst.open || waiting < window,
    reason: `${waiting} attempts like it wait to be admitted; at most ${window} of a run are published ahead`,
  };
}

function tryText({ plan, tryNumber, maxTries }: DagRunState): string {
  if ((plan.definition.runRetries ?? 0) === 0) return '';
  return `, try ${tryNumber} of ${Math.max(maxTries + 1, tryNumber)}`;
}

function stateText(inst: InstanceState): string {
  const attempt =
    inst.tryNumber === 0 ? '' : `, try ${inst.tryNumber} of ${Math.max(inst.maxTries + 1, inst.tryNumber)}`;
  return `the instance is ${inst.state === 'none' ? 'without a status' : inst.state}${attempt}`;
}
