import { aDefinition, aTask, RunHarness, viewOf } from '@rondo/testing';
import type { DagDefinition, TaskDefinition } from '../dag/definition.ts';
import type { AttemptOutcome, WaitFor } from '../task-instance/index.ts';
import { nextWake } from './advance.ts';

type Defer = Extract<AttemptOutcome, { kind: 'defer' }>;
const EVENT: Defer['wait'] = { kind: 'event', eventType: 'paid', lookBackFrom: 0 };
const defer = (change: Partial<Defer> = {}): Defer => ({ kind: 'defer', wait: EVENT, ...change });

/** A run whose task `a` waits; `b` comes after it. */
function waiting(
  change: Partial<Defer> = {},
  task: Partial<TaskDefinition> = {},
  dag: Partial<DagDefinition> = {},
): RunHarness {
  const run = RunHarness.started(aDefinition('d', [aTask('a', task), aTask('b', { upstream: ['a'] })], dag));
  run.finish('a', defer(change));
  return run;
}

/** The same run as a restarted scheduler has it: whatever is derived is derived again. */
function restarted(run: RunHarness): RunHarness {
  const back = new RunHarness(run.plan.definition, { now: run.now, history: run.history });
  expect(viewOf(back.run)).toEqual(viewOf(run.run));
  return back;
}

