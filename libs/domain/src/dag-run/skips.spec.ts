import { dagDefinition, RunHarness, type TaskSpec } from '@rondo/testing';

const started = (...tasks: TaskSpec[]): RunHarness => RunHarness.started(dagDefinition({ tasks }));
const branch = [
  { id: 'choose' },
  { id: 'left', upstream: ['choose'] },
  { id: 'right', upstream: ['choose'] },
  { id: 'join', upstream: ['left', 'right'], triggerRule: 'none_failed_min_one_success' as const },
];

describe('a branch', () => {
  it('skips what it does not follow; the rest goes on', () => {
    const run = started(...branch);
    run.finish('choose', { branch: ['left'] });
    expect(run.states).toEqual({ choose: 'success', left: 'scheduled', right: 'skipped', join: 'none' });
    expect(run.dataOf('TaskSkipped')).toMatchObject({
      reason: 'branch',
      instances: [{ taskId: 'right', mapIndex: [] }],
    });
    expect(run.work().states).toEqual({ choose: 'success', left: 'success', right: 'skipped', join: 'success' });
    expect(run.run.state).toBe('success');
  });

  it('that follows nothing skips everything directly after it', () => {
    const run = started(...branch);
    run.finish('choose', { branch: [] });
    expect(run.states).toEqual({ choose: 'success', left: 'skipped', right: 'skipped', join: 'skipped' });
  });

  it('may follow a task further down: what leads there is kept', () => {
    const run = started(...branch);
    run.finish('choose', { branch: ['join'] });
    expect(run.states).toEqual({ choose: 'success', left: 'skipped', right: 'skipped', join: 'skipped' });
    const direct = started({ id: 'choose' }, { id: 'a', upstream: ['choose'] }, { id: 'b', upstream: ['choose', 'a'] });
    direct.finish('choose', { branch: ['a'] });
    expect(direct.states).toEqual({ choose: 'success', a: 'scheduled', b: 'none' });
  });

  it('may follow a group: its roots', () => {
    const run = started(
      { id: 'choose' },
      { id: 'g.one', upstream: ['choose'], group: 'g' },
      { id: 'g.two', upstream: ['g.one'], group: 'g' },
      { id: 'other', upstream: ['choose'] },
    );
    run.finish('choose', { branch: ['g'] });
    expect(run.dataOf('TaskSucceeded')).toMatchObject({ skip: { kind: 'branch', follow: ['g.one'] } });
    expect(run.states).toMatchObject({ 'g.one': 'scheduled', other: 'skipped' });
  });

  it('to what the DAG has not is a failed try, which may be retried', () => {
    const run = started(
      { id: 'choose', retries: 1, retryDelayMs: 0, callbacks: ['onFailure'] },
      { id: 'a', upstream: ['choose'] },
    );
    run.finish('choose', { branch: ['nowhere'] });
    expect(run.dataOf('TaskRetryScheduled')['error']).toMatchObject({
      kind: 'branch',
      message: expect.stringContaining('nowhere'),
    });
    run.later(0);
    run.finish('choose', { branch: ['nowhere'] });
    expect(run.dataOf('TaskFailed')).toMatchObject({ callback: 'onFailure' });
    expect(run.states).toEqual({ choose: 'failed', a: 'upstream_failed' });
  });

  it('is remembered: a child cleared alone is skipped again', () => {
    const run = started(...branch);
    run.finish('choose', { branch: ['left'] });
    run.clear('right');
    expect(run.lastTypes).toEqual(['TaskCleared', 'TaskSkipped']);
    expect(run.states).toMatchObject({ right: 'skipped' });
  });

  it('is forgotten when the task that made it is cleared', () => {
    const run = started(...branch);
    run.finish('choose', { branch: ['left'] });
    run.clear('choose', 'left', 'right');
    expect(run.states).toMatchObject({ choose: 'scheduled', right: 'none' });
    run.finish('left', 'success', run.attempt('left'));
    run.finish('choose', { branch: ['right'] });
    expect(run.states).toMatchObject({ left: 'skipped', right: 'scheduled' });
  });

  it('that chooses anew lets the child run which it skipped before, once that is cleared', () => {
    const run = started(...branch);
    run.finish('choose', { branch: ['left'] });
    run.clear('choose');
    run.finish('choose', { branch: ['right'] });
    expect(run.states).toMatchObject({ right: 'skipped' });
    run.clear('right');
    expect(run.states).toMatchObject({ right: 'scheduled' });
  });

  it('of two branches one is enough to skip', () => {
    const run = started(
      { id: 'p' },
      { id: 'q' },
      { id: 'x', upstream: ['p', 'q'], triggerRule: 'always' },
      { id: 'y', upstream: ['p', 'q'] },
    );
    run.finish('p', { branch: ['x'] });
    run.finish('q', { branch: ['y'] });
    expect(run.states).toMatchObject({ y: 'skipped' });
    run.clear('p', 'y');
    run.finish('p', { branch: ['y'] });
    expect(run.states).toMatchObject({ y: 'scheduled' });
  });
});

