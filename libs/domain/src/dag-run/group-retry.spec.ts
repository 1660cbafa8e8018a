import { dagDefinition, HARNESS_START, RunHarness, type DagSpec, type Outcome } from '@rondo/testing';
import type { DagDefinition } from '../dag/definition.ts';

const MINUTE = 60_000;

/** `load` is a group of extract and copy, with `retries`; report comes after it. */
const loading = (change: Partial<DagSpec> = {}, group: object = {}): DagDefinition =>
  dagDefinition({
    tasks: [
      { id: 'extract', group: 'load' },
      { id: 'copy', group: 'load', upstream: ['extract'] },
      { id: 'report', upstream: ['copy'] },
    ],
    groups: [{ groupId: 'load', retries: 2, retryDelayMs: MINUTE, ...group }],
    ...change,
  });

/** Fails the named tasks in the first tries. */
const failing =
  (failures: Readonly<Record<string, number>>): ((taskId: string, attempt: { tryNumber: number }) => Outcome) =>
  (taskId, { tryNumber }) =>
    tryNumber <= (failures[taskId] ?? 0) ? 'fail' : 'success';

describe('a group that is retried as a whole', () => {
  it('begins anew, all of it, when one of its tasks has failed for good', () => {
    const run = RunHarness.started(loading());
    run.finish('extract');
    run.finish('copy', 'fail');
    expect(run.lastTypes).toEqual(['TaskQueued', 'TaskStarted', 'TaskFailed', 'GroupRetried']);
    expect(run.dataOf('GroupRetried')).toEqual({
      at: HARNESS_START,
      groupId: 'load',
      mapIndex: [],
      tryNumber: 2,
      retryAt: HARNESS_START + MINUTE,
      failed: [{ taskId: 'copy', mapIndex: [] }],
      instances: [
        { taskId: 'extract', mapIndex: [] },
        { taskId: 'copy', mapIndex: [] },
      ],
    });
    expect(run.states).toEqual({ extract: 'none', copy: 'none', report: 'none' });
    run.work();
    expect(run.now).toBe(HARNESS_START + MINUTE);
    expect(run.published).toEqual(['extract', 'copy', 'extract', 'copy', 'report']);
    expect(run.run.state).toBe('success');
  });

  it('fails what comes after it only at its last try', () => {
    const run = RunHarness.started(loading());
    run.work(failing({ copy: 99 }));
    expect(run.published).toEqual(['extract', 'copy', 'extract', 'copy', 'extract', 'copy']);
    expect(run.states).toEqual({ extract: 'success', copy: 'failed', report: 'upstream_failed' });
    expect(run.run.state).toBe('failed');
  });

  it('uses up the tries of a task first, and gives them back', () => {
    const definition = loading({
      tasks: [
        { id: 'extract', group: 'load' },
        { id: 'copy', group: 'load', upstream: ['extract'], retries: 1 },
      ],
    });
    const run = RunHarness.started(definition);
    run.work(failing({ copy: 3 }));
    expect(run.published).toEqual(['extract', 'copy', 'copy', 'extract', 'copy', 'copy']);
    expect(run.run.state).toBe('success');
  });

  it('waits until nothing of it runs, teardowns included', () => {
    const run = RunHarness.started(
      loading({
        tasks: [
          { id: 'create', group: 'load', setup: true },
          { id: 'work', group: 'load', upstream: ['create'] },
          { id: 'other', group: 'load', upstream: ['create'] },
          { id: 'drop', group: 'load', upstream: ['work', 'other', 'create'], teardown: true },
          { id: 'report', upstream: ['work', 'other'] },
        ],
      }),
    );
    run.finish('create');
    run.finish('work', 'fail');
    expect(run.states).toMatchObject({ other: 'scheduled', report: 'none' });
    run.finish('other');
    expect(run.states).toMatchObject({ work: 'failed', drop: 'scheduled', report: 'none' });
    run.finish('drop');
    expect(run.lastTypes.at(-1)).toBe('GroupRetried');
    run.work();
    expect(run.published).toEqual(['create', 'work', 'other', 'drop', 'create', 'work', 'other', 'drop', 'report']);
  });

  it('is not failed by a teardown, unless that fails the run', () => {
    for (const onFailureFailDagrun of [false, true]) {
      const run = RunHarness.started(
        loading({
          tasks: [
            { id: 'create', group: 'load', setup: true },
            { id: 'drop', group: 'load', upstream: ['create'], teardown: true, onFailureFailDagrun },
          ],
        }),
      );
      run.work(failing({ drop: 1 }));
      expect(run.published.length).toBe(onFailureFailDagrun ? 4 : 2);
      expect(run.run.state).toBe('success');
    }
  });

  it('lets nothing outside start on what may be thrown away', () => {
    const run = RunHarness.started(
      loading({
        tasks: [
          { id: 'fast', group: 'load' },
          { id: 'slow', group: 'load' },
          { id: 'eager', upstream: ['fast', 'slow'], triggerRule: 'one_success' },
          { id: 'alarm', upstream: ['fast', 'slow'], triggerRule: 'one_failed' },
          { id: 'anyway', upstream: ['slow'], triggerRule: 'always' },
        ],
      }),
    );
    run.finish('fast');
    expect(run.states).toMatchObject({ eager: 'none', alarm: 'none', anyway: 'scheduled' });
    run.finish('slow', 'fail');
    expect(run.states).toMatchObject({ fast: 'none', eager: 'none', alarm: 'none' });
    run.work();
    expect(run.states).toMatchObject({ eager: 'success', alarm: 'skipped' });
    expect(run.published.filter((id) => id === 'eager')).toEqual(['eager']);
  });

  it('is not retried for what failed outside, or was marked failed', () => {
    const outside = RunHarness.started(
      loading({
        tasks: [{ id: 'before' }, { id: 'extract', group: 'load', upstream: ['before'] }],
      }),
    );
    outside.finish('before', 'fail');
    expect(outside.lastTypes).not.toContain('GroupRetried');
    expect(outside.run.state).toBe('failed');
    const marked = RunHarness.started(loading());
    marked.mark('extract', 'failed');
    marked.finish('extract');
    expect(marked.states).toEqual({ extract: 'failed', copy: 'upstream_failed', report: 'upstream_failed' });
  });

  it('gets its tries back when one of its tasks is cleared', () => {
    const run = RunHarness.started(loading({}, { retries: 1, retryDelayMs: 0 }));
    run.work(failing({ copy: 99 }));
    expect(run.published.length).toBe(4);
    run.clear('copy');
    run.resume();
    run.work(failing({ copy: 99 }));
    expect(run.dataOf('GroupRetried')).toMatchObject({ tryNumber: 3 });
    expect(run.published.slice(4)).toEqual(['copy', 'extract', 'copy']);
  });

  it('says what is waited for', () => {
    const run = RunHarness.started(loading());
    expect(run.explain('report')).toContainEqual({
      rule: 'group',
      passed: false,
      reason: "waits for the end of group 'load', try 1 of 3",
    });
    run.finish('extract', 'fail');
    expect(run.explain('extract')).toContainEqual({
      rule: 'retry_period',
      passed: false,
      reason: 'waits until 2024-01-01T00:01:00.000Z',
    });
    expect(run.explain('report')).toContainEqual(
      expect.objectContaining({ rule: 'group', reason: "waits for the end of group 'load', try 2 of 3" }),
    );
    run.work();
    expect(run.explain('report')).toContainEqual(expect.objectContaining({ rule: 'group', passed: true }));
  });

  it('comes back from its history at every event', () => {
    const run = RunHarness.started(loading());
    run.work(failing({ copy: 1, extract: 1 }));
    for (let length = 1; length < run.history.length; length++) {
      const back = new RunHarness(loading(), { history: run.history.slice(0, length), now: run.now });
      back.decide(() => undefined);
      back.work();
      expect([length, back.run.state]).toEqual([length, 'success']);
    }
  });
});