describe('a try that waits', () => {
  it('is deferred, holds no place of the run, and is no deadlock', () => {
    const run = waiting({}, {}, { maxActiveTasks: 1 });
    expect(run.states).toEqual({ a: 'deferred', b: 'none' });
    expect(run.run).toMatchObject({ active: 0, open: 0, waiting: 1, state: 'running' });
    expect(run.dataOf('TaskDeferred')).toMatchObject({ waitFor: EVENT, tryNumber: 1, leg: 1 });
    expect(nextWake({ run: run.run })).toBeUndefined();
  });

  it('makes place for others of the run', () => {
    const run = RunHarness.started(aDefinition('d', [aTask('a'), aTask('b')]), { window: 1 });
    run.finish('a', defer());
    expect(run.states).toEqual({ a: 'deferred', b: 'scheduled' });
  });

  it('succeeds with what it is met with', () => {
    const run = waiting();
    run.waited('a', { kind: 'met', payload: { value: 7 }, consumed: 12 });
    expect(run.dataOf('TaskSucceeded')).toMatchObject({ xcoms: { return_value: { value: 7 } }, consumed: 12 });
    expect(run.states).toEqual({ a: 'success', b: 'scheduled' });
    expect(run.instance('a').waitFor).toBeUndefined();
  });

  it('goes on as the next leg of the same try where it is to be resumed', () => {
    const run = waiting({ resume: 'next' });
    run.waited('a', { kind: 'met', payload: { value: 7 }, consumed: 12 });
    expect(run.lastTypes).toEqual(['TaskResumed', 'TaskScheduled']);
    expect(run.instance('a')).toMatchObject({ state: 'scheduled', tryNumber: 1, leg: 2 });
    expect(run.instance('a').deferral).toEqual({ resume: 'next', payload: { value: 7 }, consumed: 12 });
    restarted(run).finish('a');
  });

  it('succeeds at once, with all that was pushed, when the answer ends the task', () => {
    const run = waiting({ resume: 'next' });
    run.waited('a', { kind: 'met', ends: true, payload: { value: 7 }, xcoms: { seen: { value: true } } });
    expect(run.dataOf('TaskSucceeded')).toMatchObject({
      xcoms: { return_value: { value: 7 }, seen: { value: true } },
    });
    expect(run.states).toEqual({ a: 'success', b: 'scheduled' });
  });

  it('keeps what it is resumed with when the resumed attempt is lost', () => {
    const run = waiting({ resume: 'next' });
    run.waited('a', { kind: 'met', payload: { value: 7 } });
    run.finish('a', 'lost');
    expect(run.instance('a')).toMatchObject({ state: 'scheduled', tryNumber: 1, leg: 3 });
    expect(run.instance('a').deferral).toMatchObject({ resume: 'next', payload: { value: 7 } });
  });

  it('is resumed when there is a place for it, and not while the DAG is paused', () => {
    const run = RunHarness.started(aDefinition('d', [aTask('a'), aTask('b')]), { window: 1 });
    run.finish('a', defer({ resume: 'next' }));
    run.waited('a', { kind: 'met' });
    expect(run.states).toEqual({ a: 'none', b: 'scheduled' });
    run.pause(true);
    run.finish('b');
    expect(run.states).toEqual({ a: 'none', b: 'success' });
    run.pause(false);
    expect(run.instance('a')).toMatchObject({ state: 'scheduled', tryNumber: 1, leg: 2 });
  });

  it('begins anew after a retry, a clear and a reschedule', () => {
    const run = waiting({ resume: 'next', timeoutMs: 60_000 }, { retries: 1, retryDelayMs: 1_000 });
    run.waited('a', { kind: 'met', payload: { value: 7 } });
    run.finish('a', { kind: 'reschedule', until: run.now + 5_000 });
    expect(run.instance('a')).toMatchObject({ state: 'up_for_reschedule', deferral: { deadline: run.now + 60_000 } });
    run.later(5_000);
    expect(run.instance('a')).toMatchObject({ state: 'scheduled', tryNumber: 1, leg: 3 });
    expect(run.instance('a').deferral).toEqual({ deadline: run.now - 5_000 + 60_000 });
    run.finish('a', 'fail');
    run.later(1_000);
    expect(run.instance('a')).toMatchObject({ state: 'scheduled', tryNumber: 2, leg: 1, deferral: undefined });
    run.finish('a', defer());
    run.clear('a');
    expect(run.instance('a')).toMatchObject({
      state: 'scheduled',
      tryNumber: 3,
      waitFor: undefined,
      deferral: undefined,
    });
  });

  it('remembers over its legs when it first started', () => {
    const run = waiting({ resume: 'next' }, { retries: 1, retryDelayMs: 0 });
    const first = run.now;
    run.later(1_000);
    run.waited('a', { kind: 'met' });
    run.later(1_000);
    run.finish('a', 'fail');
    expect(run.history.filter((e) => e.type === 'TaskScheduled').map((e) => e.data.leg)).toEqual([1, 2, 1]);
    expect(run.instance('a').tryStartedAt).toBeUndefined();
    run.finish('a', defer());
    expect(run.instance('a').tryStartedAt).toBe(first + 2_000);
  });

  it('does not hear an answer to another leg or try (I1)', () => {
    const run = waiting({ resume: 'next' });
    const first = run.attempt('a');
    run.waited('a', { kind: 'met' });
    run.finish('a', defer());
    expect(run.waited('a', { kind: 'met' }, first)).toBe(false);
    expect(run.waited('a', { kind: 'met' }, { ...run.attempt('a'), tryNumber: 2 })).toBe(false);
    expect(run.waited('a', { kind: 'met' })).toBe(true);
    expect(run.waited('a', { kind: 'met' })).toBe(false);
  });

  it('runs callbacks apart when it ends without a child', () => {
    const callbacks = ['onSuccess', 'onFailure', 'onSkipped'] as const;
    const error = { kind: 'exception', message: 'no' } as const;
    const ended = (answer: Parameters<RunHarness['waited']>[1]) => {
      const run = waiting({}, { callbacks });
      run.waited('a', answer);
      expect(restarted(run).run.callbacks).toBe(1);
      return run.instance('a').callback;
    };
    expect(ended({ kind: 'met' })).toBe('onSuccess');
    expect(ended({ kind: 'failed', error, retryable: false })).toBe('onFailure');
    expect(ended({ kind: 'skipped', reason: 'no' })).toBe('onSkipped');
  });

  it('updates its outlets when it succeeds without a child', () => {
    const run = waiting({}, { outlets: [{ kind: 'asset', name: 'orders', uri: 's3://orders' }] });
    run.waited('a', { kind: 'met' });
    expect(run.dataOf('TaskSucceeded')['assets']).toEqual([{ name: 'orders', uri: 's3://orders' }]);
  });

  it('feeds what is mapped over its value, or fails where that is no list', () => {
    const mapped = () => {
      const expand = {
        kind: 'product' as const,
        over: [{ name: 'x', length: { kind: 'output' as const, taskId: 'a', path: ['data'] } }],
      };
      const run = RunHarness.started(aDefinition('d', [aTask('a'), aTask('b', { upstream: ['a'], expand })]));
      run.finish('a', defer());
      return run;
    };
    const run = mapped();
    run.waited('a', { kind: 'met', payload: { value: { data: [1, 2, 3] } } });
    expect(run.states).toEqual({ a: 'success', 'b[0]': 'scheduled', 'b[1]': 'scheduled', 'b[2]': 'scheduled' });
    const other = mapped();
    other.waited('a', { kind: 'met', payload: { value: { data: 3 } } });
    expect(other.dataOf('TaskFailed')['error']).toMatchObject({ kind: 'mapping' });
  });
});

