import { dagDefinition, HARNESS_START, RunHarness, viewOf } from '@rondo/testing';
import { instanceKey } from '../task-instance/index.ts';

const one = dagDefinition({ tasks: [{ id: 'a' }] });
const chain = dagDefinition({ tasks: [{ id: 'a' }, { id: 'b', upstream: ['a'] }] });

describe('a run starts', () => {
  it('publishes an attempt of each task without upstream', () => {
    const run = RunHarness.started(chain);
    expect(run.lastTypes).toEqual(['RunStarted', 'TaskScheduled']);
    expect(run.dataOf('TaskScheduled')).toEqual({ taskId: 'a', mapIndex: [], tryNumber: 1, leg: 1, at: HARNESS_START });
    expect(run.states).toEqual({ a: 'scheduled', b: 'none' });
  });

  it('ends at once when it has no tasks', () => {
    const run = RunHarness.started(dagDefinition({ tasks: [] }));
    expect(run.lastTypes).toEqual(['RunStarted', 'RunSucceeded']);
    expect(run.run.endedAt).toBe(HARNESS_START);
  });

  it('does nothing before it has started', () => {
    const run = new RunHarness(one);
    run.later(1_000);
    expect(run.history).toEqual([]);
  });
});

describe('reports of an attempt', () => {
  it('move the instance through queued and running to its end', () => {
    const run = RunHarness.started(chain);
    expect(run.queued('a')).toBe(true);
    expect(run.states).toMatchObject({ a: 'queued' });
    expect(run.startedOn('a')).toBe(true);
    expect(run.states).toMatchObject({ a: 'running' });
    expect(run.finish('a')).toBe(true);
    expect(run.lastTypes).toEqual(['TaskSucceeded', 'TaskScheduled']);
    expect(run.states).toEqual({ a: 'success', b: 'scheduled' });
  });

  it('stand for the earlier ones that have not come', () => {
    const run = RunHarness.started(one);
    run.finish('a');
    expect(run.lastTypes).toEqual(['TaskQueued', 'TaskStarted', 'TaskSucceeded', 'RunSucceeded']);
    const other = RunHarness.started(one);
    other.startedOn('a');
    expect(other.lastTypes).toEqual(['TaskQueued', 'TaskStarted']);
  });

  it('change nothing when they come again or out of order (I1)', () => {
    const run = RunHarness.started(chain);
    const attempt = run.attempt('a');
    run.startedOn('a');
    expect(run.queued('a', attempt)).toBe(false);
    expect(run.startedOn('a', attempt)).toBe(false);
    run.finish('a', 'success', attempt);
    const before = viewOf(run.run);
    expect(run.finish('a', 'fail', attempt)).toBe(false);
    expect(run.finish('a', 'lost', attempt)).toBe(false);
    expect(run.queued('a', attempt)).toBe(false);
    expect(viewOf(run.run)).toEqual(before);
  });

  it('of another try, leg or instance change nothing (I1)', () => {
    const run = RunHarness.started(dagDefinition({ tasks: [{ id: 'a', retries: 1, retryDelayMs: 0 }] }));
    const first = run.attempt('a');
    run.finish('a', 'lost');
    expect(run.attempt('a')).toEqual({ ...first, leg: 2 });
    expect(run.finish('a', 'success', first)).toBe(false);
    const second = run.attempt('a');
    run.finish('a', 'fail');
    run.later(0);
    expect(run.attempt('a')).toMatchObject({ tryNumber: 2, leg: 1 });
    expect(run.finish('a', 'success', second)).toBe(false);
    expect(run.finish('a', 'success', { ...second, taskId: 'gone' })).toBe(false);
    expect(run.finish('a', 'success', { ...run.attempt('a'), mapIndex: [0] })).toBe(false);
    expect(run.states).toEqual({ a: 'scheduled' });
  });

  it('carry values, rendered fields and the process id into the history', () => {
    const definition = dagDefinition({ tasks: [{ id: 'a' }, { id: 'b', upstream: ['a'], inputs: ['a'] }] });
    const run = RunHarness.started(definition);
    run.startedOn('a');
    expect(run.dataOf('TaskStarted')).toMatchObject({ pid: 7 });
    const xcoms = { return_value: { value: 42 } };
    const report = run.endReport('a', { kind: 'success', xcoms });
    run.report({ ...report, rendered: { command: 'echo' } } as typeof report);
    expect(run.dataOf('TaskSucceeded')).toMatchObject({ xcoms, rendered: { command: 'echo' } });
    expect(run.instance('a').output).toEqual({ value: 42 });
  });
});

