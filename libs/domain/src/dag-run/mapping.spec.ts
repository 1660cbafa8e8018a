import { dagDefinition, RunHarness, viewOf, type TaskSpec } from '@rondo/testing';
import type { AttemptOutcome, Expansion, GroupDefinition, LengthExpr } from '../index.ts';

const literal = (length: number): LengthExpr => ({ kind: 'literal', length });
const output = (taskId: string): LengthExpr => ({ kind: 'output', taskId, path: [] });
const over = (...lengths: LengthExpr[]): Expansion => ({
  kind: 'product',
  over: lengths.map((length, i) => ({ name: `a${i}`, length })),
});
const returns = (length: number): AttemptOutcome => ({
  kind: 'success',
  xcoms: { return_value: { value: [] } },
  lengths: { '[]': length },
});
const value: AttemptOutcome = { kind: 'success', xcoms: { return_value: { value: 1 } } };

function start(tasks: readonly TaskSpec[], groups: readonly GroupDefinition[] = [], window?: number): RunHarness {
  const definition = dagDefinition({ tasks, groups, maxActiveTasks: 1_000 });
  return RunHarness.started(definition, window === undefined ? {} : { window });
}

/** What is folded anew is what is in memory, and decides nothing more. */
function check(run: RunHarness): void {
  const back = new RunHarness(run.plan.definition, { now: run.now, history: run.history });
  expect(viewOf(back.run)).toEqual(viewOf(run.run));
  back.decide(() => undefined);
  expect(back.last).toEqual([]);
}