describe('a wait that fails', () => {
  const error = { kind: 'exception', type: 'ExternalTaskFailed', message: 'it is failed' } as const;

  it('is retried as any error', () => {
    const run = waiting({}, { retries: 1 });
    run.waited('a', { kind: 'failed', error, retryable: true });
    expect(run.states['a']).toBe('up_for_retry');
    const last = waiting({}, { retries: 1 });
    last.waited('a', { kind: 'failed', error, retryable: false });
    expect(last.states['a']).toBe('failed');
  });

  it('skips the task where that is asked for', () => {
    const run = waiting({ onFailed: 'skip' }, { retries: 1 });
    run.waited('a', { kind: 'failed', error, retryable: true });
    expect(run.last[0]?.data).toMatchObject({ reason: 'it is failed', attempt: { tryNumber: 1, leg: 1 } });
  });

  it('skips it by an answer', () => {
    const run = waiting();
    run.waited('a', { kind: 'skipped', reason: 'not today' });
    expect(run.last[0]?.data).toMatchObject({ reason: 'not today' });
    expect(run.run.open).toBe(0);
  });
});

describe('a deadline', () => {
  const rules = [
    ['fails without a retry', {}, 'failed', 'SensorTimeout'],
    ['skips', { onTimeout: 'skip' }, 'skipped', undefined],
    ['is retried', { onTimeout: 'retry' }, 'up_for_retry', 'DeferralTimeout'],
  ] as const;

  it.each(rules)('%s, by the clock of its run', (_what, change, state, type) => {
    const run = restarted(waiting({ timeoutMs: 60_000, ...change }, { retries: 1 }));
    expect(nextWake({ run: run.run })).toBe(run.now + 60_000);
    run.later(59_999);
    expect(run.states['a']).toBe('deferred');
    run.later(1);
    expect(run.states['a']).toBe(state);
    const told = [...run.history].reverse().find((e) => 'error' in e.data);
    expect(told === undefined ? undefined : (told.data as { error: { type: string } }).error.type).toBe(type);
  });

  it('is the same when the triggerer says so', () => {
    const run = waiting({ timeoutMs: 60_000, onTimeout: 'skip' });
    run.waited('a', { kind: 'timeout' });
    expect(run.states['a']).toBe('skipped');
  });

  it('is set by the first deferral of the try, and begins again with the next try', () => {
    const run = waiting({ timeoutMs: 60_000, resume: 'next', onTimeout: 'retry' }, { retries: 1, retryDelayMs: 0 });
    const deadline = run.now + 60_000;
    run.later(30_000);
    run.waited('a', { kind: 'met' });
    run.finish('a', defer({ timeoutMs: 60_000, onTimeout: 'retry' }));
    expect(run.dataOf('TaskDeferred')['deadline']).toBe(deadline);
    run.later(30_000);
    expect(run.instance('a')).toMatchObject({ state: 'scheduled', tryNumber: 2 });
    run.finish('a', defer({ timeoutMs: 60_000 }));
    expect(run.dataOf('TaskDeferred')['deadline']).toBe(run.now + 60_000);
  });

  it('does not end a try that goes on', () => {
    const run = waiting({ timeoutMs: 60_000, resume: 'next' });
    run.waited('a', { kind: 'met' });
    run.later(60_000);
    expect(run.states['a']).toBe('scheduled');
    run.finish('a');
    expect(run.states['a']).toBe('success');
  });
});

