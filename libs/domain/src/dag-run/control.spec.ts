import { dagDefinition, RunHarness, type TaskSpec } from '@rondo/testing';
import { decideMark } from './index.ts';

const started = (...tasks: TaskSpec[]): RunHarness => RunHarness.started(dagDefinition({ tasks }));
const chain: TaskSpec[] = [{ id: 'a' }, { id: 'b', upstream: ['a'] }, { id: 'c', upstream: ['b'] }];

describe('clearing', () => {
  it('gives a finished instance a new try with fresh retries, and leaves what is after it', () => {
    const run = started({ id: 'a', retries: 2, retryDelayMs: 0 }, { id: 'b', upstream: ['a'] });
    run.finish('a', 'fail');
    run.later(0);
    run.finish('a');
    expect(run.clear('a')).toEqual({ ok: true, value: [{ taskId: 'a', mapIndex: [] }] });
    expect(run.instance('a')).toMatchObject({ state: 'scheduled', tryNumber: 3, leg: 1, maxTries: 4 });
    expect(run.states).toMatchObject({ b: 'scheduled' });
    run.work('fail');
    expect(run.instance('a').tryNumber).toBe(5);
  });

  it('of a task without retries allows one try', () => {
    const run = started({ id: 'a' }, { id: 'b' });
    run.finish('a', 'fail');
    run.clear('a');
    run.finish('a', 'fail');
    expect(run.instance('a')).toMatchObject({ state: 'failed', tryNumber: 2 });
  });

  it('makes what waits for it wait again', () => {
    const run = started({ id: 'a' }, { id: 'b' }, { id: 'c', upstream: ['a', 'b'] });
    run.finish('a');
    run.clear('a');
    run.finish('b');
    expect(run.states).toMatchObject({ c: 'none' });
    run.finish('a');
    expect(run.states).toMatchObject({ c: 'scheduled' });
  });

  it('takes back what is ready and not yet published', () => {
    const run = RunHarness.started(
      dagDefinition({ tasks: [{ id: 'a' }, { id: 'x' }, { id: 'b', upstream: ['a'] }], maxActiveTasks: 2 }),
    );
    run.window = 0;
    run.finish('a');
    run.clear('a');
    run.window = 500;
    run.finish('x');
    expect(run.states).toEqual({ a: 'scheduled', x: 'success', b: 'none' });
  });

  it('of an instance whose attempt is open waits for the end of the attempt (I3)', () => {
    const run = started({ id: 'a' });
    run.startedOn('a');
    const attempt = run.attempt('a');
    run.clear('a');
    expect(run.lastTypes).toEqual(['TaskCleared']);
    expect(run.states).toEqual({ a: 'restarting' });
    expect(run.queued('a', attempt)).toBe(false);
    expect(run.startedOn('a', attempt)).toBe(false);
    expect(run.finish('a', 'success', attempt)).toBe(true);
    expect(run.lastTypes).toEqual(['TaskAttemptClosed', 'TaskScheduled']);
    expect(run.dataOf('TaskAttemptClosed')['reason']).toBe(
      'the attempt ended (success) after its instance was cleared',
    );
    expect(run.attempt('a')).toMatchObject({ tryNumber: 2, leg: 1 });
    expect(run.finish('a', 'success', attempt)).toBe(false);
  });

  it('of one whose attempt is published and not yet taken waits too; a lost attempt is an end', () => {
    const run = started({ id: 'a' });
    run.clear('a');
    expect(run.states).toEqual({ a: 'restarting' });
    run.finish('a', 'lost');
    expect(run.lastTypes).toEqual(['TaskAttemptClosed', 'TaskScheduled']);
    expect(run.attempt('a')).toMatchObject({ tryNumber: 2, leg: 1 });
  });

  it('again while it is restarting changes nothing', () => {
    const run = started({ id: 'a' });
    run.clear('a');
    expect(run.clear('a')).toEqual({ ok: true, value: [] });
    expect(run.last).toEqual([]);
  });

  it('of an instance that waits for its retry begins at once', () => {
    const run = started({ id: 'a', retries: 1, retryDelayMs: 3_600_000 });
    run.finish('a', 'fail');
    run.clear('a');
    expect(run.instance('a')).toMatchObject({ state: 'scheduled', tryNumber: 2, maxTries: 2, wakeAt: undefined });
  });

  it('gives lost attempts a new budget', () => {
    const run = started({ id: 'a', maxLostAttempts: 1 });
    run.finish('a', 'lost');
    run.clear('a');
    run.finish('a');
    run.finish('a', 'lost');
    expect(run.instance('a')).toMatchObject({ state: 'scheduled', tryNumber: 2, leg: 2 });
  });

  it('takes a callback back that is asked for', () => {
    const run = started({ id: 'a', callbacks: ['onFailure'] }, { id: 'b' });
    run.finish('a', 'crash');
    expect(run.run.callbacks).toBe(1);
    run.clear('a');
    expect(run.run.callbacks).toBe(0);
  });

  it('selects by task, direction, state and with setups and teardowns', () => {
    const run = started(
      { id: 'up', setup: true },
      { id: 'work', upstream: ['up'] },
      { id: 'down', upstream: ['up', 'work'], teardown: true },
      { id: 'end', upstream: ['work'] },
    ).work((id) => (id === 'end' ? 'fail' : 'success'));
    const cleared = (selection: Parameters<RunHarness['clearSelection']>[0]): unknown => {
      const copy = RunHarness.started(run.plan.definition).work((id) => (id === 'end' ? 'fail' : 'success'));
      const chosen = copy.clearSelection(selection);
      return chosen.ok ? chosen.value.map((range) => range.taskId).sort() : chosen.error;
    };
    expect(cleared({ taskIds: ['work'] })).toEqual(['down', 'up', 'work']);
    expect(cleared({ taskIds: ['work'], includeDownstream: true })).toEqual(['down', 'end', 'up', 'work']);
    expect(cleared({ taskIds: ['end'], includeUpstream: true })).toEqual(['down', 'end', 'up', 'work']);
    expect(cleared({ taskIds: ['down'] })).toEqual(['down']);
    expect(cleared({ onlyFailed: true })).toEqual(['end']);
    expect(cleared({ onlyRunning: true })).toEqual([]);
    expect(cleared({})).toEqual(['down', 'end', 'up', 'work']);
    expect(cleared({ taskIds: ['work'], mapIndex: '3' })).toEqual(['down', 'up']);
    expect(cleared({ taskIds: ['wrok'] })).toBe("DAG 'dag' has no task 'wrok'; its tasks are up, work, down, end");
  });

  it('names no more than the first of many tasks in a refusal', () => {
    const many = Array.from({ length: 30 }, (_, n): TaskSpec => ({ id: `t${n}` }));
    const refusal = started(...many).clear('x');
    expect(refusal).toMatchObject({ ok: false, error: expect.stringMatching(/t19 and 10 more$/) });
  });
});

