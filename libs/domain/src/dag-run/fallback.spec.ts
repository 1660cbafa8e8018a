import { dagDefinition, RunHarness, type Outcome, type TaskSpec } from '@rondo/testing';

const main: TaskSpec = { id: 'main', fallback: 'cached' };
const pair = (change: Partial<TaskSpec> = {}, more: readonly TaskSpec[] = [{ id: 'after', upstream: ['main'] }]) =>
  dagDefinition({ tasks: [{ ...main, ...change }, { id: 'cached', upstream: ['main'] }, ...more] });

const coming =
  (outcomes: Readonly<Record<string, Outcome>>): ((taskId: string) => Outcome) =>
  (taskId) =>
    outcomes[taskId] ?? 'success';

const ends = (
  definition: ReturnType<typeof pair>,
  outcomes: Readonly<Record<string, Outcome>>,
): Readonly<Record<string, string>> => {
  const run = RunHarness.started(definition);
  run.work(coming(outcomes));
  return { ...run.states, run: run.run.state };
};

describe('a fallback', () => {
  it('is skipped when what it stands for succeeds or is skipped', () => {
    expect(ends(pair(), {})).toEqual({ main: 'success', cached: 'skipped', after: 'success', run: 'success' });
    expect(ends(pair(), { main: 'skip' })).toEqual({
      main: 'skipped',
      cached: 'skipped',
      after: 'skipped',
      run: 'success',
    });
  });

  it('runs when it has failed for good, and its success counts for what comes after', () => {
    const run = RunHarness.started(pair({ retries: 1, retryDelayMs: 1 }));
    run.finish('main', 'fail');
    expect(run.states).toMatchObject({ main: 'up_for_retry', cached: 'none' });
    run.later(1);
    run.finish('main', 'fail');
    expect(run.states).toEqual({ main: 'failed', cached: 'scheduled', after: 'none' });
    run.finish('cached');
    expect(run.states).toEqual({ main: 'failed', cached: 'success', after: 'scheduled' });
    run.work();
    expect(run.run.state).toBe('success');
  });

  it('does not hide a failure by failing, skipping itself, or failing where nothing comes after', () => {
    const failed = { main: 'failed', after: 'upstream_failed', run: 'failed' };
    expect(ends(pair(), { main: 'fail', cached: 'fail' })).toEqual({ ...failed, cached: 'failed' });
    expect(ends(pair(), { main: 'fail', cached: 'skip' })).toEqual({ ...failed, cached: 'skipped' });
    expect(ends(pair({}, []), { main: 'fail', cached: 'fail' })).toMatchObject({ run: 'failed' });
    expect(ends(pair({}, []), { main: 'fail' })).toMatchObject({ run: 'success' });
  });

  it('runs also when what it stands for could not run', () => {
    expect(
      ends(pair({ upstream: ['before'] }, [{ id: 'before' }, { id: 'after', upstream: ['main'] }]), { before: 'fail' }),
    ).toEqual({ before: 'failed', main: 'upstream_failed', cached: 'success', after: 'success', run: 'success' });
  });

  it('counts as a success for every trigger rule', () => {
    const rules = ['all_success', 'one_success', 'none_failed', 'all_done'] as const;
    const never = ['all_failed', 'one_failed', 'all_skipped'] as const;
    const more = [...rules, ...never].map((rule) => ({ id: rule, upstream: ['main'], triggerRule: rule }));
    const states = ends(pair({}, more), { main: 'fail' });
    for (const rule of rules) expect([rule, states[rule]]).toEqual([rule, 'success']);
    for (const rule of never) expect([rule, states[rule]]).toEqual([rule, 'skipped']);
  });

  it('of its own, one after the other', () => {
    const chain = dagDefinition({
      tasks: [
        { id: 'main', fallback: 'second' },
        { id: 'second', upstream: ['main'], fallback: 'third' },
        { id: 'third', upstream: ['second'] },
        { id: 'after', upstream: ['main'] },
      ],
    });
    expect(ends(chain, { main: 'fail' })).toMatchObject({ second: 'success', third: 'skipped', after: 'success' });
    expect(ends(chain, { main: 'fail', second: 'fail' })).toMatchObject({ third: 'success', after: 'success' });
    expect(ends(chain, { main: 'fail', second: 'fail', third: 'fail' })).toMatchObject({ after: 'upstream_failed' });
    expect(ends(chain, {})).toMatchObject({ second: 'skipped', third: 'skipped' });
  });

  it('keeps a run with failFast going', () => {
    expect(ends({ ...pair(), failFast: true }, { main: 'fail' })).toMatchObject({ after: 'success', run: 'success' });
    expect(
      ends(
        {
          ...pair({}, [
            { id: 'after', upstream: ['main'] },
            { id: 'late', upstream: ['after'] },
          ]),
          failFast: true,
        },
        {
          main: 'fail',
          cached: 'fail',
        },
      ),
    ).toMatchObject({ run: 'failed' });
  });
});

