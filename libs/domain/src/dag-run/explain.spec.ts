import { decideHold } from './adjust.ts';
import { explain } from './explain.ts';
import { dagDefinition, HARNESS_START, RunHarness, type TaskSpec } from '@rondo/testing';

const started = (...tasks: TaskSpec[]): RunHarness => RunHarness.started(dagDefinition({ tasks }));

/** What holds an instance back, by rule. */
const failing = (run: RunHarness, taskId: string): Record<string, string> =>
  Object.fromEntries(run.explain(taskId).flatMap((r) => (r.passed ? [] : [[r.rule, r.reason]])));

describe('why an instance does not run yet', () => {
  const chain: TaskSpec[] = [
    { id: 'a', retries: 1, retryDelayMs: 60_000 },
    { id: 'b', upstream: ['a'] },
  ];

  it('its upstream', () => {
    expect(failing(started(...chain), 'b')).toEqual({
      trigger_rule: 'all_success: 0 of 1 upstream succeeded; waiting for 1',
    });
  });

  it('the instance is published, and waits for a slot; then it runs', () => {
    const run = started(...chain);
    expect(failing(run, 'a')).toEqual({
      task_state: 'the instance is scheduled, try 1 of 2',
    });
    run.startedOn('a');
    expect(failing(run, 'a')).toEqual({ task_state: 'the instance is running, try 1 of 2' });
  });

  it('its retry delay', () => {
    const run = started(...chain);
    run.finish('a', 'fail');
    expect(failing(run, 'a')).toEqual({
      retry_period: `waits until ${new Date(HARNESS_START + 60_000).toISOString()}`,
    });
  });

  it('others like it that wait, a pause, a hold', () => {
    const run = RunHarness.started(dagDefinition({ tasks: [{ id: 'a' }, { id: 'b' }] }), { window: 1 });
    expect(failing(run, 'b')).toEqual({
      publish_window: '1 attempts like it wait to be admitted; at most 1 of a run are published ahead',
    });
    run.pause(true);
    expect(failing(run, 'b')).toMatchObject({ dag_paused: 'the DAG is paused' });
    run.decide((d) => decideHold(d, { taskIds: ['b'] }, true));
    expect(failing(run, 'b')).toMatchObject({ held: 'the task instance is held, until it is released' });
    const context = { now: run.now, window: 1, paused: true, isHeld: true };
    expect(explain(run.run, run.instance('b'), context).filter((reason) => !reason.passed)).toMatchObject([
      { rule: 'held' },
      { rule: 'run_held' },
      { rule: 'publish_window' },
    ]);
  });

  it('setups further up, apart from its rule', () => {
    const run = started(
      { id: 'up', setup: true },
      { id: 'work', upstream: ['up'] },
      { id: 'deep', upstream: ['work'] },
    );
    run.mark('work', 'success');
    expect(failing(run, 'deep')).toEqual({ setups: 'setups: 0 of 1 upstream succeeded; waiting for 1' });
  });

  it('a run that it waits for, and the state of its own run', () => {
    const run = started({ id: 'a' });
    run.finish('a', { trigger: {} });
    expect(failing(run, 'a')).toEqual({ waiting_for: "waits for run 'triggered__dag.run.a.1' of DAG 'other'" });
    run.markRun('failed');
    expect(failing(run, 'a')).toMatchObject({ run_state: 'the run is failed' });
    expect(failing(new RunHarness(dagDefinition({ tasks: [{ id: 'a' }] })), 'a')).toEqual({
      run_state: 'the run is queued',
    });
  });

  it('the instance has ended, in whatever state', () => {
    const run = started(
      { id: 'a' },
      { id: 'b', upstream: ['a'], triggerRule: 'all_done' },
      { id: 'c', upstream: ['b'] },
    );
    run.finish('a', 'skip');
    expect(failing(run, 'a')).toEqual({ task_state: 'the instance is skipped, try 1 of 1' });
    run.finish('b', 'fail');
    expect(failing(run, 'c')).toMatchObject({
      task_state: 'the instance is upstream_failed',
      trigger_rule: 'all_success: 0 of 1 upstream succeeded, 1 failed; so it is upstream_failed',
    });
  });

  it('a branch that chose otherwise', () => {
    const run = started({ id: 'choose' }, { id: 'b', upstream: ['choose'] });
    run.finish('choose', { branch: [] });
    expect(failing(run, 'b')).toMatchObject({ branch: 'a branch or short-circuit upstream chose otherwise' });
  });

  it('nothing: every rule is passed by one that may be published', () => {
    const run = RunHarness.started(dagDefinition({ tasks: [{ id: 'a' }] }), { paused: true });
    run.paused = false;
    expect(run.explain('a').every((reason) => reason.passed)).toBe(true);
  });
});
