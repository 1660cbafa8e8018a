import { dagDefinition, HARNESS_START, RunHarness, type DagSpec, type Outcome } from '@rondo/testing';

const MINUTE = 60_000;
const chain = (change: Partial<DagSpec> = {}) =>
  dagDefinition({
    tasks: [{ id: 'a' }, { id: 'b', upstream: ['a'] }, { id: 'c', upstream: ['b'] }, { id: 'apart' }],
    runRetries: 2,
    runRetryDelayMs: MINUTE,
    ...change,
  });

const failing =
  (failures: Readonly<Record<string, number>>): ((taskId: string, attempt: { tryNumber: number }) => Outcome) =>
  (taskId, { tryNumber }) =>
    tryNumber <= (failures[taskId] ?? 0) ? 'fail' : 'success';

describe('a run that is tried again', () => {
  it('clears what failed and what comes after it, and goes on after its delay', () => {
    const run = RunHarness.started(chain());
    run.work((taskId, { tryNumber }) => (taskId === 'b' && tryNumber === 1 ? 'fail' : 'success'));
    expect(run.dataOf('RunRetried')).toEqual({
      at: HARNESS_START,
      tryNumber: 2,
      retryAt: HARNESS_START + MINUTE,
      reason: 'task_failure',
      instances: [
        { taskId: 'b', mapIndex: [] },
        { taskId: 'c', mapIndex: [] },
      ],
    });
    expect(run.published).toEqual(['a', 'apart', 'b', 'b', 'c']);
    expect(run.history.filter((event) => event.type === 'RunFailed')).toEqual([]);
    expect(run.run).toMatchObject({ state: 'success', tryNumber: 2 });
  });

  it('fails after its last try', () => {
    const run = RunHarness.started(chain());
    run.work(failing({ b: 99 }));
    expect(run.published.filter((id) => id === 'b').length).toBe(3);
    expect(run.history.at(-1)).toMatchObject({ type: 'RunFailed', data: { reason: 'task_failure' } });
    expect(run.run.tryNumber).toBe(3);
  });

  it('ends at once where its rules leave nothing to do', () => {
    const tasks = [{ id: 'a' }, { id: 'b', upstream: ['a'] }];
    const run = RunHarness.started(dagDefinition({ tasks, runRetries: 1, runRetryDelayMs: MINUTE }));
    run.work((taskId) => (taskId === 'b' ? 'fail' : 'success'));
    expect(run.run.state).toBe('failed');
    run.clearSelection({ taskIds: ['a'], includeDownstream: false });
    run.resume();
    run.work(() => 'skip');
    expect(run.history.slice(-3).map(({ type }) => type)).toEqual(['RunRetried', 'TaskSkipped', 'RunSucceeded']);
    expect(run.states).toEqual({ a: 'skipped', b: 'skipped' });
  });

  it('clears everything where it says so', () => {
    const run = RunHarness.started(chain({ runRetryMode: 'all', runRetryDelayMs: 0 }));
    run.work(failing({ b: 1 }));
    expect(run.published).toEqual(['a', 'apart', 'b', 'a', 'apart', 'b', 'c']);
  });

  it('clears what handled the failure too, and setups with the work', () => {
    const run = RunHarness.started(
      chain({
        runRetryDelayMs: 0,
        tasks: [
          { id: 'create', setup: true },
          { id: 'work', upstream: ['create'] },
          { id: 'drop', upstream: ['work', 'create'], teardown: true },
          { id: 'alarm', upstream: ['work'], triggerRule: 'one_failed' },
          { id: 'after', upstream: ['work'] },
        ],
      }),
    );
    run.work(failing({ work: 1 }));
    expect(run.states).toEqual({
      create: 'success',
      work: 'success',
      drop: 'success',
      alarm: 'skipped',
      after: 'success',
    });
    expect(run.published.filter((id) => id === 'create').length).toBe(2);
  });

  it('gives tasks and groups their tries anew', () => {
    const run = RunHarness.started(
      chain({
        runRetries: 1,
        runRetryDelayMs: 0,
        tasks: [{ id: 'a', group: 'g', retries: 1, retryDelayMs: 0 }],
        groups: [{ groupId: 'g', retries: 1, retryDelayMs: 0 }],
      }),
    );
    run.work('fail');
    expect(run.published.length).toBe(8);
  });

  it('is tried again after a timeout, with a timeout of its own', () => {
    const run = RunHarness.started(chain({ dagrunTimeoutMs: 5 * MINUTE }));
    run.finish('apart');
    run.later(5 * MINUTE);
    expect(run.dataOf('RunRetried')).toMatchObject({ reason: 'timed_out', deadline: HARNESS_START + 11 * MINUTE });
    expect(run.states).toMatchObject({ a: 'restarting', apart: 'success' });
    run.finish('a');
    run.work();
    expect(run.run.state).toBe('success');
    expect(run.published.filter((id) => id === 'a').length).toBe(2);
  });

  it('brings back what fail-fast cut off', () => {
    const run = RunHarness.started(chain({ failFast: true, maxActiveTasks: 1, runRetryDelayMs: 0 }));
    run.work(failing({ a: 1 }));
    expect(run.states).toEqual({ a: 'success', b: 'success', c: 'success', apart: 'success' });
  });

  it('leaves a failure alone for which something stands', () => {
    const run = RunHarness.started(
      chain({
        runRetryDelayMs: 0,
        tasks: [
          { id: 'main', fallback: 'cached' },
          { id: 'cached', upstream: ['main'] },
          { id: 'other', retries: 0 },
        ],
      }),
    );
    run.work(failing({ main: 9, other: 1 }));
    expect(run.published.filter((id) => id === 'main').length).toBe(1);
    expect(run.run.state).toBe('success');
  });

  it('is not tried again for what a person decided', () => {
    const marked = RunHarness.started(chain());
    marked.mark('a', 'failed');
    marked.finish('a');
    marked.work();
    expect(marked.run).toMatchObject({ state: 'failed', tryNumber: 1 });
    const cancelled = RunHarness.started(chain());
    cancelled.markRun('failed', 'aborted');
    expect(cancelled.run).toMatchObject({ state: 'failed', tryNumber: 1 });
  });

  it('gets its tries back with a clear', () => {
    const run = RunHarness.started(chain({ runRetries: 1, runRetryDelayMs: 0 }));
    run.work(failing({ b: 99 }));
    expect(run.run.tryNumber).toBe(2);
    run.clear('b');
    run.resume();
    run.work(failing({ b: 99 }));
    expect(run.run).toMatchObject({ state: 'failed', tryNumber: 3 });
  });

  it('says which try it is at, and until when it waits', () => {
    const run = RunHarness.started(chain());
    run.finish('apart');
    run.finish('a', 'fail');
    const reasons = run.explain('a');
    expect(reasons).toContainEqual({ rule: 'run_state', passed: true, reason: 'the run is running, try 2 of 3' });
    expect(reasons).toContainEqual({
      rule: 'retry_period',
      passed: false,
      reason: 'waits until 2024-01-01T00:01:00.000Z',
    });
  });

  it('of mapped groups takes those indexes alone', () => {
    const run = RunHarness.started(
      chain({
        runRetryDelayMs: 0,
        tasks: [
          { id: 'x', group: 'each' },
          { id: 'y', group: 'each', upstream: ['x'] },
          { id: 'all', upstream: ['y'] },
        ],
        groups: [
          {
            groupId: 'each',
            expand: { kind: 'kwargs', over: [{ name: '', length: { kind: 'literal', length: 3 } }] },
          },
        ],
      }),
    );
    run.finish('x[1]', 'fail');
    run.work();
    expect(run.dataOf('RunRetried').instances).toEqual([
      { taskId: 'x', mapIndex: [1] },
      { taskId: 'y', mapIndex: [1] },
      { taskId: 'all', mapIndex: [] },
    ]);
    expect(run.run.state).toBe('success');
  });

  it('comes back from its history at every event', () => {
    const run = RunHarness.started(chain());
    run.work(failing({ b: 2 }));
    for (let length = 1; length < run.history.length; length++) {
      const back = new RunHarness(chain(), { history: run.history.slice(0, length), now: run.now });
      back.decide(() => undefined);
      back.work();
      expect([length, back.run.state]).toEqual([length, 'success']);
    }
  });
});
