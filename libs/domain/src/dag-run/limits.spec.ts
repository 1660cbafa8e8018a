import { dagDefinition, HARNESS_START, RunHarness, type DagSpec, type TaskSpec } from '@rondo/testing';
import { nextWake } from './index.ts';

const started = (tasks: readonly TaskSpec[], change: Partial<DagSpec> = {}): RunHarness =>
  RunHarness.started(dagDefinition({ ...change, tasks }));
const wide = (n: number): TaskSpec[] => Array.from({ length: n }, (_, i) => ({ id: `t${i}` }));

describe('what is published (I5)', () => {
  it('and not yet acknowledged is at most the window', () => {
    const run = RunHarness.started(dagDefinition({ tasks: wide(5) }), { window: 2 });
    expect(run.published).toEqual(['t0', 't1']);
    run.queued('t0');
    expect(run.published).toEqual(['t0', 't1', 't2']);
    run.finish('t1');
    expect(run.published).toEqual(['t0', 't1', 't2', 't3']);
  });

  it('is no less where others wait for another pool, a larger one or a limit of their own', () => {
    const tasks: TaskSpec[] = [
      ...wide(3),
      { id: 'pool', pool: 'p' },
      { id: 'large', poolSlots: 2 },
      { id: 'queue', queue: 'q' },
      { id: 'limited', maxActiveTisPerDag: 1 },
    ];
    const run = RunHarness.started(dagDefinition({ tasks }), { window: 1 });
    expect(run.published.toSorted()).toEqual(['large', 'limited', 'pool', 'queue', 't0']);
  });

  it('is the heaviest first, then in the order of declaration', () => {
    const tasks: TaskSpec[] = [
      { id: 'light' },
      { id: 'heavy', priorityWeight: 10, weightRule: 'absolute' },
      { id: 'also', priorityWeight: 10, weightRule: 'absolute' },
      { id: 'long' },
      { id: 'x', upstream: ['long'], priorityWeight: 4 },
    ];
    const run = RunHarness.started(dagDefinition({ tasks }), { window: 1 }).work();
    expect(run.published).toEqual(['heavy', 'also', 'long', 'x', 'light']);
  });

  it('is nothing while the DAG is paused; what runs goes on', () => {
    const run = started([{ id: 'a' }, { id: 'b', upstream: ['a'] }]);
    run.pause(true);
    run.finish('a');
    expect(run.states).toEqual({ a: 'success', b: 'none' });
    run.pause(false);
    expect(run.states).toEqual({ a: 'success', b: 'scheduled' });
  });

  it('while paused the run still ends', () => {
    const run = started([{ id: 'a' }, { id: 'b', upstream: ['a'] }]);
    run.pause(true);
    run.finish('a', 'fail');
    expect(run.run.state).toBe('failed');
  });

  it('after a pause includes retries that came due meanwhile', () => {
    const run = started([{ id: 'a', retries: 1, retryDelayMs: 1_000 }]);
    run.finish('a', 'fail');
    run.pause(true);
    run.later(5_000);
    expect(run.states).toEqual({ a: 'up_for_retry' });
    run.pause(false);
    expect(run.states).toEqual({ a: 'scheduled' });
  });
});

describe('when a run wants to be looked at again', () => {
  const tasks: TaskSpec[] = [
    { id: 'a', retries: 1, retryDelayMs: 3_000 },
    { id: 'b', retries: 1, retryDelayMs: 1_000 },
  ];

  it('is the soonest retry', () => {
    const run = started(tasks);
    expect(nextWake({ run: run.run })).toBeUndefined();
    run.finish('a', 'fail');
    run.finish('b', 'fail');
    expect(nextWake({ run: run.run })).toBe(HARNESS_START + 1_000);
    run.later(1_000);
    expect(nextWake({ run: run.run })).toBe(HARNESS_START + 3_000);
  });

  it('or the deadline', () => {
    const run = started(tasks, { dagrunTimeoutMs: 500 });
    expect(nextWake({ run: run.run })).toBe(HARNESS_START + 500);
    run.finish('a', 'fail');
    expect(nextWake({ run: run.run })).toBe(HARNESS_START + 500);
    run.later(500);
    expect(nextWake({ run: run.run })).toBeUndefined();
  });

  it('is not for an instance that a rule has ended meanwhile', () => {
    const run = started([
      { id: 'a' },
      { id: 'b', upstream: ['a'], triggerRule: 'none_failed', retries: 1, retryDelayMs: 60_000 },
      { id: 'c' },
    ]);
    run.finish('a');
    run.finish('b', 'fail');
    run.mark('a', 'failed');
    expect(run.states).toMatchObject({ b: 'upstream_failed' });
    expect(nextWake({ run: run.run })).toBeUndefined();
  });
});

