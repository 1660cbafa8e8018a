import {
  judgeError,
  overridesOf,
  type AttemptOverrides,
  type DecidingRule,
  type RetryAnswer,
  type RetryVerdict,
} from '../retry/index.ts';
import type { Assignment, TaskError } from '../task-instance/index.ts';
import { standInsOf } from './block-view.ts';
import type { DagRunState, InstanceState } from './state.ts';

const NO_USES: ReadonlyMap<number, number> = new Map();

/** What the task's retry policy says of a failed try; undefined: nothing. */
export function judgeTry(inst: InstanceState, error: TaskError, answer?: RetryAnswer): RetryVerdict | undefined {
  const rules = inst.task.def.retryPolicy;
  return rules === undefined ? undefined : judgeError(rules, error, inst.ruleUses ?? NO_USES, answer);
}

interface Grant {
  readonly rule?: DecidingRule;
  readonly overrides?: AttemptOverrides;
}

/** What the next try is granted, for the event: the rule that decided, and what it gives. */
export function grantOf(inst: InstanceState, verdict: RetryVerdict | undefined): Grant {
  if (verdict?.action !== 'retry') return {};
  if (verdict.with === undefined) return { rule: verdict.rule };
  return { rule: verdict.rule, overrides: overridesOf(verdict.with, verdict.uses, inst.task.def, inst.overrides) };
}

/** The part of an assignment that the retry policy and fallbacks have a say in. */
export function grantedTo(
  run: DagRunState,
  inst: InstanceState,
): Pick<
  Assignment,
  'executionTimeoutMs' | 'executorConfig' | 'onLostContact' | 'overrides' | 'resources' | 'ruleUses' | 'standIns'
> {
  const { task, overrides, ruleUses } = inst;
  const executionTimeoutMs = overrides?.executionTimeoutMs ?? task.def.executionTimeoutMs;
  const { executorConfig, onLostContact, resources } = task.def;
  const standIns = standInsOf(run, inst);
  return {
    ...(executionTimeoutMs === undefined ? {} : { executionTimeoutMs }),
    ...(executorConfig === undefined ? {} : { executorConfig }),
    ...(onLostContact === undefined ? {} : { onLostContact }),
    ...(overrides === undefined ? {} : { overrides }),
    ...(resources === undefined && overrides?.resources === undefined
      ? {}
      : { resources: { ...resources, ...overrides?.resources } }),
    ...(ruleUses === undefined ? {} : { ruleUses: [...ruleUses] }),
    ...(standIns === undefined ? {} : { standIns }),
  };
}

/** The event's part of the state. */
export function grant(inst: InstanceState, { rule, overrides }: Grant): void {
  if (rule !== undefined)
    inst.ruleUses = new Map(inst.ruleUses).set(rule.index, (inst.ruleUses?.get(rule.index) ?? 0) + 1);
  if (overrides !== undefined) inst.overrides = overrides;
}
