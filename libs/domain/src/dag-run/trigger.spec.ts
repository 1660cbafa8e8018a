import { dagDefinition, RunHarness, type TaskSpec } from '@rondo/testing';
import type { TriggerRequest } from '../task-instance/index.ts';

/** A run whose task `a` waits for a run of another DAG. */
function deferred(request: Partial<TriggerRequest> = {}, task: Partial<TaskSpec> = {}): RunHarness {
  const run = RunHarness.started(
    dagDefinition({
      tasks: [
        { id: 'a', ...task },
        { id: 'b', upstream: ['a'] },
      ],
    }),
  );
  run.finish('a', { trigger: request });
  return run;
}

describe('a task that asks for a run of another DAG', () => {
  it('waits, holding no attempt', () => {
    const run = deferred();
    expect(run.states).toEqual({ a: 'deferred', b: 'none' });
    expect(run.run).toMatchObject({ open: 0, active: 0, waiting: 1 });
    expect(run.dataOf('TaskDeferred')).toMatchObject({
      waitFor: { kind: 'dagRun', request: { dagId: 'other', runId: 'triggered__dag.run.a.1', wait: true } },
    });
  });

  it('names the run itself where the task says so', () => {
    expect(deferred({ runId: 'mine' }).dataOf('TaskDeferred')).toMatchObject({
      waitFor: { request: { runId: 'mine' } },
    });
  });

  it('succeeds with an allowed end of that run', () => {
    const run = deferred();
    expect(run.answer('a', { kind: 'accepted' })).toBe(false);
    expect(run.answer('a', { kind: 'ended', state: 'success' })).toBe(true);
    expect(run.dataOf('TaskSucceeded')).toMatchObject({
      xcoms: { trigger_run_id: { value: 'triggered__dag.run.a.1' } },
    });
    expect(run.states).toEqual({ a: 'success', b: 'scheduled' });
    expect(run.instance('a').waitFor).toBeUndefined();
  });

  it('that does not wait succeeds once the run exists', () => {
    const run = deferred({ wait: false });
    expect(run.answer('a', { kind: 'accepted' })).toBe(true);
    expect(run.states).toMatchObject({ a: 'success' });
  });

  it('fails with another end, and a retry asks for another run', () => {
    const run = deferred({}, { retries: 1, retryDelayMs: 0, callbacks: ['onFailure'] });
    run.answer('a', { kind: 'ended', state: 'failed' });
    expect(run.dataOf('TaskRetryScheduled')['error']).toMatchObject({
      kind: 'trigger',
      message: expect.stringContaining('ended as failed'),
    });
    run.later(0);
    run.finish('a', { trigger: {} });
    expect(run.dataOf('TaskDeferred')).toMatchObject({ waitFor: { request: { runId: 'triggered__dag.run.a.2' } } });
    run.answer('a', { kind: 'ended', state: 'failed' });
    expect(run.dataOf('TaskFailed')).toMatchObject({ callback: 'onFailure' });
    expect(run.run.state).toBe('failed');
  });

  it('may allow a failed end', () => {
    const run = deferred({ allowedStates: ['success', 'failed'] });
    run.answer('a', { kind: 'ended', state: 'failed' });
    expect(run.states).toMatchObject({ a: 'success' });
  });

  it('fails when it is refused, and is skipped for a run that exists where it asks for that', () => {
    const refused = deferred();
    refused.answer('a', { kind: 'refused', message: 'no such DAG', alreadyExists: false });
    expect(refused.dataOf('TaskFailed')['error']).toMatchObject({ message: expect.stringContaining('no such DAG') });
    const exists = deferred({ skipWhenAlreadyExists: true });
    exists.answer('a', { kind: 'refused', message: 'exists', alreadyExists: true });
    expect(exists.states).toEqual({ a: 'skipped', b: 'skipped' });
    expect(exists.instance('a').waitFor).toBeUndefined();
    const failed = deferred({ skipWhenAlreadyExists: true });
    failed.answer('a', { kind: 'refused', message: 'no such DAG', alreadyExists: false });
    expect(failed.states).toMatchObject({ a: 'failed' });
  });

  it('takes no answer to an earlier try, nor one that comes again', () => {
    const run = deferred();
    const first = run.attempt('a');
    run.clear('a');
    run.finish('a', { trigger: {} });
    expect(run.answer('a', { kind: 'ended', state: 'success' }, first)).toBe(false);
    expect(run.answer('a', { kind: 'ended', state: 'success' })).toBe(true);
    expect(run.answer('a', { kind: 'ended', state: 'failed' })).toBe(false);
    expect(run.answer('a', { kind: 'ended', state: 'failed' }, { ...first, taskId: 'x' })).toBe(false);
  });
});
