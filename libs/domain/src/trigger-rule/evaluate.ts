import type { TriggerRule } from '../task-instance/index.ts';
import { doneCount, type UpstreamCounts } from './counts.ts';

/**
 * What the upstream says. `state`: the state to write now instead of running (null: none); `met`: the rule lets the instance
 * run, as far as this rule goes. A state that is not null wins. The verdicts are shared constants: compare, never change.
 */
export interface Verdict {
  readonly state: 'skipped' | 'upstream_failed' | 'removed' | null;
  readonly met: boolean;
}

const WAIT: Verdict = Object.freeze({ state: null, met: false });
const MET: Verdict = Object.freeze({ state: null, met: true });
const WRITES = {
  skipped: pair('skipped'),
  upstream_failed: pair('upstream_failed'),
  removed: pair('removed'),
} as const;

function pair(state: Exclude<Verdict['state'], null>): { readonly met: Verdict; readonly unmet: Verdict } {
  return { met: Object.freeze({ state, met: true }), unmet: Object.freeze({ state, met: false }) };
}

function verdict(state: Verdict['state'], met: boolean): Verdict {
  if (state === null) return met ? MET : WAIT;
  return met ? WRITES[state].met : WRITES[state].unmet;
}

/** A rule over the direct upstream. `mapIndex` is -1 for an instance that is not mapped. A rule that is none is never met. */
export function evaluateTriggerRule(rule: TriggerRule | (string & {}), counts: UpstreamCounts, mapIndex = -1): Verdict {
  if (counts.total === 0 || rule === 'always') return MET;
  return verdict(stateToWrite(rule, counts, mapIndex), isMet(rule, counts, mapIndex));
}

/** Failures and skips are written as soon as one is seen, except by the rules that wait for all to be done. */
function stateToWrite(rule: string, c: UpstreamCounts, mapIndex: number): Verdict['state'] {
  const failed = c.failed + c.upstreamFailed;
  switch (rule) {
    case 'all_success':
      return successState(c, mapIndex);
    case 'all_failed':
      return c.success + c.skipped > 0 ? 'skipped' : null;
    case 'all_skipped':
      return c.success + failed > 0 ? 'skipped' : null;
    case 'one_success':
      return oneSuccessState(c);
    case 'one_failed':
      return failed === 0 && doneCount(c) >= c.total ? 'skipped' : null;
    case 'one_done':
      return c.success + c.failed === 0 && doneCount(c) >= c.total ? 'skipped' : null;
    case 'none_failed':
      return failed > 0 ? 'upstream_failed' : null;
    case 'none_failed_min_one_success':
      if (failed > 0) return 'upstream_failed';
      return c.skipped === c.total ? 'skipped' : null;
    case 'none_skipped':
      return c.skipped > 0 ? 'skipped' : null;
    case 'all_done_min_one_success':
      if (c.skipped > 0) return 'skipped';
      return c.success === 0 && failed + c.removed >= c.total ? 'upstream_failed' : null;
    case 'all_done_setup_success':
      return teardownState(c);
    default:
      return null;
  }
}

function successState(c: UpstreamCounts, mapIndex: number): Verdict['state'] {
  if (c.failed + c.upstreamFailed > 0) return 'upstream_failed';
  if (c.skipped > 0) return 'skipped';
  return c.removed > 0 && c.success > 0 && mapIndex > -1 && mapIndex >= c.success ? 'removed' : null;
}

function oneSuccessState(c: UpstreamCounts): Verdict['state'] {
  const done = doneCount(c);
  if (done < c.total) return null;
  if (done === c.skipped) return 'skipped';
  return c.success === 0 ? 'upstream_failed' : null;
}

function teardownState(c: UpstreamCounts): Verdict['state'] {
  if (c.setupTotal === 0 || doneCount(c) < c.total) return null;
  if (c.setupSkipped >= c.setupTotal) return 'skipped';
  return c.setupSuccess === 0 ? 'upstream_failed' : null;
}

function isMet(rule: string, c: UpstreamCounts, mapIndex: number): boolean {
  const removed = mapIndex > -1 ? c.removed : 0;
  switch (rule) {
    case 'all_success':
      return c.total - c.success - removed <= 0;
    case 'all_failed':
      return c.total - c.failed - c.upstreamFailed - removed <= 0;
    case 'all_done':
      return doneCount(c) >= c.total;
    case 'all_skipped':
      return c.total - c.skipped <= 0;
    case 'one_success':
      return c.success > 0;
    case 'one_failed':
      return c.failed + c.upstreamFailed > 0;
    case 'one_done':
      return c.success + c.failed > 0;
    case 'none_failed':
    case 'none_failed_min_one_success':
      return c.total - c.success - c.skipped - removed <= 0;
    case 'none_skipped':
      return c.skipped === 0 && doneCount(c) >= c.total;
    case 'all_done_min_one_success':
      return c.skipped === 0 && c.success > 0 && doneCount(c) >= c.total;
    case 'all_done_setup_success':
      return doneCount(c) >= c.total && (c.setupTotal === 0 || c.setupSuccess > 0);
    default:
      return false;
  }
}

/**
 * The setups that an instance depends on without being directly after them must all have succeeded; comes before its
 * trigger rule. `counts` are over those indirect setups alone. Not for teardowns.
 */
export function evaluateSetupConstraint(counts: UpstreamCounts, mapIndex = -1): Verdict {
  if (counts.total === 0) return MET;
  return verdict(successState(counts, mapIndex), isMet('all_success', counts, mapIndex));
}

export interface Upstream {
  readonly rule: TriggerRule | (string & {});
  readonly direct: UpstreamCounts;
  /** Over the relevant indirect setups; undefined where there are none, and for a teardown. */
  readonly indirectSetups?: UpstreamCounts | undefined;
  /** -1 for an instance that is not mapped. */
  readonly mapIndex?: number;
}

/** Setup constraint and trigger rule together: what the upstream of an instance lets it do. */
export function evaluateUpstream({ rule, direct, indirectSetups, mapIndex = -1 }: Upstream): Verdict {
  if (direct.total === 0 || rule === 'always') return MET;
  if (indirectSetups === undefined) return evaluateTriggerRule(rule, direct, mapIndex);
  const setups = evaluateSetupConstraint(indirectSetups, mapIndex);
  if (setups.state !== null) return setups;
  const own = evaluateTriggerRule(rule, direct, mapIndex);
  return setups.met ? own : verdict(own.state, false);
}

/** A skip waits until the past of the instance allows it, where the task asks for that. */
export function holdSkipForPast(given: Verdict, waitForPast: boolean, pastDependsMet: boolean): Verdict {
  return given.state === 'skipped' && waitForPast && !pastDependsMet ? WAIT : given;
}