describe('a wait for a time', () => {
  it('is over then, or at a deadline before', () => {
    const wait: WaitFor = { kind: 'time', until: Date.UTC(2024, 0, 1) + 60_000 };
    const run = restarted(waiting({ wait }));
    run.later(60_000);
    expect(run.states).toEqual({ a: 'success', b: 'scheduled' });
    const early = waiting({ wait, timeoutMs: 1_000 });
    early.later(1_000);
    expect(early.states['a']).toBe('failed');
    const past = waiting({ wait: { kind: 'time', until: 0 } });
    expect(past.states['a']).toBe('success');
  });

  it('goes on while the DAG is paused', () => {
    const run = waiting({ wait: { kind: 'time', until: Date.UTC(2024, 0, 1) + 60_000 } });
    run.pause(true);
    run.later(60_000);
    expect(run.states).toEqual({ a: 'success', b: 'none' });
  });
});

describe('a task that waits', () => {
  it.each(['success', 'failed', 'skipped'] as const)('may be marked %s', (state) => {
    const run = waiting({ timeoutMs: 60_000 });
    run.mark('a', state);
    expect(run.instance('a')).toMatchObject({ state, waitFor: undefined, deferral: undefined });
    expect(nextWake({ run: run.run })).toBeUndefined();
    expect(run.waited('a', { kind: 'met' })).toBe(false);
  });

  it('is skipped when its run is cancelled, times out or fails fast', () => {
    const cancelled = waiting();
    cancelled.markRun('failed', 'aborted');
    expect(cancelled.states).toEqual({ a: 'skipped', b: 'skipped' });
    const late = waiting({ timeoutMs: 120_000 }, {}, { dagrunTimeoutMs: 60_000 });
    late.later(60_000);
    expect(late.states['a']).toBe('skipped');
    expect(late.run.reason).toBe('timed_out');
    const fast = RunHarness.started(aDefinition('d', [aTask('a'), aTask('b')], { failFast: true }));
    fast.finish('a', defer());
    fast.finish('b', 'failNow');
    expect(fast.states).toEqual({ a: 'skipped', b: 'failed' });
  });

  it('says what it waits for', () => {
    const waits: readonly (readonly [Defer['wait'], string])[] = [
      [EVENT, "waits for an event of type 'paid'"],
      [
        { ...EVENT, count: 3, source: '/s', subject: 'x', filter: { exact: { a: 'b' } } },
        "waits for 3 events of type 'paid' from '/s' about 'x' that its filter lets through",
      ],
      [{ kind: 'poll', everyMs: 5_000 }, 'is polled every 5 s until its condition holds'],
      [
        { kind: 'poll', everyMs: 5_000, backoff: true },
        'is polled every 5 s, at growing intervals, until its condition holds',
      ],
      [{ kind: 'trigger', trigger: 'job', args: null }, "waits for its trigger 'job'"],
      [{ kind: 'time', until: Date.UTC(2030, 0, 1) }, 'waits until 2030-01-01T00:00:00.000Z'],
      [{ kind: 'asset', name: 'orders', lookBackFrom: 0 }, "waits for an update of asset 'orders'"],
      [{ kind: 'asset', uri: 's3://o', lookBackFrom: 0 }, "waits for an update of asset with URI 's3://o'"],
      [
        {
          kind: 'run',
          dagId: 'o',
          logicalDate: 0,
          taskIds: ['x', 'y'],
          groupIds: ['g'],
          allowedStates: ['success', 'skipped'],
          failedStates: [],
        },
        "waits for tasks 'x', 'y' and group 'g' in the run of DAG 'o' for 1970-01-01T00:00:00.000Z to be success or skipped",
      ],
      [
        { kind: 'run', dagId: 'o', runId: 'r', allowedStates: ['success'], failedStates: [] },
        "waits for run 'r' of DAG 'o' to be success",
      ],
      [
        { kind: 'approval', subject: 'Ship?', options: ['Yes', 'No'], multiple: false, assignees: ['ada', 'bob'] },
        "waits for ada, bob to answer 'Ship?' (Yes, No)",
      ],
    ];
    for (const [wait, text] of waits) {
      const reasons = waiting({ wait }).explain('a');
      expect(reasons.find(({ rule }) => rule === 'waiting_for')).toMatchObject({ passed: false, reason: text });
    }
  });
});
