import { explainUpstream, evaluateUpstream } from '../trigger-rule/index.ts';
import { describeWait, isTerminal } from '../task-instance/index.ts';
import { upstreamOf } from './advance.ts';
import { explainBlocks } from './block-reasons.ts';
import { seenThroughBlocks } from './block-view.ts';
import { pastOfTask, type DecisionContext } from './decision.ts';
import type { DagRunState, InstanceState } from './state.ts';

/** One rule of "why not yet". */
export interface Reason {
  readonly rule:
    | 'run_state'
    | 'dag_paused'
    | 'task_state'
    | 'branch'
    | 'trigger_rule'
    | 'group'
    | 'fallback'
    | 'past'
    | 'retry_period'
    | 'waiting_for'
    | 'max_active_tasks'
    | 'publish_window'
    | 'admission';
  readonly passed: boolean;
  readonly reason: string;
}

/** Every rule between an instance and its next attempt, from the predicates that decide. */
export function explain(run: DagRunState, inst: InstanceState, context: DecisionContext): readonly Reason[] {
  const limit = run.plan.definition.maxActiveTasks;
  const upstream = seenThroughBlocks(run, inst, upstreamOf(inst));
  const verdict = evaluateUpstream(upstream);
  const due = inst.wakeAt === undefined || inst.wakeAt <= context.now;
  const reasons: Reason[] = [
    { rule: 'run_state', passed: run.state === 'running', reason: `the run is ${run.state}` },
    {
      rule: 'dag_paused',
      passed: !context.paused,
      reason: context.paused ? 'the DAG is paused' : 'the DAG is not paused',
    },
    { rule: 'task_state', passed: !inst.open && !isTerminal(inst.state), reason: stateText(inst) },
    {
      rule: 'branch',
      passed: inst.skipVotes === 0,
      reason:
        inst.skipVotes === 0
          ? 'no branch or short-circuit skips it'
          : 'a branch or short-circuit upstream chose otherwise',
    },
    { rule: 'trigger_rule', passed: verdict.met && verdict.state === null, reason: explainUpstream(upstream) },
    ...explainBlocks(run, inst),
    {
      rule: 'retry_period',
      passed: due,
      reason: due ? 'no retry delay is running' : `waits until ${new Date(inst.wakeAt!).toISOString()}`,
    },
    {
      rule: 'max_active_tasks',
      passed: inst.open || run.active < limit,
      reason: `${run.active} of ${limit} active tasks of the run`,
    },
    {
      rule: 'publish_window',
      passed: inst.open || run.scheduled < context.window,
      reason: `${run.scheduled} of at most ${context.window} attempts wait for a worker`,
    },
  ];
  if (inst.task.asksPast) {
    const past = pastOfTask(context, inst.task);
    reasons.push({ rule: 'past', passed: past.met || inst.open || inst.sameTry, reason: past.reason });
  }
  if (inst.waitFor !== undefined)
    reasons.push({ rule: 'waiting_for', passed: false, reason: describeWait(inst.waitFor) });
  if (inst.state === 'scheduled')
    reasons.push({ rule: 'admission', passed: false, reason: 'published; waits for a free worker slot' });
  return reasons;
}

function stateText(inst: InstanceState): string {
  const attempt =
    inst.tryNumber === 0 ? '' : `, try ${inst.tryNumber} of ${Math.max(inst.maxTries + 1, inst.tryNumber)}`;
  return `the instance is ${inst.state === 'none' ? 'without a status' : inst.state}${attempt}`;
}
