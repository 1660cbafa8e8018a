import { dagDefinition, HARNESS_START, type DagSpec } from '@rondo/testing';
import { compilePlan } from './plan.ts';
import { advance } from './advance.ts';
import { decideClear } from './control.ts';
import { Decision, DEFAULT_WINDOW } from './decision.ts';
import { explain } from './explain.ts';
import { findInstance, initialRun, type DagRunState } from './state.ts';
import { met, type PastVerdict } from '../past/rule.ts';
import { wakeForPast } from '../past/wake.ts';

const WAIT: PastVerdict = { met: false, allowsSkip: false, reason: 'it waits', isFinal: false };
const OVER: PastVerdict = { ...WAIT, reason: 'it failed', isFinal: true };

/** One run whose past is what the test says. */
class PastRun {
  readonly run: DagRunState;
  past: PastVerdict;

  private readonly window: number;

  constructor(spec: DagSpec, past: PastVerdict = WAIT, window = DEFAULT_WINDOW) {
    this.window = window;
    this.run = initialRun(compilePlan('v1', dagDefinition(spec)));
    this.past = past;
    const base = { dagId: 'dag', runId: 'run', version: 'v1', runType: 'manual', triggeredBy: 'user' } as const;
    const dates = { logicalDate: null, dataInterval: null, runAfter: HARNESS_START, at: HARNESS_START };
    this.decide((d) => d.emit({ type: 'RunStarted', data: { ...base, ...dates } }));
  }

  context = () => ({ now: HARNESS_START, paused: false, window: this.window, pastOf: () => this.past });

  decide(change: (d: Decision) => void = () => undefined) {
    const d = new Decision(this.run, this.context());
    change(d);
    advance(d);
    return d.events;
  }

  wake(past: PastVerdict) {
    this.past = past;
    wakeForPast(this.run, 'all');
    return this.decide();
  }

  state = (id: string): string => findInstance(this.run, id, [])!.state;
}

const a = { id: 'a', dependsOnPast: true };

describe('a run that waits for its past', () => {
  it('stays running and says what it waits for', () => {
    const { run, context } = new PastRun({ tasks: [a, { id: 'b', upstream: ['a'] }] });
    expect(run.state).toBe('running');
    const reasons = explain(run, findInstance(run, 'a', [])!, context());
    expect(reasons.filter((each) => !each.passed)).toEqual([{ rule: 'past', passed: false, reason: 'it waits' }]);
  });

  it('starts what waits with the run and revision that let it', () => {
    const past = new PastRun({ tasks: [a] });
    const on = { runId: 'before', revision: 7 };
    expect(past.wake({ met: true, allowsSkip: true, relied: true, reason: 'it succeeded', on })).toMatchObject([
      { type: 'TaskScheduled', data: { past: on } },
    ]);
    expect(past.run.past.size).toBe(0);
  });

  it('asks again of what waited for room when its past was fine', () => {
    const past = new PastRun({ tasks: [{ id: 'x' }, a] }, met('fine'), 1);
    expect([past.state('x'), past.state('a')]).toEqual(['scheduled', 'none']);
    past.past = WAIT;
    const key = { taskId: 'x', mapIndex: [], tryNumber: 1, leg: 1, at: HARNESS_START };
    past.decide((d) => d.emit({ type: 'TaskSucceeded', data: key }));
    expect([past.state('a'), past.run.state]).toEqual(['none', 'running']);
    expect(past.wake(met('fine again'))).toMatchObject([{ type: 'TaskScheduled' }]);
  });

  it('waits again after a clear', () => {
    const past = new PastRun({ tasks: [a] }, met('fine'));
    past.past = WAIT;
    past.decide((d) => {
      const key = { taskId: 'a', mapIndex: [], tryNumber: 1, leg: 1, at: HARNESS_START };
      d.emit({ type: 'TaskSucceeded', data: key });
      decideClear(d, { taskIds: ['a'] });
    });
    expect(past.state('a')).toBe('none');
    expect(past.run.past.size).toBe(1);
  });
});

describe('a past that failed for good', () => {
  it('is waited for, unless the task is skipped then', () => {
    expect(new PastRun({ tasks: [a] }, OVER).state('a')).toBe('none');
    const skipped = new PastRun({ tasks: [{ ...a, pastFailure: 'skip' }] });
    expect(skipped.state('a')).toBe('none');
    expect(skipped.wake(OVER)).toMatchObject([
      { type: 'TaskSkipped', data: { reason: 'past' } },
      { type: 'RunSucceeded' },
    ]);
  });
});

describe('a skip that waits for the past', () => {
  const skips = [{ id: 'up' }, { ...a, upstream: ['up'], waitForPastDependsBeforeSkipping: true }];
  const skip = (past: PastRun) =>
    past.decide((d) =>
      d.emit({
        type: 'TaskSkipped',
        data: {
          at: HARNESS_START,
          instances: [{ taskId: 'up', mapIndex: [] }],
          reason: 'nothing to do',
          attempt: { taskId: 'up', mapIndex: [], tryNumber: 1, leg: 1 },
        },
      }),
    );

  it('is written when the past allows it', () => {
    const past = new PastRun({ tasks: skips });
    skip(past);
    expect([past.state('a'), past.run.state]).toEqual(['none', 'running']);
    past.wake(met('fine'));
    expect([past.state('a'), past.run.state]).toEqual(['skipped', 'success']);
  });
});