describe('clearing a finished run', () => {
  it('reopens it; it goes on when its DAG admits it (I4)', () => {
    const run = started(...chain).work();
    run.clearSelection({ taskIds: ['b'], includeDownstream: true });
    expect(run.lastTypes).toEqual(['TaskCleared', 'RunReopened']);
    expect(run.run).toMatchObject({ state: 'queued', endedAt: undefined, reason: undefined });
    run.later(1_000);
    expect(run.last).toEqual([]);
    run.resume();
    expect(run.lastTypes).toEqual(['RunResumed', 'TaskScheduled']);
    expect(run.run.startedAt).toBe(run.now);
    run.work();
    expect(run.run.state).toBe('success');
    expect(run.instance('b').tryNumber).toBe(2);
  });

  it('starts its time limit anew', () => {
    const run = RunHarness.started(dagDefinition({ tasks: chain, dagrunTimeoutMs: 10_000 })).work();
    run.later(60_000);
    run.clear('c');
    expect(run.run.deadline).toBeUndefined();
    run.resume();
    expect(run.run.deadline).toBe(run.now + 10_000);
    expect(run.states).toMatchObject({ c: 'scheduled' });
  });

  it('resumes it also when only the clear was written before a crash', () => {
    const run = started(...chain).work();
    run.clear('c');
    const cut = run.replay(run.history.filter((event) => event.type !== 'RunReopened'));
    expect(cut.state).toBe('success');
    const resumed = new RunHarness(run.plan.definition);
    for (const event of run.history) if (event.type !== 'RunReopened') resumed.decide((d) => d.emit(event));
    resumed.resume();
    expect(resumed.run).toMatchObject({ state: 'running', endedAt: undefined, reason: undefined });
    expect(resumed.states).toMatchObject({ c: 'scheduled' });
  });

  it('that has nothing to clear leaves it as it is', () => {
    const run = started({ id: 'a' }).work();
    expect(run.clearSelection({ taskIds: ['a'], onlyFailed: true })).toEqual({ ok: true, value: [] });
    expect(run.run.state).toBe('success');
  });

  it('waits for attempts that a mark left open', () => {
    const run = started({ id: 'a' });
    run.startedOn('a');
    run.mark('a', 'success');
    expect(run.run).toMatchObject({ state: 'success', open: 1 });
    run.clear('a');
    run.resume();
    expect(run.states).toEqual({ a: 'restarting' });
    run.finish('a');
    expect(run.attempt('a')).toMatchObject({ tryNumber: 2 });
  });
});

