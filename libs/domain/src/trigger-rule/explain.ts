import type { TriggerRule } from '../task-instance/index.ts';
import { doneCount, type UpstreamCounts } from './counts.ts';
import { evaluateSetupConstraint, evaluateTriggerRule, type Verdict } from './evaluate.ts';

/** Why an instance does not run yet, or why it will not, for people: `all_success: 2 of 3 upstream succeeded; waiting for 1`. */
export function explainTriggerRule(rule: TriggerRule | (string & {}), counts: UpstreamCounts, mapIndex = -1): string {
  if (counts.total === 0) return `${rule}: no upstream`;
  return `${rule}: ${facts(rule, counts)}${ending(evaluateTriggerRule(rule, counts, mapIndex), counts)}`;
}

/** The same for the setups further up that must have succeeded. */
export function explainSetups(counts: UpstreamCounts, mapIndex = -1): string {
  return `setups: ${facts('all_success', counts)}${ending(evaluateSetupConstraint(counts, mapIndex), counts)}`;
}

function facts(rule: string, c: UpstreamCounts): string {
  const failed = c.failed + c.upstreamFailed;
  switch (rule) {
    case 'all_success':
      return `${c.success} of ${c.total} upstream succeeded${others({ failed, skipped: c.skipped, removed: c.removed })}`;
    case 'all_failed':
    case 'one_failed':
      return `${failed} of ${c.total} upstream failed${others({ succeeded: c.success, skipped: c.skipped })}`;
    case 'all_done':
      return `${doneCount(c)} of ${c.total} upstream done`;
    case 'all_skipped':
      return `${c.skipped} of ${c.total} upstream skipped${others({ succeeded: c.success, failed })}`;
    case 'one_success':
      return `${c.success} of ${c.total} upstream succeeded${others({ failed, skipped: c.skipped })}`;
    case 'one_done':
      return `${c.success + c.failed} of ${c.total} upstream succeeded or failed${others({ skipped: c.skipped })}`;
    case 'none_failed':
    case 'none_failed_min_one_success':
      return `${c.success + c.skipped} of ${c.total} upstream succeeded or were skipped${others({ failed })}`;
    case 'none_skipped':
    case 'all_done_min_one_success':
      return `${doneCount(c)} of ${c.total} upstream done${others({ succeeded: c.success, skipped: c.skipped })}`;
    case 'all_done_setup_success':
      return `${doneCount(c)} of ${c.total} upstream done, ${c.setupSuccess} of ${c.setupTotal} setups succeeded`;
    case 'always':
      return 'runs whatever the upstream comes to';
    default:
      return 'there is no such trigger rule';
  }
}

function others(named: Readonly<Record<string, number>>): string {
  return Object.entries(named)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `, ${count} ${name}`)
    .join('');
}

function ending(verdict: Verdict, counts: UpstreamCounts): string {
  if (verdict.state !== null) return `; so it is ${verdict.state}`;
  if (verdict.met) return '';
  const open = counts.total - doneCount(counts);
  return open > 0 ? `; waiting for ${open}` : '; never met';
}