describe('a mapped task', () => {
  it('over literals is mapped when the run starts, by one event', () => {
    const run = start([{ id: 'a', expand: over(literal(2), literal(3)) }]);
    expect(run.dataOf('TaskMapped')).toEqual({ at: run.now, scope: 'a', mapIndex: [], length: 6 });
    expect(Object.keys(run.states)).toEqual(['a[0]', 'a[1]', 'a[2]', 'a[3]', 'a[4]', 'a[5]']);
    expect(run.work().run.state).toBe('success');
    check(run);
  });

  it('over an output stays one instance until that is there, and is 0, 1, … then', () => {
    const run = start([
      { id: 'u' },
      { id: 'a', upstream: ['u'], expand: over(output('u')) },
      { id: 'z', upstream: ['a'] },
    ]);
    expect(run.states).toEqual({ u: 'scheduled', a: 'none', z: 'none' });
    run.finish('u', returns(3));
    expect(run.states).toEqual({
      u: 'success',
      'a[0]': 'scheduled',
      'a[1]': 'scheduled',
      'a[2]': 'scheduled',
      z: 'none',
    });
    run.finish('a[0]');
    run.finish('a[2]');
    check(run);
    run.finish('a[1]');
    expect(run.states['z']).toBe('scheduled');
    expect(run.work().run.state).toBe('success');
  });

  it('over nothing is skipped, and so is what comes after it; the run succeeds', () => {
    const run = start([
      { id: 'a', expand: over(literal(0)) },
      { id: 'b', upstream: ['a'], expand: over(literal(0)) },
      { id: 'c', upstream: ['b'] },
    ]);
    expect(run.states).toEqual({ a: 'skipped', b: 'skipped', c: 'skipped' });
    expect(run.run).toMatchObject({ state: 'success', unfinished: 0 });
  });

  it.each([
    ['fail', 'upstream_failed'],
    ['skip', 'skipped'],
  ] as const)('whose source came to %s is %s, whatever its trigger rule', (outcome, state) => {
    const run = start([
      { id: 'u' },
      { id: 'v' },
      { id: 'a', upstream: ['u', 'v'], triggerRule: 'all_done', expand: over(output('u'), output('v')) },
    ]);
    run.finish('u', outcome);
    expect(run.states['a']).toBe(state);
  });

  it('measures zip, its longest, and concat', () => {
    const sources = [output('u'), output('v')];
    const run = start([
      { id: 'u' },
      { id: 'v' },
      { id: 'zip', upstream: ['u', 'v'], expand: over({ kind: 'zip', of: sources }) },
      { id: 'fill', upstream: ['u', 'v'], expand: over({ kind: 'zip', of: sources, longest: true }) },
      { id: 'cat', upstream: ['u', 'v'], expand: over({ kind: 'concat', of: sources }) },
    ]);
    run.finish('u', returns(2));
    run.finish('v', returns(3));
    const lengths = Object.fromEntries(
      run.history.flatMap((e) => (e.type === 'TaskMapped' ? [[e.data.scope, e.data.length]] : [])),
    );
    expect(lengths).toEqual({ zip: 2, fill: 3, cat: 5 });
  });

  it('over a mapped task has an instance for each value that was returned', () => {
    const run = start([
      { id: 'u', expand: over(literal(4)) },
      { id: 'a', upstream: ['u'], triggerRule: 'all_done', expand: over(output('u')) },
    ]);
    run.finish('u[0]', value);
    run.finish('u[3]', 'fail');
    run.finish('u[1]', 'skip');
    expect(run.states['a']).toBe('none');
    run.finish('u[2]', value);
    expect(Object.keys(run.states).filter((name) => name.startsWith('a'))).toEqual(['a[0]', 'a[1]']);
    check(run);
  });

  it('takes one look of its upstream for all instances: a failure is one event', () => {
    const run = start([
      { id: 'u', expand: over(literal(50)) },
      { id: 'a', upstream: ['u'], expand: over(literal(50)) },
    ]);
    run.finish('u[7]', 'fail');
    expect(run.dataOf('TaskUpstreamFailed').instances).toEqual([{ taskId: 'a', mapIndex: [0], to: 49 }]);
  });

  it('that is too long fails the task that returned it, or itself where lengths multiply', () => {
    const run = start([
      { id: 'u' },
      { id: 'a', upstream: ['u'], expand: over(output('u')) },
      { id: 'b', expand: over(literal(400), literal(300)) },
    ]);
    expect(run.states['b']).toBe('failed');
    expect(run.dataOf('TaskMarked')).toMatchObject({
      reason: 'mapped 120000 times; allowed are 100000 (maxMapLength)',
    });
    run.finish('u', returns(100_001));
    expect(run.states).toMatchObject({ u: 'failed', a: 'upstream_failed' });
  });

  it('whose source was marked as a success without a value is mapped over nothing', () => {
    const run = start([{ id: 'u' }, { id: 'a', upstream: ['u'], expand: over(output('u')) }]);
    run.mark('u', 'success');
    expect(run.states).toEqual({ u: 'success', a: 'skipped' });
  });

  it('carries what was set about it before it was mapped', () => {
    const run = start([{ id: 'u' }, { id: 'a', upstream: ['u'], expand: over(output('u')) }]);
    run.decide((d) => d.emit({ type: 'TaskHeld', data: { at: run.now, instances: [{ taskId: 'a', mapIndex: [] }] } }));
    run.finish('u', returns(2));
    expect(run.run).toMatchObject({ holds: 2, state: 'running' });
    expect(run.published).toEqual(['u']);
    check(run);
  });
});