describe('a short circuit', () => {
  const tasks: TaskSpec[] = [
    { id: 'gate' },
    { id: 'next', upstream: ['gate'] },
    { id: 'far', upstream: ['next'], triggerRule: 'all_done' },
  ];

  it('skips everything after it, whatever the rules there say', () => {
    const run = started(...tasks);
    run.finish('gate', { shortCircuit: true });
    expect(run.states).toEqual({ gate: 'success', next: 'skipped', far: 'skipped' });
  });

  it('that respects the rules skips what is directly after it', () => {
    const run = started(...tasks);
    run.finish('gate', { shortCircuit: false });
    expect(run.states).toEqual({ gate: 'success', next: 'skipped', far: 'scheduled' });
  });

  it('skips setups but no teardowns', () => {
    const run = started(
      { id: 'gate' },
      { id: 'up', upstream: ['gate'], setup: true },
      { id: 'work', upstream: ['up'] },
      { id: 'down', upstream: ['up', 'work'], teardown: true },
      { id: 'tidy', upstream: ['gate'], teardown: true },
    );
    run.finish('gate', { shortCircuit: true });
    expect(run.states).toEqual({ gate: 'success', up: 'skipped', work: 'skipped', down: 'skipped', tidy: 'scheduled' });
  });
});

describe('tasks that need no child', () => {
  it('succeed where they are decided, and so does what follows', () => {
    const run = started(
      { id: 'a', runs: 'empty' },
      { id: 'b', upstream: ['a'], runs: 'empty' },
      { id: 'c', upstream: ['b'] },
    );
    expect(run.lastTypes).toEqual(['RunStarted', 'TaskSucceeded', 'TaskSucceeded', 'TaskScheduled']);
    expect(run.instance('a')).toMatchObject({ state: 'success', tryNumber: 1, leg: 1, open: false });
    run.clear('a');
    expect(run.instance('a')).toMatchObject({ state: 'success', tryNumber: 2 });
  });

  it('come after earlier skips of the same pass in the history', () => {
    const run = started(
      { id: 'a' },
      { id: 'b', upstream: ['a'] },
      { id: 'c', upstream: ['b'], triggerRule: 'all_skipped', runs: 'empty' },
    );
    run.finish('a', 'skip');
    expect(run.lastTypes.slice(2)).toEqual(['TaskSkipped', 'TaskSkipped', 'TaskSucceeded', 'RunSucceeded']);
  });

  it('go on after a pause though no more attempts may be published', () => {
    const definition = dagDefinition({
      tasks: [{ id: 'a' }, { id: 'b', upstream: ['a'], runs: 'empty' }, { id: 'c' }, { id: 'd' }],
    });
    const run = RunHarness.started(definition, { window: 2 });
    run.pause(true);
    run.finish('a');
    expect(run.states).toMatchObject({ b: 'none' });
    run.window = 0;
    run.pause(false);
    expect(run.states).toEqual({ a: 'success', b: 'success', c: 'scheduled', d: 'none' });
  });

  it('wait while the DAG is paused', () => {
    const definition = dagDefinition({ tasks: [{ id: 'a', runs: 'empty' }] });
    const run = RunHarness.started(definition, { paused: true });
    expect(run.states).toEqual({ a: 'none' });
    expect(run.run.state).toBe('running');
    run.pause(false);
    expect(run.states).toEqual({ a: 'success' });
    expect(run.run.state).toBe('success');
  });
});

describe('latest_only', () => {
  const day = 86_400_000;
  const tasks: TaskSpec[] = [
    { id: 'latest', runs: 'latest_only' },
    { id: 'mail', upstream: ['latest'] },
    { id: 'far', upstream: ['mail'], triggerRule: 'all_done' },
  ];
  const timetable = { kind: 'cron_interval', expression: '0 0 * * *', timezone: 'UTC' } as const;
  const at = (now: number, runType: 'scheduled' | 'manual'): RunHarness => {
    const start = Date.UTC(2024, 0, 1);
    const dates = { logicalDate: start, dataInterval: [start, start + day] as const, runAfter: start + day };
    return RunHarness.started(dagDefinition({ tasks, timetable }), { now, runType, ...dates });
  };

  it('lets the latest run of the schedule on', () => {
    expect(at(Date.UTC(2024, 0, 2, 12), 'scheduled').states).toEqual({
      latest: 'success',
      mail: 'scheduled',
      far: 'none',
    });
  });

  it('skips what is directly after it in an older one', () => {
    expect(at(Date.UTC(2024, 0, 9), 'scheduled').states).toEqual({
      latest: 'success',
      mail: 'skipped',
      far: 'scheduled',
    });
  });

  it('never skips in a run by hand', () => {
    expect(at(Date.UTC(2024, 0, 9), 'manual').states).toMatchObject({ mail: 'scheduled' });
  });
});