describe('groups in groups', () => {
  const nested = loading({
    tasks: [
      { id: 'a', group: 'outer' },
      { id: 'b', group: 'inner', upstream: ['a'] },
      { id: 'c', group: 'outer', upstream: ['b'] },
      { id: 'd', upstream: ['c'] },
    ],
    groups: [
      { groupId: 'outer', retries: 1, retryDelayMs: 0 },
      { groupId: 'inner', parent: 'outer', retries: 1, retryDelayMs: 0 },
    ],
  });

  it('are tried again inside first, and each outer try gives the inner ones anew', () => {
    const run = RunHarness.started(nested);
    run.work(failing({ b: 99 }));
    expect(run.published).toEqual(['a', 'b', 'b', 'a', 'b', 'b']);
    expect(run.states).toEqual({ a: 'success', b: 'failed', c: 'upstream_failed', d: 'upstream_failed' });
  });

  it('let only what is outside of both wait for both', () => {
    const run = RunHarness.started(nested);
    run.work(failing({ b: 1, c: 1 }));
    expect(run.published).toEqual(['a', 'b', 'b', 'c', 'a', 'b', 'c', 'd']);
  });
});

describe('a mapped group', () => {
  it('is tried again index by index, and what is outside waits for all of them', () => {
    const run = RunHarness.started(
      dagDefinition({
        tasks: [
          { id: 'x', group: 'each' },
          { id: 'y', group: 'each', upstream: ['x'] },
          { id: 'all', upstream: ['y'] },
        ],
        groups: [
          {
            groupId: 'each',
            retries: 1,
            retryDelayMs: 0,
            expand: { kind: 'kwargs', over: [{ name: '', length: { kind: 'literal', length: 3 } }] },
          },
        ],
      }),
    );
    for (const index of [0, 1, 2]) run.finish(`x[${index}]`);
    run.finish('y[0]');
    run.finish('y[1]', 'fail');
    expect(run.dataOf('GroupRetried')).toMatchObject({
      mapIndex: [1],
      instances: [
        { taskId: 'x', mapIndex: [1] },
        { taskId: 'y', mapIndex: [1] },
      ],
    });
    expect(run.states).toMatchObject({ 'x[0]': 'success', 'x[1]': 'scheduled', 'y[2]': 'scheduled', all: 'none' });
    run.finish('x[1]');
    run.finish('y[1]', 'fail');
    expect(run.states).toMatchObject({ 'y[1]': 'failed', all: 'none' });
    run.finish('y[2]');
    expect(run.states).toMatchObject({ all: 'upstream_failed' });
    expect(run.run.state).toBe('failed');
  });
});

describe('failFast', () => {
  it('does not end a run for a failure that its group is tried again for', () => {
    const run = RunHarness.started({ ...loading(), failFast: true });
    run.finish('extract', 'fail');
    expect(run.states).toMatchObject({ extract: 'none', report: 'none' });
    run.work(failing({ extract: 2 }));
    expect(run.run.state).toBe('success');
    const last = RunHarness.started({ ...loading({}, { retries: 0 }), failFast: true });
    last.finish('extract', 'fail');
    expect(last.run.state).toBe('failed');
  });
});