describe('a source that comes to another length', () => {
  const chain = (): RunHarness => {
    const run = start([
      { id: 'u' },
      { id: 'a', upstream: ['u'], expand: over(output('u')) },
      { id: 'z', upstream: ['a'] },
    ]);
    run.finish('u', returns(3));
    run.work();
    return run;
  };

  it('shorter: those beyond it are removed, the others keep their states', () => {
    const run = chain();
    run.clear('u');
    run.resume();
    run.finish('u', returns(1));
    expect(run.states).toEqual({ u: 'success', 'a[0]': 'success', 'a[1]': 'removed', 'a[2]': 'removed', z: 'success' });
    expect(run.run.state).toBe('success');
    check(run);
  });

  it('shorter: what comes after does not wait for those that were removed', () => {
    const run = chain();
    run.clear('u', 'z');
    run.resume();
    run.finish('u', returns(1));
    expect(run.states).toMatchObject({ 'a[0]': 'success', 'a[1]': 'removed', z: 'scheduled' });
    expect(run.work().run.state).toBe('success');
    check(run);
  });

  it('longer: what is missing is made, what was removed comes back', () => {
    const run = chain();
    run.clear('u');
    run.resume();
    run.finish('u', returns(1));
    run.clear('u', 'z');
    run.resume();
    run.finish('u', returns(4));
    expect(run.states).toEqual({
      u: 'success',
      'a[0]': 'success',
      'a[1]': 'scheduled',
      'a[2]': 'scheduled',
      'a[3]': 'scheduled',
      z: 'scheduled',
    });
    check(run);
    expect(run.work().run.state).toBe('success');
  });

  it('nothing: what waited is skipped, and goes on when there is something again', () => {
    const run = chain();
    run.clearSelection({});
    run.resume();
    run.finish('u', returns(0));
    expect(run.states).toEqual({ u: 'success', 'a[0]': 'skipped', 'a[1]': 'removed', 'a[2]': 'removed', z: 'skipped' });
    expect(run.run.state).toBe('success');
    check(run);
    run.clearSelection({ taskIds: ['u'], includeDownstream: true });
    run.resume();
    run.finish('u', returns(2));
    expect(run.states).toMatchObject({ 'a[0]': 'scheduled', 'a[1]': 'scheduled', 'a[2]': 'removed', z: 'none' });
    check(run);
  });

  it('removes one that runs: its attempt is over without a trace', () => {
    const run = start([{ id: 'u' }, { id: 'a', upstream: ['u'], expand: over(output('u')) }]);
    run.finish('u', returns(2));
    run.startedOn('a[1]');
    run.clear('u');
    run.finish('u', returns(1));
    expect(run.states).toMatchObject({ 'a[1]': 'removed' });
    run.finish('a[1]');
    expect(run.lastTypes).toEqual(['TaskAttemptClosed']);
    check(run);
  });
});

describe('a mapped group', () => {
  const group = (expand: Expansion): GroupDefinition[] => [{ groupId: 'g', expand }];
  const inGroup: readonly TaskSpec[] = [
    { id: 'u' },
    { id: 'g.a', group: 'g', upstream: ['u'] },
    { id: 'g.b', group: 'g', upstream: ['g.a'] },
    { id: 'z', upstream: ['g.b'], triggerRule: 'all_done' },
  ];

  it('goes through its tasks index by index; outside all are counted', () => {
    const run = start(inGroup, group(over(output('u'))));
    run.finish('u', returns(2));
    expect(run.history.filter((e) => e.type === 'TaskMapped')).toHaveLength(1);
    run.finish('g.a[0]');
    expect(run.states).toMatchObject({ 'g.a[1]': 'scheduled', 'g.b[0]': 'scheduled', 'g.b[1]': 'none', z: 'none' });
    run.finish('g.a[1]', 'fail');
    expect(run.states).toMatchObject({ 'g.b[0]': 'scheduled', 'g.b[1]': 'upstream_failed', z: 'none' });
    run.finish('g.b[0]');
    expect(run.states).toMatchObject({ z: 'scheduled' });
    check(run);
  });

  it('over nothing skips all that is in it', () => {
    const run = start(inGroup, group(over(output('u'))));
    run.finish('u', returns(0));
    expect(run.states).toMatchObject({ 'g.a': 'skipped', 'g.b': 'skipped', z: 'scheduled' });
  });

  it('has setup, work and teardown for each index', () => {
    const run = start(
      [
        { id: 'g.s', group: 'g', setup: true },
        { id: 'g.w', group: 'g', upstream: ['g.s'] },
        { id: 'g.t', group: 'g', upstream: ['g.w', 'g.s'], teardown: true },
      ],
      group(over(literal(3))),
    );
    run.finish('g.s[0]');
    run.finish('g.s[1]', 'fail');
    run.finish('g.s[2]', 'skip');
    run.work();
    expect(run.states).toEqual({
      'g.s[0]': 'success',
      'g.s[1]': 'failed',
      'g.s[2]': 'skipped',
      'g.w[0]': 'success',
      'g.w[1]': 'upstream_failed',
      'g.w[2]': 'skipped',
      'g.t[0]': 'success',
      'g.t[1]': 'upstream_failed',
      'g.t[2]': 'skipped',
    });
  });

  it('branches for the index that decided', () => {
    const run = start(
      [
        { id: 'g.c', group: 'g' },
        { id: 'g.x', group: 'g', upstream: ['g.c'] },
        { id: 'g.y', group: 'g', upstream: ['g.c'] },
      ],
      group(over(literal(2))),
    );
    run.finish('g.c[0]', { branch: ['g.x'] });
    run.finish('g.c[1]', { branch: ['g.y'] });
    expect(run.states).toMatchObject({
      'g.x[0]': 'scheduled',
      'g.x[1]': 'skipped',
      'g.y[0]': 'skipped',
      'g.y[1]': 'scheduled',
    });
    check(run);
  });

  it('is cleared by index, what follows inside with it', () => {
    const run = start(inGroup, group(over(output('u'))));
    run.finish('u', returns(3));
    run.work();
    run.clearSelection({ taskIds: ['g.a'], mapIndex: '1', includeDownstream: true });
    expect(run.dataOf('TaskCleared').instances).toEqual([
      { taskId: 'g.a', mapIndex: [1] },
      { taskId: 'g.b', mapIndex: [1] },
      { taskId: 'z', mapIndex: [] },
    ]);
  });

  it('with a rule that does not wait for the rest looks at every index of its group (§2)', () => {
    const run = start(
      [
        { id: 'g.a', group: 'g' },
        { id: 'g.b', group: 'g', upstream: ['g.a'], triggerRule: 'one_success' },
      ],
      group(over(literal(2))),
    );
    run.finish('g.a[0]');
    expect(run.states).toMatchObject({ 'g.b[0]': 'scheduled', 'g.b[1]': 'scheduled' });
  });
});

