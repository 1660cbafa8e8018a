import { dagDefinition, RunHarness, type Outcome } from '@rondo/testing';

const failing =
  (failures: Readonly<Record<string, number>>) =>
  (taskId: string, { tryNumber }: { readonly tryNumber: number }): Outcome =>
    tryNumber <= (failures[taskId] ?? 0) ? 'fail' : 'success';

/** A cluster around a group that is retried: its setup and teardown are both outside. */
const around = dagDefinition({
  tasks: [
    { id: 'create', setup: true },
    { id: 'a', group: 'work', upstream: ['create'] },
    { id: 'b', group: 'work', upstream: ['a'] },
    { id: 'drop', teardown: true, upstream: ['create', 'b'] },
    { id: 'after', upstream: ['b'] },
  ],
  groups: [{ groupId: 'work', retries: 1, retryDelayMs: 0 }],
});

describe('a group that is retried between a setup and its teardown', () => {
  it('uses the setup again, and the teardown runs once, after its last try', () => {
    const run = RunHarness.started(around);
    run.work(failing({ b: 1 }));
    expect(run.published.filter((id) => id === 'create' || id === 'drop')).toEqual(['create', 'drop']);
    expect(run.published.indexOf('drop')).toBeGreaterThan(run.published.lastIndexOf('b'));
    expect(run.run.state).toBe('success');
  });

  it('lets the teardown run when its last try has failed too', () => {
    const run = RunHarness.started(around);
    run.work(failing({ b: 9 }));
    expect(run.states).toMatchObject({ b: 'failed', drop: 'success', after: 'upstream_failed' });
    expect(run.run.state).toBe('failed');
  });

  it('does not run when its setup has failed, and is not tried again for that', () => {
    const run = RunHarness.started(around);
    run.work(failing({ create: 1 }));
    expect(run.published).toEqual(['create']);
    expect(run.states).toMatchObject({ a: 'upstream_failed', drop: 'upstream_failed' });
  });
});

describe('a setup in a group that is retried', () => {
  const inside = dagDefinition({
    tasks: [
      { id: 'create', group: 'g', setup: true },
      { id: 'work', group: 'g', upstream: ['create'] },
      { id: 'deep', upstream: ['work'] },
      { id: 'deeper', upstream: ['deep'] },
    ],
    groups: [{ groupId: 'g', retries: 1, retryDelayMs: 0 }],
  });

  it('fails what works under it further down only when its last try has failed', () => {
    const run = RunHarness.started(inside);
    run.finish('create', 'fail');
    expect(run.states).toEqual({ create: 'scheduled', work: 'none', deep: 'none', deeper: 'none' });
    run.work();
    expect(run.states).toMatchObject({ deeper: 'success' });
    const last = RunHarness.started(inside);
    last.work(failing({ create: 9 }));
    expect(last.states).toMatchObject({ work: 'upstream_failed', deep: 'upstream_failed', deeper: 'upstream_failed' });
  });

  it('counts as succeeded further down where the fallback of its group stands for it', () => {
    const run = RunHarness.started({
      ...inside,
      tasks: [...inside.tasks, { ...inside.tasks[3]!, taskId: 'stored', upstream: ['work'] }],
      groups: [{ groupId: 'g', fallback: 'stored' }],
    });
    run.work(failing({ create: 9 }));
    expect(run.states).toMatchObject({ create: 'failed', stored: 'success', deep: 'success', deeper: 'success' });
    expect(run.run.state).toBe('success');
  });
});