describe('retries', () => {
  const retried = dagDefinition({ tasks: [{ id: 'a', retries: 2, retryDelayMs: 60_000 }] });

  it('come after the delay, counted from the end of the try', () => {
    const run = RunHarness.started(retried);
    run.finish('a', 'fail');
    expect(run.dataOf('TaskRetryScheduled')).toMatchObject({ tryNumber: 1, retryAt: HARNESS_START + 60_000 });
    expect(run.states).toEqual({ a: 'up_for_retry' });
    run.later(59_999);
    expect(run.last).toEqual([]);
    run.later(1);
    expect(run.dataOf('TaskScheduled')).toMatchObject({ tryNumber: 2, leg: 1 });
  });

  it('end with the failure of the last try', () => {
    const run = RunHarness.started(retried).work('fail');
    expect(run.published).toEqual(['a', 'a', 'a']);
    expect(run.lastTypes.slice(-2)).toEqual(['TaskFailed', 'RunFailed']);
    expect(run.run.reason).toBe('task_failure');
  });

  it('grow with the backoff, the same on every machine', () => {
    const tasks = [{ id: 'a', retries: 3, retryDelayMs: 10_000, retryExponentialBackoff: 2, maxRetryDelayMs: 50_000 }];
    const delays = (): unknown[] => {
      const run = RunHarness.started(dagDefinition({ tasks }));
      run.work('fail');
      return run.history.flatMap((e) => (e.type === 'TaskRetryScheduled' ? e.data.retryAt - e.data.at : []));
    };
    expect(delays()).toEqual(delays());
    const [first, second, third] = delays() as [number, number, number];
    expect(first).toBeGreaterThanOrEqual(10_000);
    expect(first).toBeLessThan(20_000);
    expect(second).toBeGreaterThanOrEqual(20_000);
    expect(second).toBeLessThan(40_000);
    expect(third).toBeGreaterThanOrEqual(40_000);
    expect(third).toBeLessThanOrEqual(50_000);
  });

  it('are not made for a failure that no retry can mend', () => {
    const run = RunHarness.started(retried);
    run.finish('a', 'failNow');
    expect(run.lastTypes).toContain('TaskFailed');
    expect(run.states).toEqual({ a: 'failed' });
  });

  it('wait no longer once an upstream says otherwise', () => {
    const tasks = [
      { id: 'a' },
      { id: 'b', upstream: ['a'], triggerRule: 'none_failed' as const, retries: 1, retryDelayMs: 60_000 },
    ];
    const run = RunHarness.started(dagDefinition({ tasks }));
    run.finish('a');
    run.finish('b', 'fail');
    run.clear('a');
    expect(run.states).toEqual({ a: 'scheduled', b: 'up_for_retry' });
    run.finish('a', 'fail');
    expect(run.states).toEqual({ a: 'failed', b: 'upstream_failed' });
    expect(run.run.state).toBe('failed');
  });

  it('still come when the clock was set back meanwhile', () => {
    const tasks = [
      { id: 'a' },
      { id: 'b', upstream: ['a'], triggerRule: 'all_done' as const, retries: 1, retryDelayMs: 1_000 },
      { id: 'c' },
    ];
    const run = RunHarness.started(dagDefinition({ tasks }));
    run.finish('a');
    run.finish('b', 'fail');
    expect(run.states).toEqual({ a: 'success', b: 'up_for_retry', c: 'scheduled' });
    run.window = 0;
    run.later(1_000);
    run.now -= 500;
    run.mark('a', 'failed');
    run.finish('c');
    expect(run.states).toMatchObject({ b: 'up_for_retry' });
    run.window = 1;
    run.work();
    expect(run.states).toMatchObject({ b: 'success' });
  });
});

describe('a lost attempt', () => {
  it('is one that is taken back although it was begun, which its gateway did not know', () => {
    const run = RunHarness.started(one);
    run.startedOn('a');
    run.report({ kind: 'withdrawn', attempt: run.attempt('a'), at: run.now, reason: 'nobody has it' });
    expect(run.lastTypes).toEqual(['TaskLost', 'TaskScheduled']);
  });

  it('is dispatched again as the same try with a new leg (I19)', () => {
    const run = RunHarness.started(one);
    run.startedOn('a');
    run.finish('a', 'lost');
    expect(run.lastTypes).toEqual(['TaskLost', 'TaskScheduled']);
    expect(run.attempt('a')).toMatchObject({ tryNumber: 1, leg: 2 });
  });

  it('past the budget is a failed try, and the next try has a budget of its own', () => {
    const tasks = [{ id: 'a', retries: 1, retryDelayMs: 0, maxLostAttempts: 2 }];
    const run = RunHarness.started(dagDefinition({ tasks })).work('lost');
    const attempts = run.history.flatMap((e) =>
      e.type === 'TaskScheduled' ? `${e.data.tryNumber}.${e.data.leg}` : [],
    );
    expect(attempts).toEqual(['1.1', '1.2', '1.3', '2.1', '2.2', '2.3']);
    expect(run.dataOf('TaskFailed')['error']).toEqual({
      kind: 'lost',
      message: 'attempt lost (lease expired) for the 3th time in try 2; allowed are 2 (maxLostAttempts)',
    });
    expect(run.run.state).toBe('failed');
  });

  it('waits for its rule like any other', () => {
    const run = RunHarness.started(chain);
    run.finish('a');
    run.clear('a');
    run.finish('b', 'lost');
    expect(run.states).toEqual({ a: 'scheduled', b: 'none' });
    run.finish('a');
    expect(run.attempt('b')).toMatchObject({ tryNumber: 1, leg: 2 });
  });
});