describe('mapping inside of mapping', () => {
  const groups: GroupDefinition[] = [
    { groupId: 'g', expand: over(output('u')) },
    { groupId: 'g.h', parent: 'g', expand: over(output('g.v')) },
  ];
  const tasks: readonly TaskSpec[] = [
    { id: 'u' },
    { id: 'g.v', group: 'g', upstream: ['u'] },
    { id: 'g.h.a', group: 'g.h', upstream: ['g.v'], expand: over(output('g.v'), literal(2)) },
    { id: 'g.h.b', group: 'g.h', upstream: ['g.h.a'] },
    { id: 'g.c', group: 'g', upstream: ['g.h.b'] },
    { id: 'z', upstream: ['g.c'] },
  ];

  it('gives each level an element of the map index', () => {
    const run = start(tasks, groups);
    run.finish('u', returns(2));
    run.finish('g.v[0]', returns(1));
    expect(run.states).toMatchObject({
      'g.v[1]': 'scheduled',
      'g.h.a[0.0.0]': 'scheduled',
      'g.h.a[0.0.1]': 'scheduled',
    });
    expect(run.states).toMatchObject({ 'g.h.a[1]': 'none', 'g.h.b[0.0]': 'none', 'g.h.b[1]': 'none' });
    run.finish('g.v[1]', returns(2));
    check(run);
    run.finish('g.h.a[1.1.0]');
    run.finish('g.h.a[1.1.1]');
    expect(run.states).toMatchObject({ 'g.h.b[1.1]': 'none' });
    run.finish('g.h.a[1.1.2]');
    run.finish('g.h.a[1.1.3]');
    expect(run.states).toMatchObject({ 'g.h.b[1.1]': 'scheduled', 'g.h.b[1.0]': 'none', 'g.c[1]': 'none' });
    expect(run.work().run.state).toBe('success');
    expect(run.states).toMatchObject({ 'g.c[0]': 'success', 'g.c[1]': 'success', z: 'success' });
    check(run);
  });

  it('fails inside of its own index', () => {
    const run = start(tasks, groups);
    run.finish('u', returns(2));
    run.finish('g.v[0]', 'fail');
    run.finish('g.v[1]', returns(1));
    expect(run.states).toMatchObject({
      'g.h.a[0]': 'upstream_failed',
      'g.h.b[0]': 'upstream_failed',
      'g.c[0]': 'upstream_failed',
    });
    run.work();
    expect(run.states).toMatchObject({ 'g.c[1]': 'success', z: 'upstream_failed' });
    check(run);
  });

  it('of an outer group that grows maps what is new as well', () => {
    const run = start(tasks, groups);
    run.finish('u', returns(1));
    run.finish('g.v[0]', returns(1));
    run.clear('u');
    run.finish('u', returns(2));
    run.finish('g.v[1]', returns(1));
    expect(run.states).toMatchObject({ 'g.h.a[1.0.0]': 'scheduled', 'g.h.b[1.0]': 'none' });
    check(run);
    expect(run.work().run.state).toBe('success');
  });
});