describe('clears and marks', () => {
  it('clear a fallback with what it stands for', () => {
    const run = RunHarness.started(pair());
    run.work();
    run.clear('main');
    expect(run.states).toEqual({ main: 'none', cached: 'none', after: 'success' });
    run.resume();
    run.work(coming({ main: 'fail' }));
    expect(run.states).toEqual({ main: 'failed', cached: 'success', after: 'success' });
    expect(run.run.state).toBe('success');
  });

  it('of the fallback alone let it run again while the failure stands', () => {
    const run = RunHarness.started(pair({}, []));
    run.work(coming({ main: 'fail' }));
    run.clear('cached');
    run.resume();
    run.work(coming({ cached: 'fail' }));
    expect(run.run.state).toBe('failed');
    expect(run.replay().blocks.stoodLeaves).toBe(0);
  });

  it('set the outcome by hand', () => {
    const run = RunHarness.started(pair());
    run.mark('main', 'failed');
    run.finish('main');
    expect(run.states).toMatchObject({ main: 'failed', cached: 'scheduled' });
    run.mark('main', 'success');
    expect(run.states).toMatchObject({ main: 'success', after: 'scheduled' });
  });
});

describe('a group and its fallback', () => {
  const groups = [{ groupId: 'live', retries: 1, retryDelayMs: 0, fallback: 'stored' }, { groupId: 'stored' }];
  const definition = dagDefinition({
    groups,
    tasks: [
      { id: 'live.read', group: 'live' },
      { id: 'live.load', group: 'live', upstream: ['live.read'] },
      { id: 'stored.open', group: 'stored', upstream: ['live.load'] },
      { id: 'stored.load', group: 'stored', upstream: ['stored.open'] },
      { id: 'stored.note', group: 'stored', upstream: ['stored.open'], triggerRule: 'all_done' },
      { id: 'after', upstream: ['live.load'] },
    ],
  });

  it('skips all of the fallback, whatever its trigger rules, when the group succeeds', () => {
    expect(ends(definition, {})).toMatchObject({
      'live.load': 'success',
      'stored.open': 'skipped',
      'stored.load': 'skipped',
      'stored.note': 'skipped',
      after: 'success',
      run: 'success',
    });
  });

  it('tries the group again before the fallback runs', () => {
    const run = RunHarness.started(definition);
    run.work(coming({ 'live.load': 'fail' }));
    expect(run.published).toEqual([
      ...['live.read', 'live.load', 'live.read', 'live.load'],
      ...['stored.open', 'stored.load', 'stored.note', 'after'],
    ]);
    expect(run.states).toMatchObject({ 'live.load': 'failed', after: 'success' });
    expect(run.run.state).toBe('success');
    expect(run.plan.blocks[0]!.fallback!.values).toEqual(new Map([[1, 3]]));
  });

  it('says what is waited for', () => {
    const run = RunHarness.started(definition);
    expect(run.explain('stored.note')).toContainEqual({
      rule: 'fallback',
      passed: false,
      reason: "runs only if group 'live' fails, which has not ended",
    });
    run.work(coming({ 'live.read': 'fail' }));
    expect(run.explain('stored.note')).toContainEqual(
      expect.objectContaining({ rule: 'fallback', passed: true, reason: "group 'live' has failed" }),
    );
  });
});

describe('a fallback in a mapped group', () => {
  it('stands for its own index', () => {
    const run = RunHarness.started(
      dagDefinition({
        tasks: [
          { id: 'main', group: 'each', fallback: 'cached' },
          { id: 'cached', group: 'each', upstream: ['main'] },
          { id: 'next', group: 'each', upstream: ['main'] },
          { id: 'all', upstream: ['next'] },
        ],
        groups: [
          {
            groupId: 'each',
            expand: { kind: 'kwargs', over: [{ name: '', length: { kind: 'literal', length: 2 } }] },
          },
        ],
      }),
    );
    run.finish('main[0]', 'fail');
    run.finish('main[1]');
    expect(run.states).toMatchObject({ 'cached[0]': 'scheduled', 'cached[1]': 'skipped', 'next[1]': 'scheduled' });
    run.work();
    expect(run.states).toMatchObject({ 'next[0]': 'success', all: 'success' });
    expect(run.run.state).toBe('success');
  });
});