describe('the run ends', () => {
  it('by its leaves: a failed task in the middle does not fail it', () => {
    const run = started([{ id: 'a' }, { id: 'b', upstream: ['a'], triggerRule: 'all_done' }]);
    run.work((id) => (id === 'a' ? 'fail' : 'success'));
    expect(run.run).toMatchObject({ state: 'success', reason: 'all_tasks_done' });
  });

  it('failed when a leaf is, once nothing is unfinished', () => {
    const run = started([{ id: 'a' }, { id: 'b' }]);
    run.finish('a', 'fail');
    expect(run.run.state).toBe('running');
    run.finish('b');
    expect(run.run).toMatchObject({ state: 'failed', reason: 'task_failure' });
  });

  it('successful when leaves are skipped', () => {
    expect(started([{ id: 'a' }]).work('skip').run.state).toBe('success');
  });

  it('deadlocked when nothing can ever start', () => {
    const run = started([{ id: 'a' }, { id: 'b', upstream: ['a'], triggerRule: 'no_such_rule' as 'always' }]);
    run.finish('a');
    expect(run.run).toMatchObject({ state: 'failed', reason: 'all_tasks_deadlocked' });
    expect(run.states).toEqual({ a: 'success', b: 'none' });
  });

  it('not while something waits for a time, another run, or the DAG to be unpaused', () => {
    const run = started([{ id: 'a', retries: 1 }, { id: 'b' }]);
    run.finish('b', { trigger: {} });
    run.finish('a', 'fail');
    expect(run.states).toEqual({ a: 'up_for_retry', b: 'deferred' });
    expect(run.run.state).toBe('running');
  });
});

describe('teardowns', () => {
  const tasks = (change: Partial<TaskSpec> = {}): TaskSpec[] => [
    { id: 'up', setup: true },
    { id: 'work', upstream: ['up'] },
    { id: 'deep', upstream: ['work'] },
    { id: 'down', upstream: ['up', 'deep'], teardown: true, ...change },
  ];

  it('run when their setup succeeded, whatever the work came to; their own failure is forgiven', () => {
    const run = started(tasks()).work((id) => (id === 'down' ? 'fail' : 'success'));
    expect(run.states).toEqual({ up: 'success', work: 'success', deep: 'success', down: 'failed' });
    expect(run.run.state).toBe('success');
    const failed = started(tasks()).work((id) => (id === 'work' ? 'fail' : 'success'));
    expect(failed.states).toEqual({ up: 'success', work: 'failed', deep: 'upstream_failed', down: 'success' });
    expect(failed.run.state).toBe('failed');
  });

  it('that must not fail fail the run', () => {
    const run = started(tasks({ onFailureFailDagrun: true })).work((id) => (id === 'down' ? 'fail' : 'success'));
    expect(run.run.state).toBe('failed');
  });

  it('do not run when their setup failed or was skipped; neither does the work, however deep', () => {
    const failed = started(tasks()).work((id) => (id === 'up' ? 'fail' : 'success'));
    expect(failed.states).toEqual({
      up: 'failed',
      work: 'upstream_failed',
      deep: 'upstream_failed',
      down: 'upstream_failed',
    });
    expect(failed.run.state).toBe('failed');
    const skipped = started(tasks()).work((id) => (id === 'up' ? 'skip' : 'success'));
    expect(skipped.states).toEqual({ up: 'skipped', work: 'skipped', deep: 'skipped', down: 'skipped' });
  });

  it('hold deep work until a setup further up has succeeded', () => {
    const run = started([
      { id: 'up', setup: true },
      { id: 'work', upstream: ['up'] },
      { id: 'deep', upstream: ['work'], triggerRule: 'all_done' },
    ]);
    run.mark('work', 'success');
    expect(run.states).toMatchObject({ deep: 'none' });
    run.finish('up', 'fail');
    expect(run.states).toMatchObject({ deep: 'upstream_failed' });
    expect(run.dataOf('TaskUpstreamFailed')['reason']).toBe('trigger_rule:all_done');
  });

  it('alone decide a run that has nothing else', () => {
    const run = started([{ id: 'down', teardown: true }]).work('fail');
    expect(run.run.state).toBe('failed');
  });
});