describe('marking instances', () => {
  it('sets their state, and what follows goes on', () => {
    const run = started(...chain);
    run.mark('a', 'success');
    expect(run.lastTypes).toEqual(['TaskMarked', 'TaskScheduled']);
    expect(run.states).toEqual({ a: 'success', b: 'scheduled', c: 'none' });
    run.mark('b', 'failed');
    expect(run.states).toEqual({ a: 'success', b: 'failed', c: 'upstream_failed' });
    expect(run.run.state).toBe('failed');
  });

  it('whose attempt runs lets the late report close the attempt and nothing else', () => {
    const run = started(...chain);
    run.startedOn('a');
    run.mark('a', 'success');
    expect(run.run.open).toBe(2);
    expect(run.finish('a', 'fail')).toBe(true);
    expect(run.lastTypes).toEqual(['TaskAttemptClosed']);
    expect(run.dataOf('TaskAttemptClosed')['reason']).toBe('the attempt ended (failed) after its instance was marked');
    expect(run.states).toMatchObject({ a: 'success', b: 'scheduled' });
    expect(run.run.open).toBe(1);
    expect(run.finish('a', 'fail')).toBe(false);
  });

  it('leaves the setups and teardowns of marked work alone', () => {
    const run = started(
      { id: 'up', setup: true },
      { id: 'work', upstream: ['up'] },
      { id: 'next', upstream: ['work'] },
      { id: 'down', upstream: ['up', 'next'], teardown: true },
    );
    run.mark('work', 'failed');
    expect(run.states).toEqual({ up: 'scheduled', work: 'failed', next: 'upstream_failed', down: 'none' });
    const after = started(...chain);
    after.decide((d) => decideMark(d, { taskIds: ['b'], includeDownstream: true }, 'success'));
    expect(after.states).toEqual({ a: 'scheduled', b: 'success', c: 'success' });
    const before = started(...chain);
    before.decide((d) => decideMark(d, { taskIds: ['b'], includeUpstream: true }, 'success'));
    expect(before.states).toEqual({ a: 'success', b: 'success', c: 'scheduled' });
  });

  it('that wait for a retry ends the wait', () => {
    const run = started({ id: 'a', retries: 1 });
    run.finish('a', 'fail');
    run.mark('a', 'skipped');
    expect(run.instance('a')).toMatchObject({ state: 'skipped', wakeAt: undefined });
    expect(run.run.state).toBe('success');
  });

  it('that have the state already changes nothing', () => {
    const run = started({ id: 'a' }, { id: 'b' });
    run.finish('a');
    expect(run.mark('a', 'success')).toEqual({ ok: true, value: [] });
    expect(run.last).toEqual([]);
    expect(run.mark('x', 'success')).toMatchObject({ ok: false });
  });
});

describe('marking a run', () => {
  const tasks: TaskSpec[] = [{ id: 'done' }, { id: 'runs' }, { id: 'waits', upstream: ['runs'] }];

  it('as a success makes everything unfinished succeed', () => {
    const run = started(...tasks);
    run.finish('done', 'fail');
    expect(run.markRun('success').ok).toBe(true);
    expect(run.states).toEqual({ done: 'failed', runs: 'success', waits: 'success' });
    expect(run.lastTypes).toEqual(['TaskMarked', 'RunSucceeded']);
  });

  it('as a failure fails what runs and skips the rest', () => {
    const run = started(...tasks);
    run.finish('done');
    run.startedOn('runs');
    run.markRun('failed', 'aborted');
    expect(run.states).toEqual({ done: 'success', runs: 'failed', waits: 'skipped' });
    expect(run.run).toMatchObject({ state: 'failed', reason: 'aborted', open: 1 });
    run.finish('runs');
    expect(run.run).toMatchObject({ state: 'failed', open: 0 });
  });

  it('that is in that state already is refused; one that ended otherwise is not', () => {
    const run = started({ id: 'a' }).work();
    expect(run.markRun('success')).toEqual({ ok: false, error: 'the run is success already' });
    expect(run.markRun('failed').ok).toBe(true);
    expect(run.run.state).toBe('failed');
    expect(run.states).toEqual({ a: 'success' });
  });
});
