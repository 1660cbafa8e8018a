import { dagDefinition, HARNESS_START, RunHarness, viewOf } from '@rondo/testing';

describe('events that are folded, whoever wrote them', () => {
  it('a reschedule goes on with the same try at its time, on a leg of its own', () => {
    const run = RunHarness.started(dagDefinition({ tasks: [{ id: 'a' }] }));
    run.startedOn('a');
    const { dagId: _dagId, runId: _runId, ...key } = run.attempt('a');
    const until = HARNESS_START + 60_000;
    run.decide((d) => d.emit({ type: 'TaskRescheduled', data: { ...key, at: run.now, until } }));
    expect(run.instance('a')).toMatchObject({ state: 'up_for_reschedule', open: false, wakeAt: until });
    expect(run.run.waiting).toBe(1);
    run.later(59_999);
    expect(run.last).toEqual([]);
    run.later(1);
    expect(run.dataOf('TaskScheduled')).toMatchObject({ tryNumber: 1, leg: 2 });
    expect(viewOf(run.replay())).toEqual(viewOf(run.run));
  });

  it('a removed instance counts neither as failed nor as unfinished', () => {
    const run = RunHarness.started(dagDefinition({ tasks: [{ id: 'a' }, { id: 'b' }] }));
    run.finish('a');
    run.decide((d) => {
      const instances = [{ taskId: 'b', mapIndex: [] }];
      d.emit({ type: 'TaskRemoved', data: { at: run.now, instances, reason: 'gone' } });
    });
    expect(run.run).toMatchObject({ state: 'success', unfinished: 0, failedLeaves: 0 });
  });

  it('of a removed upstream wait those that want its success: nothing else can come', () => {
    const run = RunHarness.started(dagDefinition({ tasks: [{ id: 'a' }, { id: 'b', upstream: ['a'] }] }));
    run.decide((d) => {
      const instances = [{ taskId: 'a', mapIndex: [] }];
      d.emit({ type: 'TaskRemoved', data: { at: run.now, instances, reason: 'gone' } });
    });
    expect(run.run).toMatchObject({ state: 'failed', reason: 'all_tasks_deadlocked' });
    run.finish('a');
    expect(run.lastTypes).toEqual(['TaskAttemptClosed']);
  });
});