describe('the time limit of a run', () => {
  it('skips what is unfinished, then the run has failed', () => {
    const run = started([{ id: 'a' }, { id: 'b' }, { id: 'c', upstream: ['b'] }], { dagrunTimeoutMs: 1_000 });
    run.finish('a');
    run.startedOn('b');
    run.later(1_000);
    expect(run.lastTypes).toEqual(['TaskMarked', 'RunFailed']);
    expect(run.dataOf('TaskMarked')).toMatchObject({ state: 'skipped', reason: 'dagrun_timeout' });
    expect(run.states).toEqual({ a: 'success', b: 'skipped', c: 'skipped' });
    expect(run.run).toMatchObject({ state: 'failed', reason: 'timed_out', open: 1 });
    run.finish('b');
    expect(run.lastTypes).toEqual(['TaskAttemptClosed']);
    expect(run.run.open).toBe(0);
  });

  it('holds while the DAG is paused', () => {
    const run = started([{ id: 'a' }], { dagrunTimeoutMs: 1_000 });
    run.pause(true);
    run.later(1_000);
    expect(run.run.reason).toBe('timed_out');
  });
});

describe('failFast', () => {
  const tasks: TaskSpec[] = [
    { id: 'up', setup: true },
    { id: 'bad', upstream: ['up'] },
    { id: 'runs', upstream: ['up'] },
    { id: 'waits', upstream: ['runs'] },
    { id: 'down', upstream: ['up', 'bad', 'waits'], teardown: true },
  ];
  const failing = (): RunHarness => {
    const run = started(tasks, { failFast: true });
    run.finish('up');
    run.startedOn('runs');
    run.finish('bad', 'fail');
    return run;
  };

  it('fails what runs and skips what waits; teardowns still run', () => {
    const run = failing();
    expect(run.states).toEqual({ up: 'success', bad: 'failed', runs: 'failed', waits: 'skipped', down: 'scheduled' });
    run.work();
    expect(run.run.state).toBe('failed');
    expect(run.states).toMatchObject({ down: 'success' });
  });

  it('skips what is published and has not begun', () => {
    const run = started(tasks, { failFast: true });
    run.finish('up');
    run.finish('bad', 'fail');
    expect(run.states).toMatchObject({ runs: 'skipped', waits: 'skipped' });
  });

  it('waits for retries', () => {
    const run = started([{ id: 'a', retries: 1 }, { id: 'b' }], { failFast: true });
    run.finish('a', 'fail');
    expect(run.states).toEqual({ a: 'up_for_retry', b: 'scheduled' });
  });

  it('does not take a failure of a teardown for one', () => {
    const run = started([{ id: 'down', teardown: true }, { id: 'b' }], { failFast: true });
    run.finish('down', 'fail');
    expect(run.states).toEqual({ down: 'failed', b: 'scheduled' });
  });

  it('lets a cleared task run though others are still failed from before', () => {
    const run = failing().work();
    run.clear('bad');
    run.resume();
    expect(run.states).toMatchObject({ bad: 'none', up: 'scheduled', down: 'none', runs: 'failed' });
    run.finish('up');
    run.finish('bad');
    expect(run.states).toMatchObject({ bad: 'success' });
  });
});
