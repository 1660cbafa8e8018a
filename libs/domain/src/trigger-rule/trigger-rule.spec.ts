import fc from 'fast-check';
import { TRIGGER_RULES, type TaskState, type TriggerRule } from '../task-instance/index.ts';
import { countUpstream, newUpstreamCounts, type UpstreamCounts } from './counts.ts';
import { evaluateSetupConstraint, evaluateTriggerRule, evaluateUpstream, holdSkipForPast } from './evaluate.ts';
import { explainSetups, explainTriggerRule } from './explain.ts';

const counts = (over: Partial<UpstreamCounts>): UpstreamCounts => ({ ...newUpstreamCounts(), ...over });
const outcome = (rule: string, over: Partial<UpstreamCounts>, mapIndex?: number): string => {
  const { state, met } = evaluateTriggerRule(rule, counts(over), mapIndex);
  return `${met ? 'met' : 'unmet'} ${state ?? '-'}`;
};

describe('trigger rules', () => {
  it.each<[string, Partial<UpstreamCounts>, string]>([
    ['all_success', { total: 3, success: 2 }, 'unmet -'],
    ['all_success', { total: 3, skipped: 1 }, 'unmet skipped'],
    ['all_success', { total: 3, skipped: 1, upstreamFailed: 1 }, 'unmet upstream_failed'],
    ['all_failed', { total: 2, failed: 1 }, 'unmet -'],
    ['all_failed', { total: 2, failed: 1, upstreamFailed: 1 }, 'met -'],
    ['all_done', { total: 2, failed: 1 }, 'unmet -'],
    ['all_done', { total: 2, failed: 1, removed: 1 }, 'met -'],
    ['all_skipped', { total: 2, skipped: 1 }, 'unmet -'],
    ['all_skipped', { total: 2, skipped: 2 }, 'met -'],
    ['all_skipped', { total: 2, upstreamFailed: 1 }, 'unmet skipped'],
    ['one_success', { total: 3, success: 1 }, 'met -'],
    ['one_success', { total: 2, failed: 1 }, 'unmet -'],
    ['one_success', { total: 2, failed: 1, skipped: 1 }, 'unmet upstream_failed'],
    ['one_failed', { total: 3, upstreamFailed: 1 }, 'met -'],
    ['one_failed', { total: 2, success: 2 }, 'unmet skipped'],
    ['one_done', { total: 2, upstreamFailed: 1 }, 'unmet -'],
    ['one_done', { total: 2, upstreamFailed: 1, skipped: 1 }, 'unmet skipped'],
    ['none_failed', { total: 2, skipped: 2 }, 'met -'],
    ['none_failed_min_one_success', { total: 2, skipped: 1 }, 'unmet -'],
    ['none_failed_min_one_success', { total: 2, skipped: 2 }, 'met skipped'],
    ['none_skipped', { total: 2, failed: 1 }, 'unmet -'],
    ['none_skipped', { total: 2, failed: 2 }, 'met -'],
    ['all_done_min_one_success', { total: 3, success: 1, failed: 2 }, 'met -'],
    ['all_done_min_one_success', { total: 3, failed: 3 }, 'unmet upstream_failed'],
    ['all_done_min_one_success', { total: 3, success: 1, skipped: 1 }, 'unmet skipped'],
    ['all_done_setup_success', { total: 2, failed: 2 }, 'met -'],
    ['all_done_setup_success', { total: 2, skipped: 2, setupTotal: 1, setupSkipped: 1 }, 'unmet skipped'],
    ['always', { total: 2 }, 'met -'],
    ['sometimes', { total: 2, success: 2 }, 'unmet -'],
  ])('%s over %j: %s', (rule, over, expected) => {
    expect(outcome(rule, over)).toBe(expected);
  });

  it('are met without upstream, whatever the rule', () => {
    for (const rule of [...TRIGGER_RULES, 'sometimes']) expect(outcome(rule, {})).toBe('met -');
  });

  it('leave removed instances out of account for a mapped instance only', () => {
    expect(outcome('all_success', { total: 3, success: 2, removed: 1 }, 0)).toBe('met -');
    expect(outcome('all_success', { total: 3, success: 2, removed: 1 }, 2)).toBe('met removed');
    expect(outcome('all_success', { total: 3, success: 2, removed: 1 })).toBe('unmet -');
    expect(outcome('none_failed', { total: 3, skipped: 2, removed: 1 }, 0)).toBe('met -');
  });

  it('allocate nothing: equal verdicts are the same object', () => {
    const a = evaluateTriggerRule('all_success', counts({ total: 1, failed: 1 }));
    expect(evaluateTriggerRule('none_failed', counts({ total: 4, failed: 2 }))).toBe(a);
    expect(Object.isFrozen(a)).toBe(true);
  });
});

