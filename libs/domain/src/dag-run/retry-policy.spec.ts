import { findInstance, grantedTo } from '../index.ts';
import { dagDefinition, HARNESS_START, RunHarness, type Outcome, type TaskSpec } from '@rondo/testing';

const task = (change: Partial<TaskSpec> = {}) =>
  dagDefinition({ tasks: [{ id: 'a', retries: 3, retryDelayMs: 60_000, ...change }] });
const error = (change: object): Outcome => ({
  kind: 'failed',
  retryable: true,
  error: { kind: 'exception', message: 'boom', ...change },
});
const killed = error({ kind: 'exit', signal: 'SIGKILL' });

describe('a retry policy', () => {
  it('fails a task whose rule says so, and says which rule', () => {
    const run = RunHarness.started(
      task({ retryPolicy: [{ name: 'bad input', error: ['TypeError'], action: 'fail' }] }),
    );
    run.finish('a', error({ type: 'TypeError' }));
    expect(run.states).toEqual({ a: 'failed' });
    expect(run.dataOf('TaskFailed')).toMatchObject({ rule: { index: 0, name: 'bad input' } });
  });

  it('retries after a delay of its own, and says which rule', () => {
    const run = RunHarness.started(task({ retryPolicy: [{ message: ['boom'], action: 'retry', delaysMs: [5_000] }] }));
    run.finish('a', 'fail');
    expect(run.dataOf('TaskRetryScheduled')).toMatchObject({ retryAt: HARNESS_START + 5_000, rule: { index: 0 } });
  });

  it('leaves to the task what no rule fits, or what a rule leaves to it', () => {
    for (const retryPolicy of [[{ kind: ['timeout'], action: 'fail' }], [{ action: 'default' }]] as const) {
      const run = RunHarness.started(task({ retryPolicy }));
      run.finish('a', 'fail');
      expect(run.dataOf('TaskRetryScheduled')).toMatchObject({ retryAt: HARNESS_START + 60_000 });
      expect(run.dataOf('TaskRetryScheduled')).not.toHaveProperty('rule');
    }
  });

  it('grants no more tries than the task has', () => {
    const run = RunHarness.started(task({ retries: 1, retryPolicy: [{ action: 'retry', limit: 9 }] }));
    run.work('fail');
    expect(run.published).toEqual(['a', 'a']);
  });

  it('grants no try to what says that it can never succeed', () => {
    const run = RunHarness.started(task({ retryPolicy: [{ action: 'retry' }] }));
    run.finish('a', 'failNow');
    expect(run.states).toEqual({ a: 'failed' });
  });

  it('ends the tries of a rule at its limit, and begins anew after a clear', () => {
    const run = RunHarness.started(task({ retryPolicy: [{ action: 'retry', limit: 1 }] }));
    run.work('fail');
    expect(run.published).toEqual(['a', 'a']);
    expect(run.dataOf('TaskFailed')).toMatchObject({ rule: { index: 0 } });
    run.clear('a');
    run.resume();
    run.work('fail');
    expect(run.published).toEqual(['a', 'a', 'a', 'a']);
  });

  it('gives the next tries more, also after a restart, and what a clear takes away', () => {
    const retryPolicy = [
      { kind: ['outOfMemory'], action: 'retry', with: { pool: 'large', resources: { memory: 'x2' } } },
    ] as const;
    const run = RunHarness.started(task({ retryPolicy, resources: { memory: '4g' } }));
    run.finish('a', killed);
    run.later(60_000);
    run.finish('a', 'fail');
    run.later(60_000);
    run.finish('a', killed);
    const expected = { pool: 'large', resources: { memory: '16g' } };
    expect(run.instance('a').overrides).toEqual(expected);
    expect(findInstance(run.replay(), 'a', [])).toMatchObject({ overrides: expected, ruleUses: new Map([[0, 2]]) });
    expect(grantedTo(run.replay(), run.instance('a'))).toMatchObject({ resources: { memory: '16g' } });
    run.clear('a');
    expect(grantedTo(run.replay(), run.instance('a'))).toMatchObject({ resources: { memory: '4g' } });
    expect(run.instance('a').overrides).toBeUndefined();
  });

  it('looks at a lost attempt only when its own budget is used up', () => {
    const run = RunHarness.started(task({ maxLostAttempts: 1, retryPolicy: [{ kind: ['lost'], action: 'fail' }] }));
    run.finish('a', 'lost');
    expect(run.lastTypes).toEqual(['TaskLost', 'TaskScheduled']);
    run.finish('a', 'lost');
    expect(run.dataOf('TaskFailed')).toMatchObject({ rule: { index: 0 }, error: { kind: 'lost' } });
  });

  it('takes the answer of the child, and keeps it', () => {
    const run = RunHarness.started(task({ retryPolicy: [{ inChild: true, action: 'default' }] }));
    run.finish('a', {
      ...(error({}) as object),
      policy: { rule: 0, action: 'retry', delayMs: 9, with: { queue: 'slow' } },
    } as Outcome);
    expect(run.dataOf('TaskRetryScheduled')).toMatchObject({
      retryAt: HARNESS_START + 9,
      rule: { index: 0 },
      overrides: { queue: 'slow' },
    });
  });
});