describe('callbacks', () => {
  const tasks = [{ id: 'a', retries: 1, retryDelayMs: 0, callbacks: ['onRetry', 'onFailure'] as const }];
  const definition = dagDefinition({ tasks });

  it('that the child could not run are asked for, until they are reported', () => {
    const run = RunHarness.started(definition);
    run.finish('a', 'crash');
    expect(run.dataOf('TaskRetryScheduled')).toMatchObject({ callback: 'onRetry' });
    expect(run.run.callbacks).toBe(1);
    run.decide((d) =>
      d.emit({ type: 'CallbackReported', data: { at: 1, callback: 'onRetry', taskId: 'a', mapIndex: [] } }),
    );
    expect(run.run.callbacks).toBe(0);
    run.finish('a', 'crash');
    expect(run.dataOf('TaskFailed')).toMatchObject({ callback: 'onFailure' });
    expect(run.instance('a').callback).toBe('onFailure');
  });

  it('that it ran are not, nor those that the task has not', () => {
    const run = RunHarness.started(definition).work('fail');
    expect(run.run.callbacks).toBe(0);
    const bare = RunHarness.started(one).work('crash');
    expect(bare.dataOf('TaskFailed')).not.toHaveProperty('callback');
  });

  it('of an earlier try, reported late, leave the one asked for now', () => {
    const run = RunHarness.started(definition);
    run.finish('a', 'crash');
    run.later(0);
    run.finish('a', 'crash');
    run.decide((d) =>
      d.emit({ type: 'CallbackReported', data: { at: 1, callback: 'onRetry', taskId: 'a', mapIndex: [] } }),
    );
    expect(run.instance('a').callback).toBe('onFailure');
    expect(run.run.callbacks).toBe(1);
  });

  it('of an instance that was lost for good are asked for', () => {
    const lost = dagDefinition({ tasks: [{ id: 'a', maxLostAttempts: 0, callbacks: ['onFailure'] }] });
    const run = RunHarness.started(lost).work('lost');
    expect(run.dataOf('TaskFailed')).toMatchObject({ callback: 'onFailure' });
  });

  it('of the DAG count once for each end of the run', () => {
    const run = RunHarness.started(one).work();
    run.decide((d) => d.emit({ type: 'CallbackReported', data: { at: 1, callback: 'onSuccess' } }));
    expect(run.run.callbackReported).toBe(true);
    run.clear('a');
    expect(run.run.callbackReported).toBe(false);
  });
});

describe('an attempt that ends in a skip', () => {
  it('skips the instance, and what its rule does not let run after it', () => {
    const run = RunHarness.started(chain);
    run.finish('a', 'skip');
    expect(run.lastTypes).toEqual(['TaskQueued', 'TaskStarted', 'TaskSkipped', 'TaskSkipped', 'RunSucceeded']);
    expect(run.states).toEqual({ a: 'skipped', b: 'skipped' });
    expect(run.run.open).toBe(0);
  });
});

describe('what happens to many instances at once', () => {
  it('is one event for each reason (I7)', () => {
    const many = Array.from({ length: 50 }, (_, n) => ({ id: `t${n}`, upstream: ['a'] }));
    const run = RunHarness.started(dagDefinition({ tasks: [{ id: 'a' }, ...many] }));
    run.finish('a', 'fail');
    expect(run.lastTypes).toEqual(['TaskQueued', 'TaskStarted', 'TaskFailed', 'TaskUpstreamFailed', 'RunFailed']);
    expect(run.dataOf('TaskUpstreamFailed').instances).toHaveLength(50);
    expect(run.dataOf('TaskUpstreamFailed')['reason']).toBe('trigger_rule:all_success');
  });
});

it('refuses a history that names a task which the plan has not', () => {
  const run = RunHarness.started(one);
  const event = {
    type: 'TaskQueued' as const,
    data: { taskId: 'b', mapIndex: [3], tryNumber: 1, leg: 1, at: 0, executor: 'e', worker: 'w' },
  };
  expect(() => run.replay([...run.history, event])).toThrow(`run 'run' has no task instance 'b' [3]`);
  expect(instanceKey('b', [3])).toBe('b[3]');
});