describe('setups further up', () => {
  it('come before the trigger rule, and hold it back', () => {
    const direct = counts({ total: 1, success: 1 });
    const upstream = (over: Partial<UpstreamCounts>, rule: TriggerRule = 'all_success'): unknown =>
      evaluateUpstream({ rule, direct, indirectSetups: counts(over) });
    expect(upstream({ total: 1, skipped: 1 })).toEqual({ state: 'skipped', met: false });
    expect(upstream({ total: 2, failed: 1, skipped: 1 })).toEqual({ state: 'upstream_failed', met: false });
    expect(upstream({ total: 2, success: 1 })).toEqual({ state: null, met: false });
    expect(upstream({ total: 2, success: 2 })).toEqual({ state: null, met: true });
    expect(upstream({ total: 1, failed: 1 }, 'always')).toEqual({ state: null, met: true });
    expect(evaluateSetupConstraint(counts({ total: 3, success: 2, removed: 1 }), 2)).toEqual({
      state: 'removed',
      met: true,
    });
  });

  it('let the rule still write a state while they are waited for', () => {
    const direct = counts({ total: 1, failed: 1 });
    expect(evaluateUpstream({ rule: 'all_success', direct, indirectSetups: counts({ total: 1 }) })).toEqual({
      state: 'upstream_failed',
      met: false,
    });
  });
});

describe('a skip that waits for the past', () => {
  it('is held until the past allows it', () => {
    const skip = evaluateTriggerRule('all_success', counts({ total: 1, skipped: 1 }));
    const failure = evaluateTriggerRule('all_success', counts({ total: 1, failed: 1 }));
    expect(holdSkipForPast(skip, true, false)).toEqual({ state: null, met: false });
    expect(holdSkipForPast(skip, true, true)).toBe(skip);
    expect(holdSkipForPast(skip, false, false)).toBe(skip);
    expect(holdSkipForPast(failure, true, false)).toBe(failure);
  });
});

describe('the reason that people are shown', () => {
  it.each<[string, Partial<UpstreamCounts>, string]>([
    ['all_success', { total: 3, success: 2 }, 'all_success: 2 of 3 upstream succeeded; waiting for 1'],
    [
      'all_success',
      { total: 3, success: 1, failed: 1 },
      'all_success: 1 of 3 upstream succeeded, 1 failed; so it is upstream_failed',
    ],
    ['one_failed', { total: 2, success: 2 }, 'one_failed: 0 of 2 upstream failed, 2 succeeded; so it is skipped'],
    ['all_done', { total: 2, success: 2 }, 'all_done: 2 of 2 upstream done'],
    ['sometimes', { total: 2, success: 2 }, 'sometimes: there is no such trigger rule; never met'],
    ['all_success', {}, 'all_success: no upstream'],
  ])('%s over %j', (rule, over, text) => {
    expect(explainTriggerRule(rule, counts(over))).toBe(text);
  });

  it('names setups further up', () => {
    expect(explainSetups(counts({ total: 2, success: 1 }))).toBe('setups: 1 of 2 upstream succeeded; waiting for 1');
    expect(explainSetups(counts({ total: 1, success: 1 }))).toBe('setups: 1 of 1 upstream succeeded');
  });

  it('is there for every rule', () => {
    for (const rule of TRIGGER_RULES)
      expect(explainTriggerRule(rule, counts({ total: 2 }))).toMatch(new RegExp(`^${rule}: .*\\w`));
  });
});

describe('properties of trigger rules', () => {
  const terminal = fc.constantFrom<TaskState>('success', 'failed', 'upstream_failed', 'skipped', 'removed');
  const rules = fc.constantFrom(...TRIGGER_RULES);

  it('once everything upstream is done, an instance that is not mapped runs or is written to', () => {
    fc.assert(
      fc.property(rules, fc.array(terminal, { minLength: 1, maxLength: 6 }), (rule, states) => {
        const c = newUpstreamCounts(states.length);
        for (const state of states) countUpstream(c, state, false, 1);
        const { met, state } = evaluateTriggerRule(rule, c);
        // A removed upstream instance of an instance that is not mapped holds these rules for ever: only a clear helps.
        const held =
          c.removed > 0 &&
          ['all_success', 'all_failed', 'all_skipped', 'none_failed', 'none_failed_min_one_success'].includes(rule);
        expect(met || state !== null || held).toBe(true);
      }),
    );
  });

  it('counting out undoes counting in', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(terminal, fc.boolean())), (changes) => {
        const c = newUpstreamCounts(changes.length, 3);
        for (const [state, isSetup] of changes) countUpstream(c, state, isSetup, 1);
        for (const [state, isSetup] of changes) countUpstream(c, state, isSetup, -1);
        expect(c).toEqual(newUpstreamCounts(changes.length, 3));
      }),
    );
  });
});
